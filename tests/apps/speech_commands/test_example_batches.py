"""A step is a function of its number and the seed; contexts, cuts and masks are where they belong.

In these sets a frame's channels say which example it is of, and which of its frames it is.
"""

import dataclasses

import numpy as np
import pytest

from apps.speech_commands import batches
from apps.speech_commands import config as configs
from apps.suite.sounds import feature_cache
from apps.suite.sounds.feature_cache import FeatureSet

CLASSES, CHANNELS, CLIP_HOPS = 3, 4, 20
UNMASKED = configs.AugmentationConfig(time_masks=0, band_masks=0)
FILL = np.full(CHANNELS, -1.0)


def examples(lengths=(7, 3, 12, 9, 5, 11)):
    starts = np.concatenate([[0], np.cumsum(lengths)])
    number = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(starts[-1]) - starts[number]
    frames = np.stack([number + 1, place + 1, number * place, np.ones_like(place)], axis=1)
    labels = np.arange(len(lengths)) % CLASSES
    return FeatureSet(
        frames.astype("float32"), starts, labels.astype("int32"), np.arange(len(lengths))
    )


def config(rows=4, seed=0, augmentation=UNMASKED, layer="peephole_lstm", **training):
    training = {"context_probability": 0.5, **training}
    return configs.Config(
        seed=seed,
        audio=configs.AudioConfig(clip_seconds=CLIP_HOPS * 0.016),
        augmentation=augmentation,
        model=configs.ModelConfig(layer=layer),
        training=configs.TrainingConfig(batch_size=rows, **training),
    )


def steps(count, made=None, settings=None, first_step=0):
    settings = settings or config()
    stream = batches.endless(made or examples(), CLASSES, settings, FILL, first_step)
    return list(stream.take(count).as_numpy_iterator())


def rows_of(batches):
    """(features without padding, context frames, frames, label) of each row."""
    for inputs, labels in batches:
        for features, before, frames, label in zip(
            inputs["features"], inputs["context_frames"], inputs["frames"], labels, strict=True
        ):
            np.testing.assert_array_equal(features[before + frames :], 0)
            assert label.sum() == 1
            yield features[: before + frames], before, frames, int(label.argmax())


def same(first, second):
    flat = [np.concatenate([part.ravel() for part in (*x.values(), y)]) for x, y in first]
    other = [np.concatenate([part.ravel() for part in (*x.values(), y)]) for x, y in second]
    return len(flat) == len(other) and all(map(np.array_equal, flat, other))


def test_a_stream_that_begins_later_continues_the_earlier_one():
    settings = config(augmentation=configs.AugmentationConfig())
    early = steps(30, settings=settings)
    assert same(early[17:], steps(13, settings=settings, first_step=17))
    assert not same(early[:13], early[17:])


def test_the_seed_decides():
    assert not same(steps(3), steps(3, settings=config(seed=1)))


def test_each_pass_shows_every_example_once_in_an_order_of_its_own():
    shown = [int(row[before, 0]) for row, before, *_ in rows_of(steps(30))]
    passes = np.reshape(shown, (-1, 6))
    np.testing.assert_array_equal(np.sort(passes), np.tile(np.arange(1, 7), (len(passes), 1)))
    assert len({tuple(order) for order in passes}) > len(passes) // 2


