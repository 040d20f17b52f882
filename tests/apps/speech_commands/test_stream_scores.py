"""Streams of a part are scored at the clips' ends, beside the same sound as clips of their own."""

import numpy as np
import tensorflow as tf

from apps.speech_commands import recordings as speech_commands_recordings
from apps.speech_commands import scoring, stream_evaluation, streams
from apps.speech_commands.scoring import ClipProbabilities
from tests.apps.speech_commands import small_run


class Part:
    recordings = tuple(
        speech_commands_recordings.Recording(f"{at}.wav", small_run.NAMES[at % 4], "")
        for at in range(24)
    )

    def waveform(self, index):
        return small_run.sound(0.4 if index % 3 else 0.55, index)


def test_the_scores_are_those_of_answers_one_by_one():
    config = small_run.config()
    trained = small_run.built(config)
    found = scoring.hear(trained, config, small_run.NAMES, Part(), seed=2, kept_seconds=3)
    hears, ask = streams.Listener(trained, config), ClipProbabilities(trained, config)
    in_stream, alone = [], []
    for stream in stream_evaluation.lay_out(Part(), small_run.RATE_HZ, seed=2):
        for event in stream.events:
            until = stream.samples[: round(event.end_seconds * small_run.RATE_HZ)]
            heard, _ = hears(tf.constant(until[None]), hears.initial_states(1))
            clip = stream_evaluation.excerpt(stream, event, small_run.RATE_HZ)
            label = small_run.NAMES.index(event.label)
            in_stream.append(heard.numpy()[0, -1].argmax() == label)
            alone.append(ask([clip])[0].argmax() == label)
    assert len(in_stream) == len(Part.recordings)
    assert found.accuracy == np.mean(in_stream)
    assert found.clip_accuracy == np.mean(alone)
    assert 0 < found.accuracy < 1
    assert sum(len(stream.events) for stream in found.streams) == len(Part.recordings)
    first = next(stream_evaluation.lay_out(Part(), small_run.RATE_HZ, seed=2))
    np.testing.assert_array_equal(found.beginning, first.samples[: 3 * small_run.RATE_HZ])
