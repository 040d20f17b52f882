import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds

from apps.suite import errors
from apps.text_generation import config as configs
from apps.text_generation import data

PARTS = {"train": "one\n" * 50, "validation": "two\n" * 50, "test": "three\n" * 50}


class TextInThreeSplits(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
            homepage="https://example.org/three",
            license="CC0",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in sorted(PARTS)}

    def _generate_examples(self, split):
        yield 0, {"text": PARTS[split]}


class NumbersAlone(TextInThreeSplits):
    def _info(self):
        features = tfds.features.FeaturesDict({"number": tfds.features.Scalar(np.int64)})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _generate_examples(self, split):
        yield 0, {"number": 1}


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))


def load(name):
    return data.load(dataclasses.replace(configs.PRESETS["tiny"], data=name))


def test_splits_of_a_tfds_set_are_joined_in_order_and_cut_anew():
    text = load("text_in_three_splits")
    assert text.train + text.validation + text.test == "".join(PARTS.values())
    assert (text.name, text.licence) == ("text_in_three_splits", "CC0")
    assert text.source == "https://example.org/three"


def test_set_without_text_is_refused():
    with pytest.raises(errors.UserError, match="numbers_alone: has no text feature"):
        load("numbers_alone")


def test_default_is_the_king_james_bible():
    text = load("")
    assert text.name == "king_james_bible"
    assert text.train.startswith("Genesis 1\n\nIn the beginning")
    assert text.test.rstrip().endswith("The grace of our Lord Jesus Christ be with you all. Amen.")
