"""The rows, what is best among them, and the two files that follow from them."""

import math

import pytest
import tensorflow as tf

from apps.suite.training import history


@pytest.mark.parametrize(
    ("higher_is_better", "best_step", "improvements"),
    [(False, 3, [False, True, True, False]), (True, 2, [False, True, False, False])],
)
def test_the_best_is_the_first_of_the_best_and_never_not_a_number(
    higher_is_better, best_step, improvements
):
    record = history.History()
    values = [math.nan, 2.0, 1.0, 1.0]
    rows = [{"step": step, "score": value} for step, value in enumerate(values, 1)]
    assert [record.add(row, "score", higher_is_better) for row in rows] == improvements
    assert record.best_step == best_step
    assert record.checkpoints_since_best == 4 - best_step
    assert record.step == 4
    assert history.History(**record.to_dict()) == record


def test_an_unknown_monitor_is_named_beside_the_columns():
    with pytest.raises(ValueError, match="'validation_los' is not a column: step, loss"):
        history.History().add({"step": 1, "loss": 1.0}, "validation_los", False)


def test_the_csv_reads_back_the_same_and_leaves_late_columns_empty():
    third = 1 / 3
    record = history.History([{"step": 1, "loss": third}, {"step": 2, "loss": 1.0, "f1": 0.5}])
    header, first, second = record.to_csv().splitlines()
    assert header == "step,loss,f1"
    assert first == f"1,{third!r},"
    assert float(first.split(",")[1]) == third
    assert second == "2,1.0,0.5"


def test_event_files_hold_every_row_once_after_a_restart(tmp_path):
    rows = [{"step": step, "loss": step / 2} for step in (10, 20)]
    for known in ([], rows[:1]):  # the second, as after a kill past both rows
        files = history.EventFiles(tmp_path, known)
        for row in rows[len(known) :]:
            files.add(row)
        files.close()
    events = [
        tf.compat.v1.Event.FromString(record.numpy())
        for path in tmp_path.iterdir()
        for record in tf.data.TFRecordDataset(str(path))
    ]
    scalars = [
        (event.step, value.tag, float(tf.make_ndarray(value.tensor)))
        for event in events
        for value in event.summary.value
    ]
    assert scalars == [(10, "loss", 5.0), (20, "loss", 10.0)]
