"""Streams hold every clip once, where they say, and the same ones for the same seed."""

import numpy as np
import pytest

from apps.speech_commands import recordings, stream_evaluation

RATE = 1_000


class Tones:
    """A part with a tone of its own frequency and length for every recording."""

    def __init__(self, count=40):
        labels = ("no", "yes", "unknown", "silence")
        self.recordings = tuple(
            recordings.Recording(f"{at}.wav", labels[at % 4], "") for at in range(count)
        )

    def waveform(self, index):
        times = np.arange(400 + 10 * index) / RATE
        return (0.5 * np.sin(2 * np.pi * (50 + 5 * index) * times)).astype(np.float32)


@pytest.fixture(scope="module")
def streams():
    return list(stream_evaluation.lay_out(Tones(), RATE, seed=3, stream_seconds=20))


def events(streams):
    return [(stream, event) for stream in streams for event in stream.events]


def test_every_clip_comes_once_and_in_another_order(streams):
    order = [event.recording for _, event in events(streams)]
    assert sorted(order) == list(range(40))
    assert order != sorted(order)


def test_a_clip_is_where_its_event_says_and_its_label_is_right(streams):
    part = Tones()
    for stream, event in events(streams):
        clip = part.waveform(event.recording)
        heard = stream_evaluation.excerpt(stream, event, RATE)
        assert event.label == part.recordings[event.recording].label
        assert heard.shape == clip.shape
        assert np.corrcoef(heard, clip)[0, 1] > 0.99


def test_pauses_have_low_noise_and_lengths_between_their_limits(streams):
    for stream in streams:
        ends = [0.0, *(event.end_seconds for event in stream.events)]
        starts = [*(event.start_seconds for event in stream.events), len(stream.samples) / RATE]
        pauses = np.subtract(starts, ends)
        assert pauses.min() >= stream_evaluation.SHORTEST_PAUSE_SECONDS - 1e-3
        assert pauses.max() <= stream_evaluation.LONGEST_PAUSE_SECONDS + 1e-3
        first = stream.samples[: round(starts[0] * RATE)]
        level = 20 * np.log10(first.std() / (0.5 / np.sqrt(2)))
        assert -36 < level < -24  # less than a second of it: near the level of the whole
        assert stream.samples.dtype == np.float32


def test_streams_are_as_long_as_asked_and_the_last_one_ends_with_the_clips(streams):
    lengths = [len(stream.samples) / RATE for stream in streams]
    assert all(20 <= length < 25 for length in lengths[:-1])
    assert lengths[-1] < 25


def test_the_seed_decides(streams):
    again = list(stream_evaluation.lay_out(Tones(), RATE, seed=3, stream_seconds=20))
    for one, other in zip(streams, again, strict=True):
        assert one.events == other.events
        np.testing.assert_array_equal(one.samples, other.samples)
    other = next(stream_evaluation.lay_out(Tones(), RATE, seed=4, stream_seconds=20))
    assert other.events != streams[0].events


def test_large_parts_are_sampled():
    drawn = list(stream_evaluation.lay_out(Tones(), RATE, seed=0, most_clips=7))
    kept = [event.recording for _, event in events(drawn)]
    assert len(kept) == len(set(kept)) == 7


def test_what_is_listened_for_are_the_words():
    assert stream_evaluation.spoken_words(("no", "yes", "silence", "unknown")) == ("no", "yes")


@pytest.mark.parametrize("samples", [1, 2, 999, 64_000])
def test_pink_noise_has_a_level_of_1_and_as_much_in_every_octave(samples):
    noise = stream_evaluation.pink_noise(samples, 16_000, np.random.default_rng(0))
    assert noise.shape == (samples,)
    if samples > 10_000:
        assert np.sqrt(np.mean(noise**2)) == pytest.approx(1, rel=1e-3)
        power = np.abs(np.fft.rfft(noise)) ** 2
        octaves = [power[samples // 2**at : samples // 2 ** (at - 1)].sum() for at in range(2, 8)]
        assert max(octaves) < 1.5 * min(octaves)
        assert power[: 49 * samples // 16_000].sum() < 1e-9 * power.sum()
