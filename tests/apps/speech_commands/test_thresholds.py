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
    """An hour in which the peaks of `commands` (word, probability) are right, others false."""
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


def test_each_word_has_its_own_where_that_does_better_on_streams_left_out():
    made = 5 * streams([("no", 0.9), ("no", 0.8), ("yes", 0.4)], [("no", 0.5), ("yes", 0.2)])
    chosen, found = outcome(made, allowed=0)
    assert chosen["no"] == pytest.approx(0.65, abs=0.05)  # in the middle
    assert chosen["yes"] == pytest.approx(0.3, abs=0.05)
    assert (found.miss_rate, found.false.sum()) == (0, 0)


@pytest.mark.parametrize("count", [1, 5])
def test_one_for_all_is_taken_where_words_need_no_others_or_streams_are_few(count):
    made = count * streams([("no", 0.9), ("yes", 0.7)], [("no", 0.4), ("yes", 0.2)])
    chosen, found = outcome(made, allowed=0)
    assert chosen["no"] == chosen["yes"] == pytest.approx(0.55, abs=0.05)
    assert (found.miss_rate, found.false.sum()) == (0, 0)


def test_false_accepts_go_where_they_save_the_most():
    commands = [("no", 0.5)] * 3 + [("yes", 0.5)]
    made = 5 * streams(commands, [("no", 0.6), ("yes", 0.6)])
    chosen, found = outcome(made, allowed=1.01)
    np.testing.assert_array_equal(found.false, [5, 0])
    np.testing.assert_array_equal(found.hits, [15, 0])
    assert chosen["no"] < 0.5 < chosen["yes"]


def test_on_streams_never_heard_the_rate_is_about_the_allowed_one():
    draw = np.random.default_rng(0)

    def drawn(count):
        names = draw.choice(["no", "yes"], (count, 30))
        sure, false = draw.beta(4, 1, (count, 30)), draw.uniform(0, 1, (count, 8))
        return [
            each
            for words, right, wrong in zip(names, sure, false, strict=True)
            for each in streams(zip(words, right, strict=True), zip(words, wrong, strict=False))
        ]

    chosen, _ = outcome(drawn(10), allowed=1)
    found = stream_evaluation.count_all(chosen, drawn(60), NAMES, TIMING)
    assert 0.5 < found.false_accepts_per_hour < 1.3


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
