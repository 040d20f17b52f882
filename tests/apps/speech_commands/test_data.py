import collections
import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import pytest

from apps.speech_commands import config as configs
from apps.speech_commands import data, recordings
from apps.suite import errors
from tests.apps.speech_commands import sounds
from tests.apps.speech_commands.recorded_words import RATE_HZ, tone, write, write_csv, write_words


def load(path, seed=0, **audio):
    audio = configs.AudioConfig(**{"sample_rate_hz": RATE_HZ, "clip_seconds": 0.1, **audio})
    return data.load(configs.Config(data=str(path), seed=seed, audio=audio))


def labels(part):
    return collections.Counter(recording.label for recording in part.recordings)


@pytest.fixture
def folder(tmp_path):
    """Three words by six voices, and 20 s of noise."""
    write_words(tmp_path / "mine", ["yes", "no", "bed"], speakers="abcdef", takes=4)
    noise = 0.1 * np.random.default_rng(0).normal(size=20 * RATE_HZ)
    write(tmp_path / "mine" / "_background_noise_" / "tap.wav", noise)
    return tmp_path / "mine"


def test_own_words_are_divided_by_voice_and_silence_is_made(folder):
    corpus = load(folder)
    assert corpus.label_names == ("bed", "no", "yes", "silence")
    assert corpus.split == "by speaker: 4 voices train, 1 validation, 1 test"
    assert (corpus.name, corpus.licence, corpus.source) == ("mine", "your own", str(folder))
    assert labels(corpus.train) == {"yes": 16, "no": 16, "bed": 16, "silence": 5}
    assert labels(corpus.test) == {"yes": 4, "no": 4, "bed": 4, "silence": 1}
    assert [len(noise) for noise in corpus.noise] == [14 * RATE_HZ]


def test_every_recording_is_its_file(folder):
    corpus = load(folder)
    written = write_words(folder.parent / "again", ["yes", "no", "bed"], "abcdef", 4)
    for part in (corpus.train, corpus.validation, corpus.test):
        for index, recording in enumerate(part.recordings):
            if recording.label == "silence":
                continue
            heard = part.waveform(index)
            assert recording.name.startswith(f"{recording.label}/{recording.speaker}_nohash_")
            expected = tone(100 + written.index(recording.name))
            np.testing.assert_allclose(heard, expected, atol=4e-5)


def test_a_label_silence_of_the_user_s_own_is_left_alone(folder):
    write_words(folder, ["silence"], speakers=["a"], takes=1)
    for part in ("b", "c", "d", "e", "f"):
        write_words(folder, ["silence"], speakers=[part], takes=1)
    assert labels(load(folder).train)["silence"] == 4


def test_other_words_than_the_chosen_are_unknown(folder):
    corpus = load(folder, words=("yes", "no"))
    assert corpus.label_names == ("no", "yes", "silence", "unknown")
    assert {r.name.split("/")[0] for r in corpus.train.recordings if r.label == "unknown"} == {
        "bed"
    }


def test_silence_is_noise_for_training_where_there_is_no_other(tmp_path):
    rows = [f"{w}{n}.wav,{w}" for w in ("yes", "no") for n in range(6)]
    for number in range(6):
        write(tmp_path / f"s{number}.wav", 0.01 * tone(50 + number))
        rows.append(f"s{number}.wav,silence")
    write(tmp_path / "zeros.wav", np.zeros(800))
    corpus = load(write_csv(tmp_path / "w.csv", *rows, "zeros.wav,silence"))
    assert 3 <= len(corpus.noise) <= 5
    assert all(0.003 < np.sqrt(np.mean(noise**2)) < 0.005 for noise in corpus.noise)
    assert not load(write_csv(tmp_path / "words.csv", *rows[:12])).noise


def test_a_part_is_read_in_a_process_that_has_no_tensorflow(folder, tmp_path):
    corpus = load(folder)
    (tmp_path / "part.pickle").write_bytes(pickle.dumps(corpus.test))
    lines = [
        "import pickle, sys",
        "part = pickle.load(open(sys.argv[1], 'rb'))",
        "print(sum(len(part.waveform(i)) for i in range(len(part.recordings))))",
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines), str(tmp_path / "part.pickle")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == 800 * len(corpus.test.recordings)


def test_the_fingerprint_follows_all_that_counts(folder):
    def fingerprint(**audio):
        return load(folder, **audio).fingerprint

    first = fingerprint()
    assert fingerprint() == first
    assert len({first, fingerprint(words=("yes", "no")), fingerprint(test_fraction=0.4)}) == 3
    write(folder / "yes" / "a_nohash_0.wav", tone(999))
    second = fingerprint()
    (folder / "yes" / "a_nohash_1.wav").rename(folder / "no" / "a_nohash_9.wav")
    third = fingerprint()
    write(folder / "_background_noise_" / "tap.wav", np.full(20 * RATE_HZ, 0.1))
    assert len({first, second, third, fingerprint()}) == 4


