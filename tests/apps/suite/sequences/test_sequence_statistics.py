"""Numbers that describe sequences and windows leave out what is missing and never see padding."""

import keras
import numpy as np
import pytest

from apps.suite.sequences import ragged, random_convolutions, sequence_statistics


@pytest.fixture
def three():
    draw = np.random.default_rng(0)
    arrays = [draw.normal(3, 2, (steps, 2)).astype(np.float32) for steps in (9, 14, 5)]
    arrays[1][3, 0] = arrays[1][0, 1] = np.nan
    return ragged.of_arrays(arrays, "abc", "xy")


def test_channels_are_those_of_numpy(three):
    found = sequence_statistics.of_channels(three.values)
    np.testing.assert_allclose(found.mean, np.nanmean(three.values, axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.deviation, np.nanstd(three.values, axis=0), rtol=1e-6)
    np.testing.assert_array_equal(found.counts, [27, 27])


def test_a_constant_channel_has_the_deviation_1():
    values = np.full((10_000, 1), 0.1, np.float32)
    assert sequence_statistics.of_channels(values).deviation == [1.0]


def test_a_sequence_is_described_by_its_values_alone(three):
    found = sequence_statistics.of_sequences(three)
    values = three.at(1)
    names = sequence_statistics.STATISTICS
    of_first = dict(zip(names, found[1], strict=False))
    known = values[~np.isnan(values[:, 0]), 0]
    assert of_first["mean"] == pytest.approx(known.mean(), rel=1e-5)
    assert of_first["deviation"] == pytest.approx(known.std(), rel=1e-5)
    assert of_first["maximum"] == known.max()
    assert (of_first["first"], of_first["last"]) == (values[0, 0], values[-1, 0])
    steps = np.flatnonzero(~np.isnan(values[:, 0]))
    assert of_first["slope"] == pytest.approx(np.polyfit(steps, known, 1)[0], rel=1e-4)
    assert of_first["missing"] == pytest.approx(1 / 14)
    of_second = dict(zip(names, found[1, len(names) :], strict=False))
    assert of_second["first"] == values[1, 1], "the first that is there"
    assert found[1, -1] == 14
    padded = np.concatenate([values, np.full((6, 2), np.nan, np.float32)])
    apart = sequence_statistics.describe(padded[None])[0]
    for name in ("mean", "deviation", "slope", "last", "roughness", "skewness"):
        assert apart[names.index(name)] == pytest.approx(of_first[name], rel=1e-4), name


def test_a_channel_without_a_value_is_described_by_zeros():
    found = sequence_statistics.describe(np.full((1, 4, 1), np.nan))
    np.testing.assert_array_equal(found[0, :-2], 0)


def test_windows_stand_around_their_steps_and_stay_in_their_sequence(three):
    numbers, rows = sequence_statistics.of_windows(three, 4, 3)
    assert (np.diff(rows) > 0).all()
    number = np.searchsorted(three.starts, rows, side="right") - 1
    assert set(number) == {0, 1, 2}
    for row, sequence, described in zip(rows, number, numbers, strict=True):
        step = row - three.starts[sequence]
        window = three.at(sequence)[max(0, step - 2) : step + 2]
        assert described[0] == pytest.approx(np.nanmean(window[:, 0]), rel=1e-4)


@pytest.mark.parametrize("smooth", [True, False])
def test_random_convolutions_do_not_see_padding_or_other_rows_and_come_back_from_a_file(
    three, tmp_path, smooth
):
    layer = random_convolutions.drawn(three, 40, seed=3, smooth=smooth)
    found = random_convolutions.features(layer, three)
    assert found.shape == (3, 80)
    for index in range(3):
        alone = random_convolutions.features(layer, three.taken([index]))
        apart = np.abs(alone[0] - found[index]) > 1e-4
        # A kernel's bias is its output at a training step: there rounding decides on a hard share
        assert not apart[40:].any()
        assert apart[:40].sum() <= (0 if smooth else 2)
    again = random_convolutions.drawn(three, 40, seed=3, smooth=smooth)
    np.testing.assert_array_equal(random_convolutions.features(again, three), found)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    assert found.std(axis=0).max() == pytest.approx(1, abs=1e-3)
    values = keras.Input((None, three.values.shape[1]))
    keras.Model(values, layer(values)).save(tmp_path / "kernels.keras")
    reloaded = keras.models.load_model(tmp_path / "kernels.keras").layers[-1]
    np.testing.assert_array_equal(random_convolutions.features(reloaded, three), found)
