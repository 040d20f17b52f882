"""From raw samples a stream answers as a clip does, however it comes in pieces."""

import numpy as np
import pytest
import tensorflow as tf

from apps.speech_commands import stream_evaluation
from apps.speech_commands import streams as listener
from apps.speech_commands.scoring import ClipProbabilities
from tests.apps.speech_commands import small_run


def made(sizes):
    config = small_run.config(**sizes)
    trained = small_run.built(config)
    return trained, config, listener.Listener(trained, config)


def heard(hears, sound):
    """All answers [frames, labels] to one stream in one call."""
    posteriors, _ = hears(tf.constant(sound[None]), hears.initial_states(1))
    return posteriors.numpy()[0]


@pytest.mark.parametrize("sizes", small_run.ANY_KIND)
def test_a_stream_that_begins_with_a_clip_gives_the_clip_s_answer_at_its_end(sizes):
    trained, config, hears = made(sizes)
    clip = small_run.sound(config.audio.clip_seconds)
    alone = ClipProbabilities(trained, config)([clip])[0]
    np.testing.assert_allclose(heard(hears, clip)[-1], alone, atol=1e-5)


@pytest.mark.parametrize("sizes", small_run.ANY_KIND)
def test_pieces_of_any_length_give_what_the_whole_gives(sizes):
    _, _, hears = made(sizes)
    sound, draw = small_run.sound(2.5), np.random.default_rng(0)
    whole = heard(hears, sound)
    assert whole.std(axis=0).max() > 0.05  # it does depend on what is heard
    states, pieces, start = hears.initial_states(1), [], 0
    while start < len(sound):
        length = int(draw.choice([0, 1, 63, 128, 500, 3_000]))
        posteriors, states = hears(tf.constant(sound[None, start : start + length]), states)
        pieces.append(posteriors.numpy()[0])
        start += length
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-5)


@pytest.mark.parametrize("sizes", small_run.ANY_KIND)
@pytest.mark.parametrize("samples", [0, 1, 255, 256, 257, 511, 512, 513, 5_000])
def test_the_number_of_answers_is_known_beforehand(sizes, samples):
    _, _, hears = made(sizes)
    assert len(heard(hears, small_run.sound(1)[:samples])) == hears.frames(samples)


def test_the_times_of_the_answers():
    _, _, hears = made({})
    assert hears.first_seconds == pytest.approx(0.032)
    assert hears.frame_seconds == pytest.approx(0.032)
    _, _, hears = made({"front_end": "none"})
    assert hears.frame_seconds == pytest.approx(0.016)
    at = round(hears.first_seconds * small_run.RATE_HZ)
    assert (hears.frames(at - 1), hears.frames(at)) == (0, 1)


@pytest.mark.parametrize("sizes", small_run.ANY_KIND)
def test_states_fit_their_specs_before_and_after(sizes):
    _, _, hears = made(sizes)
    specs, states = hears.state_specs(), hears.initial_states(3)
    after = hears(tf.constant(np.stack([small_run.sound(0.3)] * 3)), states)[1]
    for each in (states, after):
        assert each.keys() == specs.keys()
        for name, spec in specs.items():
            assert spec.is_compatible_with(each[name]), name


def test_streams_side_by_side_are_heard_as_each_alone():
    _, _, hears = made({})
    event = stream_evaluation.Event(0.1, 0.5, "no", 0)
    streams = [
        stream_evaluation.Stream(small_run.sound(seconds, seed), (event,))
        for seed, seconds in enumerate([2.0, 12.5, 0.01, 0.7])
    ]
    found = list(listener.hear(hears, streams))
    for stream, each in zip(streams, found, strict=True):
        assert each.seconds == len(stream.samples) / small_run.RATE_HZ
        assert each.events == stream.events
        expected = heard(hears, stream.samples)
        assert each.posteriors.shape == expected.shape
        np.testing.assert_allclose(each.posteriors, expected, atol=1e-5)


def test_a_model_that_needs_what_comes_later_is_refused():
    config = small_run.config(layer="bilstm")
    with pytest.raises(ValueError, match="what comes later"):
        listener.Listener(small_run.built(config), config)
