"""Pictures are drawn in both themes, and say in words what they show."""

import numpy as np
import pytest

from apps.speech_commands import pictures, stream_evaluation
from apps.speech_commands.detector import Detection
from apps.speech_commands.stream_evaluation import Event
from tests.apps.speech_commands import small_run


def counts(false, hits):
    arrays = {"said": [10, 10], "hits": [hits, 10], "wrong": [0, 0], "false": [false, 0]}
    return stream_evaluation.Counts(
        **{name: np.array(values) for name, values in arrays.items()},
        no_command_seconds=3600,
        seconds=7200,
    )


def check(plot, *told):
    for file in (plot.light, plot.dark):
        assert file.read_bytes().startswith(b"\x89PNG")
        assert file.stat().st_size > 3_000
    assert plot.light.read_bytes() != plot.dark.read_bytes()
    for each in told:
        assert each in plot.alternative


def test_accuracy_over_noise(tmp_path):
    series = {"this model": {"clean": 0.99, "0 dB": 0.5}, "another": {"clean": 0.9, "0 dB": 0.1}}
    check(pictures.noise(tmp_path, series), "this model: clean 99.0 %, 0 dB 50.0 %", "another")


def test_the_trade_off(tmp_path):
    curve = [counts(100, 10), counts(3, 8), counts(0, 1)]
    plot = pictures.trade_off(tmp_path, curve, counts(2, 7))
    check(plot, "From 100 false accepts an hour and 0.0 % missed", "give 2.0 and 15.0 %")


@pytest.mark.parametrize("kind", ["log_mel", "mfcc", "pcen"])
@pytest.mark.parametrize("seconds", [0.01, 0.7])
def test_a_spectrogram_of_any_features_and_length(tmp_path, kind, seconds):
    config = small_run.config(kind=kind)
    plot = pictures.spectrogram(tmp_path, "any", "Any", small_run.sound(seconds), config)
    check(plot, f"{seconds:.2f} seconds")


def test_silence_has_a_spectrogram_too(tmp_path):
    check(pictures.spectrogram(tmp_path, "any", "Any", np.zeros(8_000), small_run.config()))


def test_a_stream_with_what_was_said_and_heard(tmp_path):
    draw = np.random.default_rng(0)
    events = (Event(1, 2, "no", 0), Event(3, 4, "unknown", 1), Event(8, 9, "yes", 2))
    heard = stream_evaluation.Heard(draw.dirichlet(np.ones(4), 300), events, 10.0)
    hits = [Detection(1.5, "no", 0.9), Detection(8.5, "yes", 0.8)]
    plot = pictures.stream(tmp_path, heard, hits, small_run.NAMES, 0.032, 0.032, 5.0)
    check(plot, "said: no, unknown;", "detected: no at 1.5 s.")
    check(pictures.stream(tmp_path, heard, [], small_run.NAMES, 0.032, 0.032, 5.0), "nothing")
