"""Detections are counted as a person would count them."""

import numpy as np
import pytest

from apps.speech_commands import stream_evaluation
from apps.speech_commands.detector import Detection
from apps.speech_commands.stream_evaluation import Event

WORDS = ("no", "yes")
NAMES = ("no", "yes", "unknown")
HEARD = stream_evaluation.Heard(
    np.zeros((0, 3)),
    (Event(1, 2, "no", 0), Event(3, 4, "unknown", 1), Event(5, 6, "yes", 2), Event(7, 8, "no", 3)),
    seconds=10,
)
TIMING = {
    "first_seconds": 0.1,
    "frame_seconds": 0.1,
    "smoothing_seconds": 0.1,
    "cool_down_seconds": 0.5,
}


def counts(*detections):
    made = [Detection(seconds, word, 0.9) for seconds, word in detections]
    return stream_evaluation.count(made, HEARD, WORDS)


def test_hits_misses_wrong_words_repeats_and_false_accepts():
    found = counts(
        (0.5, "yes"),  # in a pause
        (1.8, "no"),  # right
        (2.4, "no"),  # the same again, in the command's time
        (3.5, "yes"),  # in another word
        (5.9, "no"),  # another command
        (6.45, "yes"),  # right, in time
        (9.1, "no"),  # too late: the last command was missed
    )
    np.testing.assert_array_equal(found.said, [2, 1])
    np.testing.assert_array_equal(found.hits, [1, 1])
    np.testing.assert_array_equal(found.wrong, [2, 0])
    np.testing.assert_array_equal(found.false, [1, 2])
    assert found.miss_rate == pytest.approx(1 / 3)
    assert found.wrong_rate == pytest.approx(2 / 3)


def test_an_hour_is_one_in_which_no_command_is_said():
    found = counts((0.5, "yes"), (3.5, "no"))
    assert found.seconds == 10
    assert found.no_command_seconds == pytest.approx(10 - 3 * 1.5)
    assert found.false_accepts_per_hour == pytest.approx(2 / 5.5 * 3600)


def test_a_word_may_come_late_even_when_something_else_has_begun():
    found = counts((2.9, "no"), (6.9, "yes"))
    np.testing.assert_array_equal(found.hits, [1, 1])
    assert found.false.sum() == found.wrong.sum() == 0


def test_another_word_after_a_command_is_wrong_and_in_the_pause_behind_it_made_up():
    found = counts((6.4, "no"), (6.6, "no"))
    np.testing.assert_array_equal(found.wrong, [1, 0])
    np.testing.assert_array_equal(found.false, [1, 0])


def test_the_same_command_twice_is_two_hits():
    events = (Event(1, 2, "no", 0), Event(2.5, 3.5, "no", 1))
    made = [Detection(seconds, "no", 0.9) for seconds in (1.9, 2.7)]
    found = stream_evaluation.count(made, HEARD._replace(events=events), WORDS)
    assert (found.hits[0], found.wrong[0], found.false[0]) == (2, 0, 0)


def test_silence_from_the_recogniser_is_all_missed():
    found = counts()
    assert (found.miss_rate, found.wrong_rate, found.false_accepts_per_hour) == (1, 0, 0)


def heard(*peaks, seconds=10.0):
    """A stream in which each (seconds, word, probability) lasts for three frames of 0.1 s."""
    posteriors = np.zeros((round(seconds * 10), 3), np.float32)
    for at, word, probability in peaks:
        frame = round(at * 10) - 1  # known at the frame's end
        posteriors[frame : frame + 3, NAMES.index(word)] = probability
    return HEARD._replace(posteriors=posteriors, seconds=seconds)


def test_the_detector_s_times_are_those_of_the_stream():
    found = stream_evaluation.count_all(
        {"no": 0.5, "yes": 0.5},
        [heard((1.0, "no", 0.9), (6.9, "yes", 0.9)), heard((0.9, "no", 0.9), (7.1, "yes", 0.9))],
        NAMES,
        TIMING,
    )
    np.testing.assert_array_equal(found.hits, [1, 1])
    np.testing.assert_array_equal(found.false, [1, 0])  # before its clip
    np.testing.assert_array_equal(found.wrong, [0, 1])  # after its time, in another clip
    assert found.seconds == 20


def test_a_higher_threshold_misses_more_and_makes_up_less():
    peaks = [(1.5, "no", 0.9), (3.5, "yes", 0.6), (5.5, "yes", 0.8), (7.5, "no", 0.4)]
    curve = stream_evaluation.detection_curve([heard(*peaks)], NAMES, TIMING)
    assert len(curve) == len(stream_evaluation.THRESHOLDS)
    misses = [found.miss_rate for found in curve]
    false = [found.false_accepts_per_hour for found in curve]
    assert misses == sorted(misses)
    assert false == sorted(false, reverse=True)
    assert (misses[0], misses[-1]) == (0, 1)
    assert (np.sign(false[0]), false[-1]) == (1, 0)
