"""Cells become values of an input, or say why they cannot."""

import math

import numpy as np
import pytest

from apps.suite.scoring import values
from apps.suite.scoring.values import CellError, Wanted

TEXT, FLOAT, INT, TRUTH = (np.dtype(kind) for kind in (object, np.float32, np.int32, np.bool_))


@pytest.mark.parametrize(
    ("cell", "kind", "expected"),
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
        (" Yes", TRUTH, True),
        (True, FLOAT, 1.0),
        ("+3", INT, 3),
        (4711271000004.0, TEXT, b"4711271000004"),  # a column of numbers with a gap
        (7, TEXT, b"7"),
    ],
)
def test_single_values(cell, kind, expected):
    found = values.one(cell, kind)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("cell", "kind", "reason"),
    [
        (None, TEXT, "is empty"),
        (True, TEXT, "is True, and has to be text"),
        (0.5, TEXT, "is 0.5, and has to be text"),
        ("b\udcffd", TEXT, "is not UTF-8"),
        ("", FLOAT, "is empty"),
        ("nan", FLOAT, "is empty"),
        ("NA", INT, "is empty"),
        ("-", TRUTH, "is empty"),
        ("inf", FLOAT, "is 'inf', and has to be a number"),
        ("1e39", FLOAT, "is 1e+39, and has to be a finite float32"),
        ("1,5", FLOAT, "is '1,5', and has to be a number"),
        ("1_000", INT, "is '1_000', and has to be a whole number"),
        ("1.0", INT, "is '1.0', and has to be a whole number"),
        (1.0, INT, "is 1.0, and has to be a whole number"),
        (2**31, INT, "is 2147483648, and has to fit into int32"),
        ("maybe", TRUTH, "is 'maybe', and has to be true or false"),
        ("x" * 99, INT, f"is '{'x' * 39}…, and has to be a whole number"),
    ],
)
def test_a_bad_cell_gives_the_reason(cell, kind, reason):
    with pytest.raises(CellError) as raised:
        values.one(cell, kind)
    assert str(raised.value) == reason


@pytest.mark.parametrize("cell", [None, "", " ", "NaN", math.nan])
def test_a_missing_number_of_a_series_is_nan(cell):
    assert math.isnan(values.one(cell, FLOAT, missing=True))


@pytest.mark.parametrize(
    ("cell", "separator", "expected"),
    [
        ("  a b\tc ", " ", [b"a", b"b", b"c"]),
        ("two words|| x", "|", [b"two words", b"", b" x"]),
        ("no\u00a0break", " ", ["no\u00a0break".encode()]),
        ("", " ", []),
        (["a", "", b"c"], " ", [b"a", b"", b"c"]),
        ((), " ", []),
    ],
)
def test_lists_of_texts(cell, separator, expected):
    assert values.many(cell, Wanted(TEXT, (None,)), separator) == expected


def test_lists_of_numbers_have_the_length_that_is_wanted():
    found = values.many("1 2.5", Wanted(FLOAT, (2,)), " ")
    assert found.dtype == np.float32
    assert found.tolist() == [1, 2.5]
    with pytest.raises(CellError, match="has 2 values, and needs 3"):
        values.many([1, 2], Wanted(FLOAT, (3,)), " ")
    with pytest.raises(CellError, match="has 2 values, and needs 3"):
        values.many("a b", Wanted(TEXT, (3,)), " ")
    for cell, reason in ((None, "is empty"), (7, "is not a list"), (b"12", "is not a list")):
        with pytest.raises(CellError, match=reason):
            values.many(cell, Wanted(FLOAT, (None,)), " ")