def test_a_batch_may_be_larger_than_the_set():
    shown = [int(row[before, 0]) for row, before, *_ in rows_of(steps(1, settings=config(rows=15)))]
    np.testing.assert_array_equal(np.bincount(shown, minlength=7)[1:] // 2, 1)


def test_a_clip_is_whole_and_has_its_label():
    made = examples()
    for row, before, frames, label in rows_of(steps(20, made)):
        number = int(row[before, 0]) - 1
        expected = made.frames[made.starts[number] : made.starts[number + 1]]
        np.testing.assert_array_equal(row[before:], expected)
        assert frames == len(expected)
        assert label == made.labels[number]


def test_a_context_is_the_end_of_an_example_and_at_most_half_a_clip_s_length():
    made = examples()
    contexts = [row[:before] for row, before, *_ in rows_of(steps(100, made)) if before]
    for context in contexts:
        end = made.starts[int(context[0, 0])]
        np.testing.assert_array_equal(context, made.frames[end - len(context) : end])
    assert max(map(len, contexts)) <= 16  # 10 frames, rounded up to a multiple of 8
    assert {int(context[0, 0]) for context in contexts} == set(range(1, 7))


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_so_many_clips_follow_a_context(probability):
    settings = config(context_probability=probability)
    follows = np.mean([before > 0 for _, before, *_ in rows_of(steps(150, settings=settings))])
    assert follows == pytest.approx(probability, abs=0.07 * (0 < probability < 1))


def test_a_bilstm_has_no_context():
    settings = config(layer="bilstm", context_probability=1.0)
    assert not any(before for _, before, *_ in rows_of(steps(10, settings=settings)))


def test_all_batches_have_one_static_shape_so_that_it_compiles_once():
    inputs, labels = batches.endless(examples(), CLASSES, config(), FILL).element_spec
    assert inputs["features"].shape == (4, 16 + 16, CHANNELS)
    assert inputs["context_frames"].shape == inputs["frames"].shape == (4,)
    assert labels.shape == (4, CLASSES)


def test_a_few_very_long_clips_are_cut_at_places_of_their_own():
    lengths = [8] * 99 + [100]
    settings = config(rows=100, context_probability=0.0)
    shown = list(rows_of(steps(30, examples(lengths), settings)))
    assert {len(row) for row, *_ in shown} == {8}
    starts = [int(row[0, 1]) - 1 for row, *_ in shown if row[0, 0] == 100]
    assert len(starts) == 30
    assert min(starts) < 30 < 60 < max(starts)
    for row, *_ in shown:
        np.testing.assert_array_equal(np.diff(row[:, 1]), 1)


def test_masks_hide_parts_of_the_clip_and_nothing_of_its_context():
    augmentation = dataclasses.replace(
        UNMASKED, time_masks=1, highest_time_mask_frames=3, band_masks=1, highest_band_mask=2
    )
    made, hidden = examples([12] * 6), 0
    for row, before, frames, _ in rows_of(steps(40, made, config(augmentation=augmentation))):
        assert (row[:before] != FILL).all()
        masked = row[before:] == FILL
        hidden += masked.mean() / 160
        number = made.labels[0]  # all channels of an unmasked frame are the example's
        assert number == 0
        whole = masked.all(axis=1)
        bands = masked[~whole]
        assert (bands == bands[:1]).all()
        assert whole.sum() <= 0.2 * frames
    assert 0.1 < hidden < 0.5


def drawn_examples(**changes):
    """Rows of one example of 12 frames and their contexts, altered as the changes say."""
    made = examples([12] * 6)
    settings = config(augmentation=dataclasses.replace(UNMASKED, **changes))
    settings = dataclasses.replace(settings, features=configs.FeatureConfig(mel_bands=CHANNELS))
    return made, list(rows_of(steps(40, made, settings)))


@pytest.mark.parametrize("change", [{"highest_drawn_warp": 0.2}, {"highest_drawn_filter_db": 6.0}])
def test_warps_and_filters_are_drawn_anew_for_each_clip_and_not_for_its_context(change):
    made, rows = drawn_examples(**change)
    of_first = []
    for row, before, frames, _ in rows:
        if before:
            end = made.starts[int(row[0, 0])]
            np.testing.assert_array_equal(row[:before], made.frames[end - before : end])
        number = int(row[before:, 1].argmin())
        assert number == 0, "frames stay in their order"
        assert frames == 12
        of_first.append(row[before])
    plain = made.frames[made.starts[:-1]]
    changed = [not np.isclose(plain, row, atol=1e-4).all(axis=1).any() for row in of_first]
    assert np.mean(changed) > 0.8
    assert len(np.unique(np.round(of_first, 3), axis=0)) > 40


def test_a_drawn_tempo_changes_the_length_of_each_clip_in_a_shape_that_is_static():
    made, rows = drawn_examples(highest_drawn_tempo_change=0.25)
    lengths = np.array([frames for _, _, frames, _ in rows])
    assert lengths.min() >= 9
    assert lengths.max() <= 15
    assert len(set(lengths)) == 7
    for row, before, frames, label in rows:
        np.testing.assert_allclose(row[before], made.frames[made.starts[int(row[before, 0]) - 1]])
        assert row[before + frames - 1, 1] > 11
        assert label == made.labels[int(row[before, 0]) - 1]
    settings = config(augmentation=dataclasses.replace(UNMASKED, highest_drawn_tempo_change=0.25))
    inputs, _ = batches.endless(made, CLASSES, settings, FILL).element_spec
    assert inputs["features"].shape == (4, 16 + 24, CHANNELS)  # 16 by 1.25, rounded up


def test_evaluation_shows_every_example_once_as_it_is():
    made = examples(np.random.default_rng(0).integers(1, 60, 150))
    seen = []
    for indices, inputs in batches.evaluation(made):
        assert len(indices) <= 64
        assert not inputs["context_frames"].any()
        for index, features, frames in zip(
            indices, inputs["features"], inputs["frames"], strict=True
        ):
            expected = made.frames[made.starts[index] : made.starts[index + 1]]
            np.testing.assert_array_equal(features[:frames], expected)
            np.testing.assert_array_equal(features[frames:], 0)
        seen.extend(indices)
    assert sorted(seen) == list(range(150))


def test_statistics_are_those_of_all_frames():
    draw = np.random.default_rng(0)
    frames = draw.normal(-50, 10, (250_001, 2)).astype("float32")
    made = FeatureSet(frames, np.array([0, len(frames)]), np.zeros(1), np.zeros(1))
    mean, variance = feature_cache.statistics(made)
    np.testing.assert_allclose(mean, frames.mean(axis=0, dtype="float64"), rtol=1e-9)
    np.testing.assert_allclose(variance, frames.var(axis=0, dtype="float64"), rtol=1e-9)
