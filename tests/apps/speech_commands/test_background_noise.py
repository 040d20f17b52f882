from pathlib import Path

import numpy as np
import pytest

from apps.speech_commands import data, recordings
from apps.suite import errors
from tests.apps.speech_commands.recorded_words import RATE_HZ, write

SECONDS = 20


@pytest.fixture
def file(tmp_path):
    noise = 0.1 * np.random.default_rng(0).normal(size=SECONDS * RATE_HZ)
    return write(tmp_path / "_background_noise_" / "tap.wav", noise)


def span(place):
    return range(place.first_frame, place.first_frame + place.frames)


def test_parts_share_no_sample_of_the_noise(file):
    found = data.noise_stretches([file])
    spans = [span(places[0]) for places in found.values()]
    assert [len(each) for each in spans] == [112_000, 24_000, 24_000]
    assert [spans[0].start, spans[0].stop, spans[1].stop, spans[2].stop] == [
        0,
        spans[1].start,
        spans[2].start,
        SECONDS * RATE_HZ,
    ]


def test_clips_of_silence_stay_within_their_stretch(file):
    for number, places in enumerate(data.noise_stretches([file]).values()):
        made = data.silence(places, 50, 1.0, seed=(0, number))
        assert len(made) == 50
        for recording, place in made:
            assert (recording.label, recording.speaker) == (recordings.SILENCE, "")
            assert recording.name.startswith("_background_noise_/tap.wav at ")
            assert set(span(place)) <= set(span(places[0]))
            assert place.frames == RATE_HZ
        assert len({place for _, place in made}) > 40


def test_the_seed_alone_decides_which_clips(file):
    places = data.noise_stretches([file])["train"]
    clips = [data.silence(places, 5, 1.0, seed) for seed in ((0, 0), (0, 0), (1, 0))]
    assert clips[0] == clips[1] != clips[2]


def test_longer_recordings_give_more_clips(file, tmp_path):
    short = write(tmp_path / "short.wav", np.ones(2 * RATE_HZ) * 0.1)
    places = data.noise_stretches([short, file])["train"]
    made = data.silence(places, 200, 1.0, (0, 0))
    assert 0 < sum(Path(place.file).name == "short.wav" for _, place in made) < 50


def test_stretches_shorter_than_a_clip_give_none(file):
    places = data.noise_stretches([file])["test"]
    assert not data.silence(places, 5, 3.5, (0, 0))


def test_of_hours_of_noise_the_beginning_is_taken(tmp_path):
    long = write(tmp_path / "long.wav", np.zeros(400 * 1_000, np.int16), 1_000)
    assert span(data.noise_stretches([long])["test"][0]).stop == 300_000


def test_noise_that_is_no_sound_is_said(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(errors.UserError, match=r"a\.wav: cannot be read as audio"):
        data.noise_stretches([tmp_path / "a.wav"])
