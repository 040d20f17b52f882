"""The served graph hears what training heard: parity with librosa, and chunks with the whole."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.speech_commands import data
from apps.speech_commands.config import AudioConfig, Config, FeatureConfig
from apps.suite.sounds import features as reference_features
from apps.suite.sounds import served_features
from tests.apps.speech_commands import sounds

OPTIONS = {
    "log_mel": {},
    "mfcc": {"kind": "mfcc"},
    "pcen": {"kind": "pcen"},
    "htk scale, peaks of 1": {"mel_scale": "htk", "mel_norm": "none", "mel_bands": 26},
    "a window that is no power of two": {"window_milliseconds": 25.0, "hop_milliseconds": 10.0},
    "odd sizes": {"window_milliseconds": 31.1, "hop_milliseconds": 8.7},
    "no overlap": {"window_milliseconds": 32.0, "hop_milliseconds": 32.0},
    "centre": {"centre": True},
    "centre, odd sizes": {"centre": True, "window_milliseconds": 31.1, "hop_milliseconds": 8.7},
    "deltas": {"deltas": True},
    "mfcc with deltas, centre": {"kind": "mfcc", "deltas": True, "centre": True},
    "pcen, other sizes": {"kind": "pcen", "window_milliseconds": 25.0, "hop_milliseconds": 10.0},
    "pcen with deltas": {"kind": "pcen", "deltas": True},
}
STREAMING = [name for name in OPTIONS if "centre" not in name and "deltas" not in name]


def setting(rate, name):
    return AudioConfig(sample_rate_hz=rate), FeatureConfig(**OPTIONS[name])


def in_graph(audio, features):
    return tf.function(
        lambda waveforms: served_features.whole(waveforms, audio, features),
        input_signature=[tf.TensorSpec([None, None], tf.float32)],
        autograph=False,
    )


def relative_difference(served, reference, kinds):
    """The greatest difference over the greatest value, of each kind of feature by itself."""
    assert served.shape == reference.shape
    worst = 0.0
    for ours, theirs in zip(
        np.split(served, kinds, axis=1), np.split(reference, kinds, axis=1), strict=True
    ):
        # Slopes of a sound that does not change are rounding in both.
        scale = max(np.abs(theirs).max(), 1e-3 * np.abs(reference).max(), 1e-12)
        worst = max(worst, np.abs(ours.astype(np.float64) - theirs).max() / scale)
    return worst


@pytest.mark.parametrize("source", ["made sounds", "real speech"])
@pytest.mark.parametrize(
    ("rate", "name"),
    [(16_000, name) for name in OPTIONS]
    + [(rate, kind) for rate in (8_000, 11_025, 44_100) for kind in ("log_mel", "mfcc", "pcen")],
)
def test_served_features_are_librosas(rate, name, source):
    audio, features = setting(rate, name)
    served = in_graph(audio, features)
    waveforms = (
        sounds.hard(rate) if source == "made sounds" else dict(enumerate(sounds.spoken(rate)))
    )
    for sound, waveform in waveforms.items():
        reference = reference_features.extract(waveform, audio, features)
        difference = relative_difference(
            served(waveform[None])[0].numpy(), reference, 3 if features.deltas else 1
        )
        assert difference < 1e-4, sound


@pytest.fixture(scope="module")
def spoken_commands(tmp_path_factory):
    """Test clips of the embedded data: words, other words and noises."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSTM_TASKS_CACHE", str(tmp_path_factory.mktemp("cache")))
        part = data.load(Config(data="spoken_commands/small")).test
        return [part.waveform(index) for index in range(len(part.recordings))]


@pytest.mark.parametrize("name", ["log_mel", "mfcc", "pcen"])
def test_served_features_of_the_embedded_data_are_librosas(name, spoken_commands):
    audio, features = setting(16_000, name)
    served = in_graph(audio, features)(np.stack(spoken_commands)).numpy()
    for ours, waveform in zip(served, spoken_commands, strict=True):
        reference = reference_features.extract(waveform, audio, features)
        assert relative_difference(ours, reference, 1) < 1e-5