def test_the_fingerprint_does_not_follow_the_folder_s_place(folder):
    first = load(folder).fingerprint
    assert load(folder.rename(folder.with_name("elsewhere"))).fingerprint == first


def test_the_seed_draws_the_division(folder):
    drawn = [load(folder, seed=seed) for seed in (0, 0, 1, 2, 3, 4)]
    voices = [{recording.speaker for recording in each.test.recordings} for each in drawn]
    assert voices[0] == voices[1]
    assert len(set(map(frozenset, voices))) > 1
    assert drawn[0] == dataclasses.replace(drawn[1], noise=drawn[0].noise)


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (
            [f"{n}.wav,yes" for n in range(9)],
            "path,label",
            "two labels or more are needed, the train part has 'yes'",
        ),
        (
            [
                *[f"{n}.wav,{w},train" for n, w in enumerate("abab")],
                "4.wav,a,validation",
                "5.wav,c,test",
            ],
            "path,label,part",
            r"label 'c' is in test \(5\.wav\) and not in train",
        ),
        (
            [*[f"{n}.wav,{w},train" for n, w in enumerate("abab")], "4.wav,z,validation"],
            "path,label,part",
            "label 'z' is in validation",
        ),
        (["1.wav,a", "2.wav,b", "3.wav,b"], "path,label", "1 recordings of 'a' are too few"),
    ],
)
def test_what_cannot_be_learned(tmp_path, rows, header, message):
    file = write_csv(tmp_path / "words.csv", *rows, header=header)
    with pytest.raises(errors.UserError, match=message):
        load(file)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("yes/broken.wav", b"RIFF", "cannot be read as audio|declares no samples"),
        ("no/empty.flac", b"", "cannot be read as audio"),
        ("_background_noise_/broken.wav", b"no sound", "cannot be read as audio"),
    ],
)
def test_a_recording_that_is_none_is_said_before_any_work(folder, name, content, message):
    (folder / name).write_bytes(content)
    with pytest.raises(errors.UserError, match=f"{name}: .*({message})"):
        load(folder)


@pytest.mark.parametrize("name", ["./nowhere", "nowhere.csv", "~/nowhere", "/nowhere"])
def test_a_path_that_is_not_there(name):
    with pytest.raises(errors.UserError, match="no such file or folder"):
        load(name)


def test_a_set_that_is_not_there():
    with pytest.raises(errors.UserError, match="no such path and no such data set"):
        load("spoken_comands_of_nobody")


@pytest.fixture(scope="module")
def small(own_sets):
    return load("spoken_commands/small", sample_rate_hz=16_000)


def test_the_embedded_set_comes_with_its_voices_and_its_noise(small):
    assert small.label_names == ("go", "no", "stop", "yes", "silence", "unknown")
    assert small.split == (
        "by the splits of spoken_commands/small/1.1.0: 4 voices train, 2 validation, 2 test"
    )
    assert labels(small.train) == {
        **dict.fromkeys(("go", "no", "stop", "yes"), 30),
        "silence": 20,
        "unknown": 40,
    }
    assert len(small.noise) == 20
    assert {noise.shape for noise in small.noise} == {(16_000,)}
    assert small.train.waveform(0).shape == (16_000,)
    assert recordings.Recording("test/00000", "x", "y").name == small.test.recordings[0].name


def test_real_recordings_in_a_folder_and_in_a_csv(tmp_path):
    files = sounds.spoken_files(3000)
    rows = []
    for file in files:
        digit, speaker, take = file.stem.split("_")
        word = tmp_path / "words" / digit
        word.mkdir(parents=True, exist_ok=True)
        (word / f"{speaker}_nohash_{take}.wav").symlink_to(file.resolve())
        part = "test" if int(take) < 5 else "validation" if int(take) < 10 else "train"
        rows.append(f"{file.resolve()},{digit},{speaker},{part}")
    by_voice = load(tmp_path / "words")
    assert by_voice.split == "by speaker: 4 voices train, 1 validation, 1 test"
    official = tmp_path / "official.csv"
    official.write_text("\n".join(["path,label,speaker,part", *rows]))
    given = load(official)
    parts = (given.train, given.validation, given.test)
    assert [len(part.recordings) for part in parts] == [2400, 300, 300]
    assert given.split.endswith("6 of the test's are heard in training too")
    assert 0.001 < np.abs(given.test.waveform(7)).max() < 1.1
