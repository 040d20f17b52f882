"""Features of a whole part are those of its recordings one by one, however they were computed."""

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from apps.speech_commands.config import AudioConfig, AugmentationConfig, Config
from apps.speech_commands.recordings import Part, Recording
from apps.suite import errors
from apps.suite.sounds import augmentation, feature_cache, features

CONFIG = Config(audio=AudioConfig(sample_rate_hz=8_000))
LABELS = ("high", "low")
ROOT = Path(__file__).resolve().parents[4]


@dataclasses.dataclass(frozen=True)
class Tones:
    """A part of made recordings; a few can be unreadable, or slow."""

    count: int
    unreadable: int = -1
    fatal: int = -1  # ends the process that reads it
    seconds: float = 0.0
    counter: str = ""  # file to which a byte is added for each waveform that is read

    @property
    def recordings(self):
        return tuple(
            Recording(f"{LABELS[i % 2]}/{i}.wav", LABELS[i % 2], "") for i in range(self.count)
        )

    def waveform(self, index):
        if index == self.unreadable:
            raise errors.UserError(f"high/{index}.wav: no sound; record it anew")
        if index == self.fatal and multiprocessing.parent_process() is not None:
            os._exit(1)
        time.sleep(self.seconds)
        if self.counter:
            with Path(self.counter).open("ab") as file:
                file.write(b"x")
        generator = np.random.default_rng(index)
        samples = np.arange(generator.integers(1, 6_000))
        noise = generator.normal(0, 0.01, len(samples))
        return (noise + 0.5 * np.sin((0.1 + index % 2) * samples)).astype(np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_TASKS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def extracted(part, config=CONFIG, **options):
    options = {"fingerprint": "1", "title": "train", "processes": 1, **options}
    return feature_cache.extracted(part, LABELS, config, **options)


def reads(part):
    file = Path(part.counter)
    return file.stat().st_size if file.exists() else 0


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_examples_are_the_recordings_and_then_their_copies():
    part, noise = Tones(7), (np.random.default_rng(0).normal(size=9_000).astype(np.float32),)
    found = extracted(part, copies=2, noise=noise)
    assert found.frames.dtype == np.float32
    np.testing.assert_array_equal(found.recordings, np.repeat(np.arange(7), 3))
    np.testing.assert_array_equal(found.labels, np.repeat([0, 1, 0, 1, 0, 1, 0], 3))
    assert found.labels.dtype == found.recordings.dtype == np.int32
    assert found.starts[0] == 0
    assert found.starts[-1] == len(found.frames)
    examples = np.split(found.frames, found.starts[1:-1])
    for index in range(7):
        expected = features.extract(part.waveform(index), CONFIG.audio, CONFIG.features)
        np.testing.assert_array_equal(examples[3 * index], expected)
        for copy in (1, 2):
            altered = examples[3 * index + copy]
            assert altered.shape != expected.shape or np.abs(altered - expected).max() > 0.1
    assert not np.array_equal(examples[1], examples[2])


def test_a_copy_does_not_depend_on_the_other_recordings_and_copies_of_a_part():
    few, many = extracted(Tones(3), copies=1), extracted(Tones(5), copies=3)
    np.testing.assert_array_equal(
        few.frames[few.starts[5] : few.starts[6]], many.frames[many.starts[9] : many.starts[10]]
    )


def test_copies_follow_the_seed():
    first = extracted(Tones(3), copies=1)
    other = extracted(Tones(3), dataclasses.replace(CONFIG, seed=1), copies=1)
    np.testing.assert_array_equal(*(each.frames[: each.starts[1]] for each in (first, other)))
    assert first.frames.shape != other.frames.shape or (first.frames != other.frames).any()


def test_what_was_extracted_is_not_extracted_again(tmp_path, capsys):
    part = Tones(20, counter=str(tmp_path / "reads"))
    first = extracted(part, copies=1)
    assert reads(part) == 20
    assert_same(extracted(part, copies=1), first)
    assert reads(part) == 20
    done, kept = capsys.readouterr().out.splitlines()
    assert done.startswith("train: features of 40 clips (20 and 1 altered copies of each) in ")
    assert kept == "train: features of 40 clips (20 and 1 altered copies of each) are kept"
    assert isinstance(first.frames, np.memmap)


def replaced(field, **changes):
    return dataclasses.replace(
        CONFIG, **{field: dataclasses.replace(getattr(CONFIG, field), **changes)}
    )


def test_whatever_decides_the_numbers_decides_what_is_taken_from_the_cache(tmp_path):
    part = Tones(3, counter=str(tmp_path / "reads"))
    noise = (np.ones(99, np.float32),)
    settings = [
        {},
        {"fingerprint": "2"},
        {"copies": 1},
        {"copies": 1, "noise": noise},
        {"copies": 1, "noise": (2 * noise[0],)},
        {"copies": 1, "config": replaced("augmentation", highest_gain_db=1.0)},
        {"config": replaced("features", kind="pcen")},
        {"config": replaced("features", hop_milliseconds=10.0)},
        {"config": replaced("audio", clip_seconds=2.0)},
        {"config": dataclasses.replace(CONFIG, seed=5)},
        {"part": dataclasses.replace(part, count=4)},
    ]
    for count, setting in enumerate(settings, 1):
        before = reads(part)
        extracted(**{"part": part, **setting})
        assert reads(part) > before, setting
        assert len(list((tmp_path / "cache" / "speech_features").iterdir())) == count
    before = reads(part)
    for setting in (
        {"noise": noise},  # no copy to mix it into
        {"config": replaced("augmentation", highest_gain_db=1.0)},
        {"copies": 1, "config": replaced("augmentation", band_masks=0, copies=77)},
        {"config": replaced("model", units=7)},
    ):
        extracted(part, **setting)
        assert reads(part) == before, setting


def test_processes_do_what_one_does(tmp_path, monkeypatch):
    part = Tones(450, counter=str(tmp_path / "reads"))
    found = extracted(part, processes=2)
    monkeypatch.setenv("LSTM_TASKS_CACHE", str(tmp_path / "other"))
    assert_same(found, extracted(dataclasses.replace(part, counter="")))
    assert reads(part) == 450


@dataclasses.dataclass(frozen=True)
class Watched:
    """Another part, whose clips are to be read by processes without TensorFlow."""

    part: Part

    @property
    def recordings(self):
        return self.part.recordings

    def waveform(self, index):
        assert "tensorflow" not in sys.modules
        return self.part.waveform(index)


def test_the_embedded_data_go_through_processes_with_their_noise():
    from apps.speech_commands import data  # loads TensorFlow; the processes import this file

    config = Config(data="spoken_commands/small")
    corpus = data.load(config)
    options = {"copies": 1, "noise": corpus.noise, "title": "train"}
    several, one = (
        feature_cache.extracted(
            part, corpus.label_names, config, fingerprint=name, processes=processes, **options
        )
        for part, name, processes in ((Watched(corpus.train), "2", 2), (corpus.train, "1", 1))
    )
    assert_same(several, one)
    assert set(one.labels) == set(range(len(corpus.label_names)))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_recording_that_cannot_be_read_is_told_in_its_own_line(processes, tmp_path):
    part = Tones(450, unreadable=300)
    with pytest.raises(errors.UserError, match=r"^high/300\.wav: no sound; record it anew$"):
        extracted(part, processes=processes)
    mended = dataclasses.replace(part, unreadable=-1, counter=str(tmp_path / "reads"))
    assert len(extracted(mended, processes=processes).labels) == 450
    assert reads(mended) <= 250  # the shards before it were kept


def test_a_process_that_dies_is_told_and_the_next_call_goes_on(tmp_path):
    part = Tones(450, fatal=440, counter=str(tmp_path / "reads"))
    with pytest.raises(errors.UserError, match="goes on where it stopped"):
        extracted(part, processes=2)
    before = reads(part)
    assert len(extracted(part).labels) == 450
    assert reads(part) - before <= 450


@pytest.mark.slow
def test_an_extraction_that_was_killed_goes_on_where_it_was_and_leaves_no_process(tmp_path):
    part = Tones(2_000, seconds=0.002, counter=str(tmp_path / "reads"))
    program = (
        "from tests.apps.suite.sounds import test_feature_cache as own\n"
        "if __name__ == '__main__':\n"
        f"    own.extracted(own.{part!r}, processes=2)\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, script], cwd=ROOT, env=environment)
    shards = tmp_path / "cache" / "speech_features"
    while process.poll() is None and len(list(shards.glob("*/shards/shard-*"))) < 3:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1.0)  # its workers notice
    after_the_end = reads(part)
    assert 400 < after_the_end < 1_600
    time.sleep(0.5)
    assert reads(part) == after_the_end
    part = dataclasses.replace(part, seconds=0.0)
    found = extracted(part)
    assert reads(part) - after_the_end <= 1_400
    assert not list(shards.glob("*/shards"))
    assert not list(shards.rglob(".partial-*"))
    assert_same(found, extracted(part, fingerprint="2"))


@pytest.mark.parametrize("file", ["frames.npy", "starts.npy"])
def test_files_that_were_damaged_are_written_anew(file, tmp_path, cache):
    part = Tones(5)
    expected = [each.copy() for each in extracted(part)]
    (damaged,) = cache.rglob(file)
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert_same(extracted(part), expected)


def test_an_empty_part_has_no_features():
    found = extracted(Tones(0), copies=3)
    assert found.frames.shape == (0, 40)
    np.testing.assert_array_equal(found.starts, [0])


def test_features_that_do_not_fit_the_audio_are_refused_before_anything_is_written(cache):
    with pytest.raises(errors.UserError, match=r"^features\.mel_bands: "):
        extracted(Tones(2), replaced("features", mel_bands=999))
    assert not list(cache.rglob("*"))


def test_the_copies_are_those_of_augmentation(monkeypatch):
    """With nothing to draw from, a copy is the recording."""
    nothing = AugmentationConfig(
        highest_speed_change=0.0,
        highest_shift_seconds=0.0,
        noise_probability=0.0,
        highest_gain_db=0.0,
        highest_band_warp=0.0,
    )
    found = extracted(Tones(2), dataclasses.replace(CONFIG, augmentation=nothing), copies=1)
    examples = np.split(found.frames, found.starts[1:-1])
    np.testing.assert_array_equal(examples[0], examples[1])
    altered, _ = augmentation.alter(
        Tones(2).waveform(0), (), CONFIG.audio, nothing, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(altered, Tones(2).waveform(0))
