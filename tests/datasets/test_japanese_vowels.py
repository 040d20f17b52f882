"""The utterances are those of the official parts, whole and in order."""

import importlib.util
import sys

import numpy as np
import pytest

from apps.suite.data import named_sets
from apps.suite.sequence_files import named

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sktime") is None, reason="sktime is not installed"
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        yield named.read("japanese_vowels", "label")


def test_the_parts_have_their_official_sizes(prepared):
    found = prepared.sequences
    assert [found.parts.count(part) for part in ("train", "test")] == [270, 370]
    assert found.lengths.min() == 7
    assert found.lengths.max() == 29
    assert found.channel_names[0] == "cepstrum 1"
    assert len(found.channel_names) == 12
    assert np.isfinite(found.values).all()


def test_train_has_thirty_utterances_of_each_speaker(prepared):
    found = prepared.sequences
    numbers = found.words["label"].numbers[found.starts[:-1]]
    np.testing.assert_array_equal(np.bincount(numbers[:270]), np.full(9, 30))
    assert prepared.names[0] == "speaker 1"
    assert "CC BY" in prepared.licence


def test_the_first_utterance_is_that_of_the_file(prepared):
    np.testing.assert_allclose(prepared.sequences.at(0)[0, 0], 1.860936)


def test_the_package_is_not_imported(prepared):
    assert prepared
    assert "sktime" not in sys.modules


def test_the_small_set_is_a_share_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    builder = named_sets.prepare("japanese_vowels/small")
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 68, "test": 93,
    }  # fmt: skip