@pytest.mark.parametrize("name", ["log_mel", "mfcc with deltas, centre", "pcen"])
def test_rows_of_a_batch_do_not_touch_each_other(name):
    audio, features = setting(8_000, name)
    waveforms = np.random.default_rng(0).normal(0, 0.1, (5, 3_000)).astype(np.float32)
    waveforms[2] = 0
    waveforms[3] *= 30
    served = in_graph(audio, features)
    together = served(waveforms).numpy()
    for row, waveform in enumerate(waveforms):
        np.testing.assert_allclose(together[row], served(waveform[None])[0], rtol=1e-5, atol=1e-4)
    assert served(waveforms[:0]).shape[::2] == (0, reference_features.channel_count(features))


def chunks_of(waveforms, sizes, audio, features):
    """Features of a stream that comes in pieces of these sizes, then the rest."""

    def cut(samples, state):
        return served_features.chunk(samples, state, audio, features)

    state = served_features.initial_state(len(waveforms), audio, features)
    shapes = {key: tf.TensorSpec([None, None], tf.float32) for key in state}
    graph = tf.function(
        cut, input_signature=[tf.TensorSpec([None, None], tf.float32), shapes], autograph=False
    )
    found = []
    for piece in np.split(waveforms, np.minimum(np.cumsum(sizes), waveforms.shape[1]), axis=1):
        frames, state = graph(piece, state)
        found.append(frames.numpy())
    return np.concatenate(found, axis=1), state


@pytest.mark.parametrize("name", STREAMING)
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_chunks_of_any_size_put_together_are_the_whole(rate, name):
    audio, features = setting(rate, name)
    generator = np.random.default_rng(len(name))
    waveforms = np.stack([sounds.hard(rate)[kind] for kind in ("noise", "clipped", "zeros")])
    expected = in_graph(audio, features)(waveforms).numpy()
    scale = np.abs(expected).max()
    for sizes in (
        generator.integers(0, 700, 20),
        generator.choice([0, 1, 2, 160], 60),
        [waveforms.shape[1]],
        [],
        np.full(3, 1),
    ):
        found, state = chunks_of(waveforms, sizes, audio, features)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-5 * scale
        assert state["samples"].shape[1] < reference_features.frame_sizes(audio, features).window


def test_a_stream_whose_samples_come_one_by_one_is_the_whole():
    audio, features = setting(8_000, "pcen")
    waveforms = sounds.hard(8_000)["word in noise"][None, 1500:2200]
    found, _ = chunks_of(waveforms, np.ones(700, int), audio, features)
    expected = served_features.whole(tf.constant(waveforms), audio, features).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_a_long_stream_of_pcen_is_librosas():
    """Longer than any weight that float32 can hold, so that old frames are really forgotten."""
    audio, features = setting(8_000, "pcen")
    generator = np.random.default_rng(1)
    waveform = generator.normal(0, 0.01, 50 * 8_000).astype(np.float32)
    waveform *= np.repeat(generator.choice([0.01, 1.0, 30.0], 50), 8_000).astype(np.float32)
    reference = reference_features.extract(waveform, audio, features)
    served = served_features.whole(tf.constant(waveform[None]), audio, features)[0].numpy()
    assert relative_difference(served, reference, 1) < 1e-4


@pytest.mark.parametrize("change", [{"centre": True}, {"deltas": True}])
def test_features_that_need_the_future_have_no_stream(change):
    audio, features = AudioConfig(), dataclasses.replace(FeatureConfig(), **change)
    with pytest.raises(ValueError, match="not for streams"):
        served_features.initial_state(1, audio, features)


def test_the_graph_holds_stock_operations_and_no_python():
    audio, features = setting(16_000, "pcen")
    graph = in_graph(audio, features).get_concrete_function().graph
    kinds = {
        node.op
        for held in (graph.as_graph_def(), *graph.as_graph_def().library.function)
        for node in (held.node if hasattr(held, "node") else held.node_def)
    }
    assert "RFFT" in kinds
    assert not [kind for kind in kinds if "Py" in kind or "Xla" in kind]
