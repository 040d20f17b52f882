"""Cells become values of an input, or say why they are none."""

import math

import numpy as np
import pytest

from apps.suite.tables import scored_cells
from apps.suite.tables.scored_cells import CellError, Wanted

TEXT, FLOAT, INT, TRUTH = (np.dtype(kind) for kind in (object, np.float32, np.int32, np.bool_))


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        ("müsli", TEXT, "müsli".encode()),
        ("", TEXT, b""),
        (b"\xff\x00", TEXT, b"\xff\x00"),
        (" 1.5 ", FLOAT, 1.5),
        (2, FLOAT, 2.0),
        ("-7", INT, -7),
        (2**31 - 1, INT, 2**31 - 1),
        ("True", TRUTH, True),
        ("0", TRUTH, False),
        (True, TRUTH, True),
    ],
)
def test_single_values(cell, kind, value):
    found = scored_cells.one(cell, kind)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("cell", "kind", "reason"),
    [
        (None, TEXT, "is empty"),
        (7, TEXT, "is 7, and has to be text"),
        ("b\udcffd", TEXT, "is not UTF-8"),
        ("", FLOAT, "is empty"),
        ("nan", FLOAT, "is nan, and has to be a finite float32"),
        ("1e39", FLOAT, "is 1e+39, and has to be a finite float32"),
        (True, FLOAT, "is True, and has to be a number"),
        ("1,5", FLOAT, "is '1,5', and has to be a number"),
        ("1.0", INT, "is '1.0', and has to be a whole number"),
        (1.0, INT, "is 1.0, and has to be a whole number"),
        (2**31, INT, "is 2147483648, and has to fit into int32"),
        ("yes", TRUTH, "is 'yes', and has to be true or false"),
        ("x" * 99, INT, f"is '{'x' * 39}…, and has to be a whole number"),
    ],
)
def test_what_is_no_value_says_why(cell, kind, reason):
    with pytest.raises(CellError) as raised:
        scored_cells.one(cell, kind)
    assert str(raised.value) == reason


@pytest.mark.parametrize("cell", [None, "", " ", "NaN", math.nan])
def test_a_missing_number_of_a_series_is_nan(cell):
    assert math.isnan(scored_cells.one(cell, FLOAT, missing=True))


@pytest.mark.parametrize(
    ("cell", "separator", "values"),
    [
        ("  a b\tc ", " ", [b"a", b"b", b"c"]),
        ("two words|| x", "|", [b"two words", b"", b" x"]),
        ("no\u00a0break", " ", ["no\u00a0break".encode()]),
        ("", " ", []),
        (["a", "", b"c"], " ", [b"a", b"", b"c"]),
        ((), " ", []),
    ],
)
def test_lists_of_texts(cell, separator, values):
    assert scored_cells.many(cell, Wanted(TEXT, (None,)), separator) == values


def test_lists_of_numbers_have_the_length_that_is_wanted():
    found = scored_cells.many("1 2.5", Wanted(FLOAT, (2,)), " ")
    assert found.dtype == np.float32
    assert found.tolist() == [1, 2.5]
    with pytest.raises(CellError, match="has 2 values, and needs 3"):
        scored_cells.many([1, 2], Wanted(FLOAT, (3,)), " ")
    with pytest.raises(CellError, match="has 2 values, and needs 3"):
        scored_cells.many("a b", Wanted(TEXT, (3,)), " ")
    for cell, reason in ((None, "is empty"), (7, "is no list"), (b"12", "is no list")):
        with pytest.raises(CellError, match=reason):
            scored_cells.many(cell, Wanted(FLOAT, (None,)), " ")
