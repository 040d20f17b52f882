"""Thresholds keep to the false accepts that are allowed, and miss as little as that lets them."""

import numpy as np
import pytest

from apps.speech_commands import stream_evaluation
from apps.speech_commands.stream_evaluation import Event
from apps.suite import errors

NAMES = ("no", "yes", "unknown")
TIMING = {
    "first_seconds": 0.1,
    "frame_seconds": 0.1,
    "smoothing_seconds": 0.1,
    "cool_down_seconds": 0.5,
}
HOUR = 3600


def streams(commands, others):
    """An hour each in which the peaks of `commands` (word, probability) are right, others false."""
    posteriors = np.zeros((HOUR * 10, 3), np.float32)
    events = []
    for at, (word, probability) in enumerate(commands):
        start = 5.0 + 5 * at
        events.append(Event(start, start + 1, word, at))
        posteriors[round((start + 0.5) * 10), NAMES.index(word)] = probability
    for at, (word, probability) in enumerate(others):
        posteriors[round((2000.0 + 5 * at) * 10), NAMES.index(word)] = probability
    return [stream_evaluation.Heard(posteriors, tuple(events), float(HOUR))]


def outcome(made, allowed):
    chosen = stream_evaluation.choose_thresholds(made, NAMES, TIMING, allowed)
    return chosen, stream_evaluation.count_all(chosen, made, NAMES, TIMING)


def test_where_they_can_be_told_apart_the_threshold_is_between():
    made = streams([("no", 0.9), ("no", 0.8), ("yes", 0.7)], [("no", 0.4), ("yes", 0.2)])
    chosen, found = outcome(made, allowed=0)
    assert 0.4 < chosen["no"] < 0.8
    assert 0.2 < chosen["yes"] < 0.7
    assert chosen["no"] == pytest.approx(0.6, abs=0.05)  # in the middle
    assert (found.miss_rate, found.false.sum()) == (0, 0)


def test_false_accepts_go_where_they_save_the_most():
    commands = [("no", 0.5)] * 3 + [("yes", 0.5)]
    made = streams(commands, [("no", 0.6), ("yes", 0.6)])
    chosen, found = outcome(made, allowed=1.01)
    np.testing.assert_array_equal(found.false, [1, 0])
    np.testing.assert_array_equal(found.hits, [3, 0])
    assert chosen["no"] < 0.5 < chosen["yes"]


def test_what_is_allowed_is_kept_to():
    draw = np.random.default_rng(0)
    names = draw.choice(["no", "yes"], 150)
    commands = list(zip(names, draw.uniform(0.3, 1, 150), strict=True))
    others = list(zip(names[:80], draw.uniform(0, 0.9, 80), strict=True))
    made = streams(commands, others)
    misses = []
    for allowed in (0, 5, 20, 80):
        _, found = outcome(made, allowed)
        assert found.false_accepts_per_hour <= allowed
        misses.append(found.miss_rate)
    assert misses == sorted(misses, reverse=True)
    assert misses[-1] < 0.05 < misses[0]


def test_they_are_read_as_they_were_written(tmp_path):
    stream_evaluation.write_thresholds(tmp_path, {"no": 0.5, "yes": 0.25})
    assert stream_evaluation.read_thresholds(tmp_path) == {"no": 0.5, "yes": 0.25}


@pytest.mark.parametrize("content", ["", "[1]", '{"no": "high"}', '{"no": 0}'])
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / stream_evaluation.THRESHOLDS_FILE).write_text(content)
    with pytest.raises(errors.UserError, match=r"thresholds\.json"):
        stream_evaluation.read_thresholds(tmp_path)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(errors.UserError, match=r"thresholds\.json is missing"):
        stream_evaluation.read_thresholds(tmp_path)
