import numpy as np
import pytest

from apps.video_classification import batches

LABELS = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
LENGTHS = np.array([4, 4, 4, 4, 2, 2], np.int32)


def clips(dtype):
    """Each clip has its number times 10 everywhere."""
    return np.repeat(10 * np.arange(6), 4 * 5).reshape(6, 4, 5).astype(dtype)


def mixed(dtype=np.float32, alpha=1.0, seed=0):
    values, labels = clips(dtype), LABELS.copy()
    return batches.mixed(np.random.default_rng(seed), values, LENGTHS, labels, alpha)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_a_clip_and_its_label_have_the_same_shares_of_two_clips(dtype):
    between = 0
    for seed in range(10):
        values, labels = mixed(dtype, seed=seed)
        assert values.dtype == dtype
        np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
        for row, (value, label) in enumerate(zip(values, labels, strict=True)):
            assert np.ptp(value.astype(float)) == 0
            fits = [
                0 <= share <= 1
                and np.allclose(share * LABELS[row] + (1 - share) * LABELS[other], label, atol=0.06)
                for other in set(range(6)) - {row}
                for share in [(float(value[0, 0]) / 10 - other) / (row - other)]
            ]
            assert any(fits)
            between += 0.1 < label.max() < 0.9
    assert between > 10


def test_clips_of_different_lengths_are_not_mixed():
    for seed in range(10):
        values, _ = mixed(seed=seed)
        assert values[:4].max() <= 30
        assert values[4:].min() >= 40


def test_without_alpha_nothing_is_changed_and_nothing_drawn():
    random = np.random.default_rng(3)
    values, labels = clips(np.uint8), LABELS
    found = batches.mixed(random, values, LENGTHS, labels, 0.0)
    assert found[0] is values
    assert found[1] is labels
    assert random.random() == np.random.default_rng(3).random()


def test_a_small_alpha_leaves_most_clips_nearly_themselves():
    near = [np.abs(mixed(alpha=0.05, seed=seed)[0] - clips(np.float32)) for seed in range(20)]
    shares = np.array([each.max(axis=(1, 2)) for each in near])
    assert (shares < 1).mean() > 0.4
