import numpy as np
import pytest

from apps.suite.networks.video_pooling import EvidencePooling


@pytest.fixture
def evidence():
    return np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)


REAL = np.arange(5)[None] < np.array([5, 3, 1])[:, None]


def test_attention_weighs_real_frames_alone(evidence):
    attention = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    found = EvidencePooling()(evidence, REAL, attention)
    for row, length in enumerate(REAL.sum(axis=1)):
        weights = np.exp(attention[row, :length])
        expected = weights @ evidence[row, :length] / weights.sum()
        np.testing.assert_allclose(found[row], expected, rtol=1e-5, atol=1e-6)


def test_without_attention_all_real_frames_count_alike(evidence):
    found = EvidencePooling()(evidence, REAL)
    expected = [evidence[row, :length].mean(axis=0) for row, length in enumerate((5, 3, 1))]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_newest_frame_is_the_last_real_one(evidence):
    found = EvidencePooling(newest_only=True)(evidence, REAL)
    np.testing.assert_allclose(found, evidence[[0, 1, 2], [4, 2, 0]], atol=1e-6)


def test_a_clip_without_frames_is_answered_with_numbers(evidence):
    assert np.all(np.isfinite(EvidencePooling()(evidence, np.zeros_like(REAL))))
