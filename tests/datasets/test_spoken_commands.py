import collections
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps.suite.data import named_sets

FOLDER = Path(__file__).resolve().parents[2] / "datasets/spoken_commands"
PARTS = ("train", "validation", "test")
LABELS = ["yes", "no", "stop", "go", "silence", "unknown"]


def prepared(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(folder))
        return named_sets.prepare("spoken_commands/small")


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("tfds"))


def read(builder):
    """The examples by part, sorted so that TFDS's own order does not matter."""
    found = {}
    for part in PARTS:
        examples = builder.as_dataset(split=part, shuffle_files=False).as_numpy_iterator()
        found[part] = sorted(examples, key=lambda example: example["audio"].tobytes())
    return found


@pytest.fixture(scope="module")
def examples(builder):
    return read(builder)


@pytest.fixture(scope="module")
def everything(examples):
    return [example for part in PARTS for example in examples[part]]


def values(examples, field):
    return {example[field].decode() for example in examples} - {""}


def test_every_label_has_its_clips_of_a_second(builder, examples):
    assert builder.info.features["label"].names == LABELS
    assert builder.info.features["audio"].sample_rate == 16_000
    for part, counts in {"train": [30] * 4 + [20, 40], "test": [10] * 4 + [8, 12]}.items():
        found = collections.Counter(int(example["label"]) for example in examples[part])
        assert [found[label] for label in range(6)] == counts
    for part in PARTS:
        for example in examples[part]:
            assert (example["audio"].dtype, example["audio"].shape) == (np.int16, (16_000,))


def test_a_voice_is_heard_in_one_part_only_and_says_every_command(examples):
    voices = {part: values(examples[part], "voice") for part in PARTS}
    assert [len(voices[part]) for part in PARTS] == [4, 2, 2]
    assert len(set.union(*voices.values())) == 8
    for part in PARTS:
        said = {(example["voice"], example["label"]) for example in examples[part]}
        for voice in voices[part]:
            assert {(voice.encode(), label) for label in (0, 1, 2, 3, 5)} <= said


def test_unknown_words_are_no_commands_and_in_one_part_only(examples):
    words = {part: values([e for e in examples[part] if e["label"] == 5], "word") for part in PARTS}
    assert [len(words[part]) for part in PARTS] == [8, 3, 3]
    assert len(set.union(*words.values())) == 14
    assert not set.union(*words.values()) & set(LABELS)


def test_commands_say_what_their_label_says(everything):
    for example in everything:
        if example["label"] < 4:
            assert example["word"].decode() == LABELS[example["label"]]


def test_nobody_speaks_in_silence_and_it_is_no_digital_zero(everything):
    silent = [example for example in everything if example["label"] == 4]
    assert not any(example[field] for example in silent for field in ("voice", "accent", "word"))
    levels = [np.sqrt(np.mean(np.square(each["audio"] / 32768))) for each in silent]
    assert 0.0005 < min(levels) < 0.003
    assert 0.03 < max(levels) < 0.15


def test_clips_are_neither_clipped_nor_empty_nor_alike(everything):
    peaks = np.array([np.abs(each["audio"].astype(int)).max() for each in everything])
    spoken = np.array([each["label"] != 4 for each in everything])
    assert peaks.max() < 32_000
    assert peaks[spoken].min() > 3_000  # 20 dB below full scale
    assert max((each["audio"] == 0).mean() for each in everything) < 0.5
    assert len({each["audio"].tobytes() for each in everything}) == len(everything)


def test_words_come_at_any_time_of_their_second(examples):
    loudest = [int(np.abs(e["audio"]).argmax()) for e in examples["train"] if e["label"] != 4]
    places = np.histogram(loudest, bins=4, range=(0, 16_000))[0]
    assert places.min() > 8


def test_the_set_is_the_same_whenever_it_is_made(examples, tmp_path):
    again = read(prepared(tmp_path))
    for part in PARTS:
        for here, there in zip(examples[part], again[part], strict=True):
            assert here["audio"].tobytes() == there["audio"].tobytes()
            assert here["word"] == there["word"]


def test_set_describes_itself(builder):
    info = builder.info
    assert "espeak-ng" in info.description
    assert "eSpeak NG" in info.citation
    assert "GPL-3.0-or-later" in info.redistribution_info.license
    assert not info.download_size


@pytest.mark.parametrize(
    ("voice", "name"),
    [
        ({"variant": "f99"}, "en-us\\+f99"),
        ({"variant": "f3", "accent": "en-mars"}, "en-mars\\+f3"),
    ],
)
def test_a_voice_that_espeak_does_not_have_is_an_error(tmp_path, voice, name):
    word = {"text": "yes", "accent": "en-us", "rate": 160, "pitch": 50, "pitch_range": 50, **voice}
    done = rendered(tmp_path, {"seed": 1, "noise": "white", "word": word, "babble": []})
    assert done.returncode == 1
    assert done.stderr.decode().strip() == f"espeak-ng has no voice {name}".replace("\\", "")
    assert not done.stdout


def test_a_word_that_does_not_fit_its_clip_is_an_error(tmp_path):
    word = {"text": "incomprehensibilities", "accent": "en-us", "variant": "f3"}
    word |= {"rate": 100, "pitch": 50, "pitch_range": 50}
    done = rendered(tmp_path, {"seed": 1, "noise": "white", "word": word, "babble": []})
    assert (done.returncode, b"longer than its clip" in done.stderr) == (1, True)


@pytest.mark.parametrize("noise", ["white", "pink", "brown", "wind", "hum", "machine", "knocks"])
def test_every_noise_is_different_each_time(tmp_path, noise):
    plan = [{"seed": seed, "noise": noise, "word": None, "babble": []} for seed in (1, 2)]
    done = rendered(tmp_path, *plan)
    first, second = np.frombuffer(done.stdout, "<i2").reshape(2, 16_000).astype(float)
    assert min(first.std(), second.std()) > 10
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.5


def rendered(folder, *plan):
    file = folder / "plan.jsonl"
    file.write_text("".join(json.dumps(clip) + "\n" for clip in plan))
    program = str(FOLDER / "render_clips.py")
    return subprocess.run([sys.executable, program, str(file)], capture_output=True, check=False)


def test_the_recording_to_try_says_two_words():
    import soundfile

    samples, rate_hz = soundfile.read(FOLDER / "dummy_data/yes_stop.wav")
    assert (rate_hz, samples.ndim, len(samples)) == (16_000, 1, 56_000)
    tenths = np.sqrt(np.mean(samples.reshape(-1, 1_600) ** 2, axis=1))
    loud = np.flatnonzero(tenths > 5 * np.median(tenths))
    assert loud.min() in (5, 6, 7)
    assert loud.max() in range(20, 27)
    assert not set(loud) & set(range(13, 20))
