"""Frames are pooled as the equation says, and models saved under the layers' old names load."""

import json
import zipfile

import keras
import numpy as np
import pytest

from apps.speech_commands import model as speech_model
from apps.suite.networks import pooling
from apps.suite.networks.pooling import EvidencePooling, FrameMask
from apps.video_classification import model as video_model


@pytest.fixture
def evidence():
    return np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)


ATTENTION = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
COUNTED = np.arange(5)[None] < np.array([5, 3, 1])[:, None]


def test_attention_weighs_only_frames_that_count(evidence):
    found = EvidencePooling()(evidence, COUNTED, ATTENTION)
    for row, length in enumerate(COUNTED.sum(axis=1)):
        weights = np.exp(ATTENTION[row, :length])
        expected = weights @ evidence[row, :length] / weights.sum()
        np.testing.assert_allclose(found[row], expected, rtol=1e-5, atol=1e-6)


def test_without_attention_all_frames_count_alike(evidence):
    found = EvidencePooling()(evidence, COUNTED)
    expected = [evidence[row, :length].mean(axis=0) for row, length in enumerate((5, 3, 1))]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_newest_frame_is_the_last_one_that_counts(evidence):
    found = EvidencePooling(newest_only=True)(evidence, COUNTED)
    np.testing.assert_allclose(found, evidence[[0, 1, 2], [4, 2, 0]], atol=1e-6)


def test_a_row_without_frames_is_answered_with_numbers(evidence):
    assert np.all(np.isfinite(EvidencePooling()(evidence, np.zeros_like(COUNTED))))


def test_a_mask_marks_frames_between_two_places(evidence):
    first, end = np.array([0, 3, 4], "int32"), np.array([10, 7, 4], "int32")
    np.testing.assert_array_equal(FrameMask()(evidence, first), np.arange(5) < first[:, None])
    expected = [[1, 1, 1, 1, 1], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(FrameMask(frame_stride=2)(evidence, end, first), expected)


def test_speech_models_of_the_old_names_load(tmp_path, evidence):
    assert speech_model  # registers the names
    old = {
        name: keras.saving.get_registered_object(f"speech_commands>{name}")
        for name in ("FrameMask", "EvidencePooling")
    }
    values, attention = keras.Input((None, 4)), keras.Input((None,))
    first, end = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
    counted = old["FrameMask"](2)(values, first, end)
    logits = old["EvidencePooling"](name="pooling")(values, attention, counted)
    keras.Model([values, attention, first, end], logits).save(tmp_path / "old.keras")
    with zipfile.ZipFile(tmp_path / "old.keras") as archive:
        assert b"speech_commands>EvidencePooling" in archive.read("config.json")
    loaded = keras.models.load_model(tmp_path / "old.keras")
    assert isinstance(loaded.get_layer("pooling"), pooling.EvidencePooling)
    limits = np.array([0, 1, 2], "int32"), np.array([9, 7, 5], "int32")
    counted = FrameMask(2)(evidence, limits[1], limits[0])
    expected = EvidencePooling()(evidence, counted, ATTENTION)
    np.testing.assert_array_equal(loaded([evidence, ATTENTION, *limits]), expected)


def test_video_models_of_the_old_names_load(tmp_path, evidence):
    assert video_model  # registers the names
    values, length = keras.Input((None, 4)), keras.Input((), dtype="int32")
    logits = EvidencePooling()(values, FrameMask()(values, length))
    keras.Model([values, length], logits).save(tmp_path / "new.keras")
    with (
        zipfile.ZipFile(tmp_path / "new.keras") as new,
        zipfile.ZipFile(tmp_path / "old.keras", "w") as old,
    ):
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                assert b"lstm_tasks>" in content
                content = content.replace(b"lstm_tasks>", b"video_classification>")
                content = content.replace(b"apps.suite.networks.pooling", b"apps.gone")
                assert json.loads(content)
            old.writestr(name, content)
    loaded = keras.models.load_model(tmp_path / "old.keras")
    lengths = np.array([5, 3, 1], "int32")
    expected = EvidencePooling()(evidence, FrameMask()(evidence, lengths))
    np.testing.assert_array_equal(loaded([evidence, lengths]), expected)
