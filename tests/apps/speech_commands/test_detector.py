"""The detector finds what its rules say, and the same however a stream comes in pieces."""

import numpy as np
import pytest

from apps.speech_commands import detector

NAMES = ("no", "yes", "silence")
TIMES = {"first_seconds": 0.1, "frame_seconds": 0.02}


def make(thresholds=None, smoothing=0.06, cool_down=0.2):
    return detector.Detector(
        NAMES,
        thresholds or {"no": 0.5, "yes": 0.7},
        smoothing_seconds=smoothing,
        cool_down_seconds=cool_down,
        **TIMES,
    )


def posteriors(frames, **words):
    """Zeros but for `word=[(from, to, value), …]`; what is left goes to silence."""
    made = np.zeros((frames, len(NAMES)))
    for word, stretches in words.items():
        for start, end, value in stretches:
            made[start:end, NAMES.index(word)] = value
    made[:, -1] = 1 - made[:, :-1].sum(axis=1)
    return made


def found(made, stream):
    detections, _ = made.detect(stream, made.initial_state())
    return [(each.word, round((each.seconds - 0.1) / 0.02)) for each in detections]


def by_the_rules(made, stream):
    """The rules of the module's docstring, frame by frame."""
    k, words = made.smoothing_frames, list(made.words)
    rising, quiet_until, hits = dict.fromkeys(words, True), 0, []
    for frame in range(len(stream)):
        smoothed = {
            word: sum(stream[max(0, frame - k + 1) : frame + 1, NAMES.index(word)]) / k
            for word in words
        }
        limits = dict(zip(words, made.thresholds, strict=True))
        rising = {word: rising[word] or smoothed[word] < limits[word] / 2 for word in words}
        ready = [word for word in words if rising[word] and smoothed[word] >= limits[word]]
        if ready and frame >= quiet_until:
            word = max(ready, key=smoothed.__getitem__)
            hits.append((word, frame))
            rising[word] = False
            quiet_until = frame + made.cool_down_frames
    return hits


def wandering(frames=600, seed=0):
    logits = np.cumsum(np.random.default_rng(seed).normal(0, 0.6, (frames, 3)), axis=0)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def test_a_word_is_found_when_its_average_reaches_its_threshold():
    made = make()
    assert found(made, posteriors(30, no=[(10, 20, 0.9)])) == [("no", 11)]  # 1.8 / 3 >= 0.5
    assert found(made, posteriors(30, yes=[(10, 20, 0.9)])) == [("yes", 12)]  # 2.7 / 3 >= 0.7
    assert found(made, posteriors(30, yes=[(10, 20, 0.69)])) == []


def test_seconds_and_confidence_are_those_of_the_frame():
    (hit,), _ = make().detect(posteriors(30, no=[(10, 20, 0.9)]), make().initial_state())
    assert hit.word == "no"
    assert hit.seconds == pytest.approx(0.1 + 11 * 0.02)
    assert hit.confidence == pytest.approx(0.6)


def test_before_the_stream_there_is_nothing_that_counts():
    assert found(make(), posteriors(10, no=[(0, 10, 0.9)])) == [("no", 1)]


def test_a_word_that_stays_is_one_detection_and_one_that_comes_back_another():
    assert found(make(), posteriors(100, no=[(10, 90, 1.0)])) == [("no", 11)]
    again = posteriors(100, no=[(10, 30, 1.0), (40, 60, 1.0)])
    assert found(make(), again) == [("no", 11), ("no", 41)]


def test_a_word_that_trembles_around_its_threshold_is_one_detection():
    shaking = posteriors(100, no=[(at, at + 10, 1.0) for at in range(10, 90, 12)])
    smoothed, _ = make().smooth(shaking, make().initial_state().recent)
    assert (np.diff((smoothed[:, 0] >= 0.5).astype(int)) == 1).sum() > 3  # it crosses it often
    assert found(make(), shaking) == [("no", 11)]


def test_another_word_in_the_cool_down_waits_for_its_end():
    made = make()
    stream = posteriors(60, no=[(10, 14, 1.0)], yes=[(14, 40, 1.0)])
    assert found(made, stream) == [("no", 11), ("yes", 11 + made.cool_down_frames)]
    gone = posteriors(60, no=[(10, 14, 1.0)], yes=[(14, 18, 1.0)])
    assert found(made, gone) == [("no", 11)]


def test_of_two_words_at_once_the_likelier_one_is_taken():
    made = make({"no": 0.3, "yes": 0.3}, smoothing=0.02)
    assert found(made, posteriors(20, no=[(5, 6, 0.45)], yes=[(5, 6, 0.55)])) == [("yes", 5)]


def test_a_label_without_a_threshold_is_never_found():
    assert found(make({"yes": 0.5}), posteriors(40, no=[(5, 30, 1.0)])) == []


@pytest.mark.parametrize("seed", range(8))
def test_it_does_what_the_rules_say_frame_by_frame(seed):
    made = make({"no": 0.4, "yes": 0.6})
    stream = wandering(seed=seed)
    assert found(made, stream) == by_the_rules(made, stream)


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_any_length_give_the_whole_s_detections_to_the_last_bit(seed):
    made, draw = make({"no": 0.4, "yes": 0.4}), np.random.default_rng(seed)
    stream = wandering(seed=seed)
    whole, at_end = made.detect(stream, made.initial_state())
    state, pieces, start = made.initial_state(), [], 0
    while start < len(stream):
        length = int(draw.choice([0, 1, 2, 7, 50]))
        hits, state = made.detect(stream[start : start + length], state)
        pieces += hits
        start += length
    assert pieces == whole
    for one, other in zip(state, at_end, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_state_is_not_changed_by_its_use():
    made = make()
    state = made.initial_state()
    stream = posteriors(30, no=[(10, 20, 0.9)])
    first = made.detect(stream, state)[0]
    assert made.detect(stream, state)[0] == first


@pytest.mark.parametrize("thresholds", [{"maybe": 0.5}, {"no": 0.0}, {"no": float("nan")}])
def test_thresholds_that_mean_nothing_are_refused(thresholds):
    with pytest.raises(ValueError, match="thresholds are above 0 and of labels"):
        make(thresholds)
