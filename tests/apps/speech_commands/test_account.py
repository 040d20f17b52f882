"""The window of a stream follows the recordings, and a training says what it understood."""

import dataclasses

import numpy as np
import pytest

from apps.speech_commands import account, data, evaluate
from apps.speech_commands import config as configs
from apps.suite import errors
from apps.suite.sounds import sound_files
from tests.apps.speech_commands.recorded_words import RATE_HZ, write, write_words


def load(path, **audio):
    audio = configs.AudioConfig(sample_rate_hz=RATE_HZ, **audio)
    return data.load(configs.Config(data=str(path), audio=audio))


def spoken(folder, seconds, words=("yes", "no"), suffix="wav", speakers="abcdef"):
    noise = np.random.default_rng(0)
    for word in words:
        for speaker in speakers:
            samples = 0.1 * noise.normal(size=int(seconds * RATE_HZ))
            write(folder / word / f"{speaker}_nohash_0.{suffix}", samples)
    return folder


@pytest.mark.parametrize(
    ("lengths", "window"),
    [
        ([1.0] * 50, 1.0),  # the clips of the data sets by name
        ([0.3] * 10, 0.3),
        ([0.61] * 10, 0.7),
        ([*[1.9] * 9, 30.0], 1.9),  # one that nobody cut
        ([0.04], 0.1),
        ([], 1.0),
    ],
)
def test_the_window_of_a_stream_holds_nine_in_ten_recordings(lengths, window):
    assert data.window(None, lengths) == (pytest.approx(window), ())


def test_a_window_that_is_set_stays_and_a_misfit_is_told():
    assert data.window(1.0, [0.9] * 9 + [2.0]) == (1.0, ())
    length, (told,) = data.window(1.0, [1.9] * 91 + [0.5] * 9)
    assert length == 1.0
    assert "audio.clip_seconds 1 is shorter than 91% of the recordings" in told
    assert "the window is 1.9 s" in told
    length, (told,) = data.window(3.0, [0.5] * 10)
    assert length == 3.0
    assert "twice as long" in told


def test_silence_is_cut_as_long_as_the_recordings(tmp_path):
    spoken(tmp_path, 0.5)
    write(tmp_path / "_background_noise_" / "fan.wav", np.random.default_rng(1).normal(size=80_000))
    corpus = load(tmp_path)
    silent = [r.label for r in corpus.train.recordings].index("silence")
    assert len(corpus.train.waveform(silent)) == RATE_HZ // 2
    assert load(tmp_path, clip_seconds=0.2).clip_seconds == 0.2


def test_sounds_of_every_kind_and_in_every_folder_are_learned_and_told(tmp_path):
    spoken(tmp_path, 0.5)
    spoken(tmp_path, 0.5, suffix="mp3", speakers="gh")
    spoken(tmp_path, 0.5, words=("yes/monday", "no/monday"), speakers="ijk")
    for name in ("yes/a.m4a", "yes/read me.txt"):
        (tmp_path / name).write_text("not read")
    corpus = load(tmp_path)
    told = dict(line.split("  ", 1) for line in account.of(corpus).splitlines())
    told = {heading: text.strip() for heading, text in told.items()}
    assert told["data"] == f"{tmp_path.name}: 22 clips (18 wav, 4 mp3)"
    assert told["labels"] == "2: no 11, yes 11"
    assert told["speakers"] == "11"
    assert told["lengths"] == "0.50 s each"
    assert told["window"] == "0.5 s of a stream are judged at a time"
    assert told["parts"].endswith(corpus.split)
    assert "no/monday" in told["note"]
    assert told["not read"].startswith("2 files: yes/a.m4a, yes/read me.txt")


def test_a_list_of_other_files_is_refused_before_anything_is_divided(tmp_path):
    write_words(tmp_path, ["yes", "no"], speakers="abcdef", takes=1)
    (tmp_path / "testing_list.txt").write_text("words/yes/a_nohash_0.wav\n")
    with pytest.raises(errors.UserError, match=r"testing_list\.txt: no line names a file"):
        load(tmp_path)


def test_the_recording_that_is_offered_next_is_of_the_run_s_own_words(tmp_path):
    spoken(tmp_path / "mine", 0.5)
    config = configs.Config(audio=configs.AudioConfig(sample_rate_hz=RATE_HZ))
    corpus = load(tmp_path / "mine")
    offered = evaluate._example(corpus, config, tmp_path)
    assert offered == str(tmp_path / "mine" / corpus.test.recordings[0].name)
    default = dataclasses.replace(corpus, name="spoken_commands", source="https://a.set")
    assert evaluate._example(default, config, tmp_path) == str(tmp_path / "example.wav")
    heard = sound_files.read(tmp_path / "example.wav", RATE_HZ)
    np.testing.assert_allclose(heard, corpus.test.waveform(0), atol=1e-4)
    both = dataclasses.replace(default, label_names=("go", "stop", "yes"))
    assert evaluate._example(both, config, tmp_path) == evaluate.EXAMPLE
