import keras
import numpy as np

from apps.video_classification.frame_encoder import FeatureScale


def fitted(features, lengths):
    layer = FeatureScale()
    layer.build(features.shape)
    layer.fit(features, np.array(lengths))
    return layer


def test_what_it_was_fitted_to_has_mean_0_and_deviation_1_without_first_frames_and_padding():
    features = np.random.default_rng(0).normal(5, 3, (6, 8, 2)) * [1, 100]
    features[:, 0] = -1e3  # before anything could move
    features[3:, 4:] = 1e6  # padding
    found = np.asarray(fitted(features, [8, 8, 8, 4, 4, 4])(features.astype(np.float32)))
    rows = np.concatenate([found[:3, 1:].reshape(-1, 2), found[3:, 1:4].reshape(-1, 2)])
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-4)


def test_clips_of_one_frame_count_and_what_never_varies_stays_finite():
    layer = fitted(np.full((3, 1, 2), 7.0), [1, 1, 1])
    np.testing.assert_allclose(layer(np.full((1, 4, 2), 7.0, np.float32)), 0, atol=1e-6)


def test_it_is_part_of_the_weights(tmp_path):
    inputs = keras.Input((None, 2))
    layer = FeatureScale()
    made = keras.Model(inputs, layer(inputs))
    features = np.random.default_rng(1).normal(2, 4, (3, 5, 2)).astype(np.float32)
    layer.fit(features, np.array([5, 5, 5]))
    made.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(features), made(features))
    assert not made.trainable_weights
