import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from apps.speech_commands import recordings
from apps.suite import errors
from tests.apps.speech_commands.recorded_words import tone

LABELS = ("yes", "no", "_silence_", "_unknown_")
COUNTS = {"train": 8, "validation": 4, "test": 4, "extra": 2}
RATE_HZ = 8_000


def sound(split, number):
    """Int16, another one and another length for each example."""
    hz = 100 * (1 + sorted(COUNTS).index(split)) + 7 * number
    return (32767 * tone(hz, 0.1 + 0.01 * number, RATE_HZ)).astype(np.int16)


class SoundsInFourSplits(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    AUDIO = tfds.features.Audio(dtype=np.int16, sample_rate=RATE_HZ)
    OTHERS = {"voice": tfds.features.Text()}  # noqa: RUF012

    def _info(self):
        features = {
            "audio": self.AUDIO,
            "label": tfds.features.ClassLabel(names=LABELS),
            **self.OTHERS,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            homepage="https://example.org/sounds",
            license="CC0",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in COUNTS}

    def _generate_examples(self, split):
        for number in range(COUNTS[split]):
            yield (
                number,
                {
                    "audio": self.audio(sound(split, number)),
                    "label": LABELS[number % 4],
                    **dict.fromkeys(self.OTHERS, f"{split}{number}"),
                },
            )

    def audio(self, samples):
        return samples


class SoundsAsFloats(SoundsInFourSplits):
    AUDIO = tfds.features.Audio(dtype=np.float32, sample_rate=RATE_HZ)
    OTHERS = {}  # noqa: RUF012

    def audio(self, samples):
        return (samples / 32767).astype(np.float32)


class SoundsInStereo(SoundsInFourSplits):
    AUDIO = tfds.features.Audio(shape=(None, 2), dtype=np.int16, sample_rate=RATE_HZ)

    def audio(self, samples):
        return np.stack([samples, np.zeros_like(samples)], axis=1)


class SoundsTooLoud(SoundsInFourSplits):
    AUDIO = tfds.features.Audio(dtype=np.int32, sample_rate=RATE_HZ)

    def audio(self, samples):
        return samples.astype(np.int32) * 9


class SoundsOfNoLength(SoundsInFourSplits):
    def audio(self, samples):
        return samples[:0] if len(samples) > 1_300 else samples  # the last of train


class SoundsOfAnyRate(SoundsInFourSplits):
    AUDIO = tfds.features.Audio(dtype=np.int16)


class SoundsForTestsOnly(SoundsInFourSplits):
    def _split_generators(self, dl_manager):
        return {"test": self._generate_examples("test")}


class WordsWithoutSound(SoundsInFourSplits):
    def _info(self):
        features = tfds.features.FeaturesDict({"label": tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _generate_examples(self, split):
        yield 0, {"label": "yes"}


@pytest.fixture(scope="module")
def found(own_sets):
    return recordings.find_set("sounds_in_four_splits", RATE_HZ)


def test_splits_are_parts_and_the_catalogue_s_names_are_ours(found):
    first = found.recordings[:4]
    assert first == (
        ("train/00000", "yes", "train0"),
        ("train/00001", "no", "train1"),
        ("train/00002", recordings.SILENCE, "train2"),
        ("train/00003", recordings.UNKNOWN, "train3"),
    )
    assert found.parts == ("train",) * 8 + ("validation",) * 4 + ("test",) * 4
    assert found.divided_by == "the splits of sounds_in_four_splits/1.0.0"
    assert (found.licence, found.source) == ("CC0", "https://example.org/sounds")


def test_every_example_is_found_at_its_place(found):
    for recording, place in zip(found.recordings, found.places, strict=True):
        heard = found.reader.read(place)
        assert heard.dtype == np.float32
        np.testing.assert_array_equal(heard * 32768, sound(*_split_and_number(recording.name)))


def test_another_rate_is_resampled(own_sets):
    found = recordings.find_set("sounds_in_four_splits", 2 * RATE_HZ)
    heard = found.reader.read(found.places[0])
    assert len(heard) == 1_600
    middle = slice(400, -400)
    np.testing.assert_allclose(heard[middle], tone(300, 0.1, 2 * RATE_HZ)[middle], atol=1e-3)


def stored(kind):
    return list((Path(os.environ["LSTM_TASKS_CACHE"]) / "speech_sets").glob(f"{kind}-*/*"))


def test_a_later_call_writes_nothing_again(found):
    before = {file: file.stat().st_mtime_ns for file in stored("sounds_in_four_splits")}
    assert len(before) == 2
    assert recordings.find_set("sounds_in_four_splits", RATE_HZ) == found
    assert {file: file.stat().st_mtime_ns for file in stored("sounds_in_four_splits")} == before


def test_what_was_not_finished_is_written_again(found):
    for file in stored("sounds_in_four_splits"):
        if file.suffix == ".npz":
            file.unlink()
        else:
            file.write_bytes(b"")
    again = recordings.find_set("sounds_in_four_splits", RATE_HZ)
    assert again == found
    assert again.reader.digests(again.places) == [
        hashlib.sha256(sound(*_split_and_number(recording.name)).tobytes()).hexdigest()
        for recording in found.recordings
    ]


def test_a_set_that_breaks_off_leaves_nothing(own_sets):
    with pytest.raises(errors.UserError, match="train/00007 holds no sample"):
        recordings.find_set("sounds_of_no_length", RATE_HZ)
    assert not stored("sounds_of_no_length")


def _split_and_number(name):
    split, number = name.split("/")
    return split, int(number)


def test_digests_are_those_of_the_samples(found):
    digests = found.reader.digests(found.places)
    assert len(set(digests)) == len(found.places)
    assert digests == found.reader.digests(found.places)


def test_floats_and_stereo_are_the_same_sounds(found, own_sets):
    floats = recordings.find_set("sounds_as_floats", RATE_HZ)
    stereo = recordings.find_set("sounds_in_stereo", RATE_HZ)
    for index, place in enumerate(found.places):
        expected = found.reader.read(place)
        np.testing.assert_array_equal(floats.reader.read(floats.places[index]), expected)
        half = stereo.reader.read(stereo.places[index])
        np.testing.assert_allclose(half, expected / 2, atol=1 / 32768)
    assert {recording.speaker for recording in floats.recordings} == {""}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("words_without_sound", "has no audio feature"),
        ("sounds_of_any_rate", "does not say its sample rate"),
        ("sounds_for_tests_only", "has no split train, only test"),
        ("sounds_too_loud", "train/00000 has samples that are .* beyond 16 bits"),
        ("sounds_in_for_splits", "no such .* did you mean sounds_in_four_splits"),
    ],
)
def test_sets_that_cannot_be_learned(own_sets, name, message):
    with pytest.raises(errors.UserError, match=f"{name}: .*{message}|{name}: {message}"):
        recordings.find_set(name, RATE_HZ)
