"""Tables of many histories: each is a question, and its answer has a row for each step ahead."""

from typing import NamedTuple

import numpy as np
import pyarrow
import pytest

from apps.suite import errors
from apps.suite.scoring import answers, binding, row_batches, rows
from apps.suite.scoring.pieces import Piece


class Tensor(NamedTuple):
    kind: np.dtype
    shape: list


FLOAT, TEXT, WHOLE = np.dtype(np.float32), np.dtype(object), np.dtype(np.int32)
INPUTS = {
    "values": Tensor(FLOAT, [None, None, 1]),
    "known": Tensor(FLOAT, [None, None, 1]),
    "series": Tensor(TEXT, [None]),
    "horizon": Tensor(WHOLE, []),
}
SETTINGS = {
    "data_format": {"series": "store", "time": "day", "known": ["promo"]},
    "target_names": ["sales"], "past_names": [], "known_names": ["promo"], "static_names": [],
    "step_seconds": 86_400.0, "dated": True, "context_steps": 3, "horizon_steps": 2,
}  # fmt: skip
TABLE = """\
store,day,sales,promo
north,2024-01-01,1,0
south,2024-01-01,5,0
north,2024-01-02,2,1
south,2024-01-02,6,0
east,2024-01-02,,0
north,2024-01-03,,0
south,2024-01-03,,1
north,2024-01-04,,1
"""


def bound(**constants):
    return binding.bind("serving_default", INPUTS, "table", {}, constants, " ", (), 2)


def read(folder, text, made):
    (folder / "a.csv").write_text(text)
    path = str(folder / "a.csv")
    return list(rows.read(path, Piece(0, 0, text.count("\n") - 1), made, (), SETTINGS))


def test_each_series_is_a_row_of_the_steps_that_the_model_reads(tmp_path):
    found = read(tmp_path, TABLE, bound())
    north = next(row for row in found if isinstance(row, rows.Row))
    np.testing.assert_array_equal(north.values["values"][:, 0], [np.nan, 1, 2])
    np.testing.assert_array_equal(north.values["known"][:, 0], [np.nan, 0, 1, 0, 1])
    assert north.values["series"] == b"north"
    names, moments = north.kept
    assert names == ["north"] * 2
    assert [str(each) for each in moments] == [f"2024-01-0{day} 00:00:00+00:00" for day in (3, 4)]
    aside = {row.number: row.reason for row in found if isinstance(row, rows.BadRow)}
    assert any("south: promo is missing at 2024-01-04" in each for each in aside.values())
    assert any("east has no value to go on from" in each for each in aside.values())


def test_a_table_that_cannot_be_read_is_set_aside_as_a_whole(tmp_path):
    (bad,) = read(tmp_path, TABLE.replace("sales", "visits"), bound())
    assert (bad.number, bad.rows) == (1, 8)
    assert "sales" in bad.reason


def test_answers_of_several_series_become_a_row_for_each_step(tmp_path):
    made = bound(horizon="1")
    good = [row for row in read(tmp_path, TABLE, made) if isinstance(row, rows.Row)]
    assert len(good) == 2
    described = {"mean": Tensor(FLOAT, [None, None, 1]), "unseen": Tensor(np.dtype(bool), [None])}
    given = answers.outputs("serving_default", described, (), True, 1)
    kept = {"series": pyarrow.string(), "time": pyarrow.timestamp("us", "UTC")}
    asked = row_batches.inputs(good, made)
    assert asked["values"].shape == (2, 3, 1)
    assert asked["horizon"] == 1
    told = {"mean": np.float32([[[7]], [[8]]]), "unseen": np.array([True, False])}
    table = answers.table(good, told, given, answers.schema(given, kept)).to_pylist()
    assert [(each["series"], each["mean"], each["unseen"]) for each in table] == [
        ("north", [7.0], True), ("south", [8.0], False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("inputs", "columns", "told"),
    [
        ({"recent_values": Tensor(FLOAT, [None, 3, 1])}, {}, "recent_values.*another --signature"),
        ({"count": Tensor(WHOLE, [])}, {}, "count.*choose another --signature"),
        ({}, {"values": "sales"}, "--inputs values: .*leave --inputs out"),
    ],
)
def test_what_is_not_about_histories_is_refused_with_a_way_out(inputs, columns, told):
    with pytest.raises(errors.UserError, match=told):
        binding.bind("stream", {**INPUTS, **inputs}, "table", columns, {}, " ", (), 2)
