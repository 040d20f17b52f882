"""Training examples: what stands for the other side of a body."""

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.sequences import ragged, training_examples
from apps.suite.sequences.alteration import AlterationConfig

ARRAYS = [np.full((steps, 3), place + 1.0, np.float32) for place, steps in enumerate((5, 9, 7))]
SEQUENCES = ragged.of_arrays(ARRAYS, ("a", "b", "c"), ("ax", "ay", "az"))


def stream(targets, by_step, target_names=(), mirrored=("ax", "wy")):
    examples = training_examples.Examples(
        SEQUENCES, targets, by_step, np.nan, target_names=target_names
    )
    settings = AlterationConfig(mirrored_channels=mirrored)
    return training_examples.endless(examples, settings, None, batch_size=3, seed=(0, 1))


def test_half_of_the_sequences_are_mirrored_with_the_targets_of_their_steps():
    targets = np.repeat([1.0, 2.0, 3.0], [5, 9, 7])[:, None] * np.array([1.0, 10.0], np.float32)
    mirrored = []
    for values, wanted in stream(targets, True, ("wx", "wy")).take(40).as_numpy_iterator():
        for row, target in zip(values, wanted, strict=True):
            steps = int(np.isfinite(row[:, 0]).sum())
            sign = np.sign(row[0, 0])
            mirrored.append(sign < 0)
            size = {5: 1, 9: 2, 7: 3}[steps]
            np.testing.assert_array_equal(
                row[:steps], np.tile([sign * size, size, size], (steps, 1))
            )
            np.testing.assert_array_equal(
                target[:steps], np.tile([size, sign * 10 * size], (steps, 1))
            )
    assert np.mean(mirrored) == pytest.approx(0.5, abs=0.15)


def test_a_target_of_a_whole_sequence_stays_as_it_is():
    targets = np.array([[1.0], [2.0], [3.0]], np.float32)
    for values, wanted in stream(targets, False, mirrored=("ax",)).take(5).as_numpy_iterator():
        np.testing.assert_array_equal(wanted[:, 0], np.abs(values[:, 0, 0]))


def test_a_mirrored_channel_that_is_not_there_is_refused():
    with pytest.raises(errors.UserError, match="wy is none of ax, ay, az"):
        stream(np.zeros((3, 1), np.float32), False)
