"""A live series is scored as it comes, and goes on where it was saved."""

import numpy as np
import pytest

from apps.anomaly_detection import events, scoring, stream
from apps.suite import errors
from tests.apps.anomaly_detection import small_model

SETTINGS = {"score": {"smoothing_steps": 3.0}, "events": {"merge_steps": 1, "cool_down_steps": 6}}
every_kind = pytest.mark.parametrize("kind", small_model.KINDS)


def made(kind="forecaster", **settings):
    return small_model.trained(**{**SETTINGS, **small_model.KINDS[kind], **settings})


def fed(live, rows):
    """What comes out with one row after the other, [time, …]."""
    found = [live.feed(row[None]) for row in rows]
    return stream.Decision(*(np.concatenate(each, axis=1)[0] for each in zip(*found, strict=True)))


@every_kind
def test_row_by_row_it_scores_and_decides_as_the_whole_series_does(kind):
    one = small_model.a_series(160)
    whole = scoring.score(made(kind), one)
    trained = made(kind, threshold=float(np.quantile(whole.scores, 0.55)))
    live = fed(stream.Stream(trained), small_model.with_nan(one))
    behind = trained.detector.steps_behind
    until = len(one) - behind
    np.testing.assert_allclose(live.scores[behind:], whole.scores[:until], atol=1e-5)
    np.testing.assert_allclose(live.contributions[behind:], whole.contributions[:until], atol=1e-5)
    np.testing.assert_array_equal(live.valid[behind:], whole.valid[:until])
    settings = trained.config.events
    found = events.from_scores(
        whole.scores[:until],
        trained.threshold.value,
        merge_steps=settings.merge_steps,
        cool_down_steps=settings.cool_down_steps,
    )
    assert len(found) > 1
    starts = [event.start + behind for event in found]
    assert np.flatnonzero(live.alarms).tolist() == starts


@every_kind
def test_saved_and_restored_it_goes_on_to_the_bit(kind, tmp_path):
    trained = made(kind)
    rows = small_model.with_nan(small_model.a_series())
    whole = stream.Stream(trained)
    expected = fed(whole, rows)
    live = stream.Stream(trained)
    fed(live, rows[:31])
    live.save(tmp_path / "state")
    rest = fed(stream.Stream.restore(trained, tmp_path / "state"), rows[31:])
    for found, wanted in zip(rest, expected, strict=True):
        np.testing.assert_array_equal(found, wanted[31:])
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_series_side_by_side_know_nothing_of_each_other():
    trained = made()
    many = [small_model.with_nan(small_model.a_series(seed=seed)) for seed in range(3)]
    together = stream.Stream(trained, 3).feed(np.stack(many))
    for row, values in enumerate(many):
        alone = stream.Stream(trained).feed(values[None])
        for found, wanted in zip(together, alone, strict=True):
            np.testing.assert_allclose(found[row], wanted[0], rtol=1e-5, atol=1e-5)


def test_a_stream_of_another_model_is_refused(tmp_path):
    file = tmp_path / "state"
    stream.Stream(made()).save(file)
    for other in (made(seed=1), made(threshold=3.0), made(score={"smoothing_steps": 4.0})):
        with pytest.raises(errors.UserError, match="another model"):
            stream.Stream.restore(other, file)


def test_a_file_that_is_missing_or_damaged_is_a_line(tmp_path):
    trained, file = made(), tmp_path / "state"
    with pytest.raises(errors.UserError, match="no such file"):
        stream.Stream.restore(trained, file)
    stream.Stream(trained).save(file)
    whole = file.read_bytes()
    for damaged in (b"", b"text", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(errors.UserError, match="damaged"):
            stream.Stream.restore(trained, file)


@pytest.mark.parametrize("shape", [(2, 3), (1, 4), (3,), (1, 2, 2), (2, 1, 3)])
def test_values_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="1 series and 3 columns"):
        stream.Stream(made()).feed(np.zeros(shape))
