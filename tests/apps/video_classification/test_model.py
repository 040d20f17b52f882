"""The classifier: what lies behind a clip's end changes nothing; saved, it comes back as it was."""

import dataclasses

import keras
import numpy as np
import pytest

from apps.video_classification import model
from tests.apps.video_classification import small_run

KINDS = [
    *small_run.EVERY_KIND,
    {"frame_differences": False, "spatial_dropout": 0.2, "layer": "lstm"},
]


def inputs(clips=3, seed=0):
    videos = np.stack([small_run.video(seed=seed + at) for at in range(clips)])
    lengths = np.array([small_run.FRAMES, 4, 1, *[2] * clips][:clips], np.int32)
    return {"frames": videos, "length": lengths}


@pytest.fixture(
    scope="module", params=KINDS, ids=lambda sizes: "-".join(map(str, sizes.values())) or "default"
)
def made(request):
    config = small_run.config(**request.param)
    return config, small_run.built(config)


def test_frames_behind_the_end_and_other_clips_change_nothing(made):
    _, trained = made
    asked = inputs()
    expected = np.asarray(trained(asked))
    noise = np.random.default_rng(5).integers(0, 256, asked["frames"].shape, np.uint8)
    behind = np.arange(small_run.FRAMES)[None] >= asked["length"][:, None]
    padded = np.where(behind[..., None, None, None], noise, asked["frames"])
    np.testing.assert_allclose(trained({**asked, "frames": padded}), expected, atol=1e-5)
    for row in range(3):
        alone = {name: value[row : row + 1] for name, value in asked.items()}
        np.testing.assert_allclose(trained(alone)[0], expected[row], atol=1e-5)


def test_saved_and_loaded_it_answers_the_same(made, tmp_path):
    _, trained = made
    trained.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded(inputs()), trained(inputs()))


def test_encoder_and_head_together_are_the_whole(made):
    config, trained = made
    asked = inputs()
    features = np.asarray(model.encoder(trained)(asked["frames"]))
    behind = {"features": features, "length": asked["length"]}
    np.testing.assert_allclose(model.head(config, trained)(behind), trained(asked), atol=1e-6)
    every = model.head(config, trained, every_frame=True)(behind)
    np.testing.assert_allclose(every, model.per_frame(trained)(asked), atol=1e-6)


def test_the_order_of_the_frames_matters(made):
    _, trained = made
    asked = {**inputs(), "length": np.full(3, small_run.FRAMES, np.int32)}
    backwards = {**asked, "frames": asked["frames"][:, ::-1]}
    assert np.abs(np.asarray(trained(asked)) - trained(backwards)).max() > 1e-2


def test_the_pooling_is_that_of_the_evidence():
    asked = inputs()
    for pooling in ("last", "mean"):
        trained = small_run.built(small_run.config(pooling=pooling))
        evidence = np.asarray(model.per_frame(trained)(asked))
        for row, length in enumerate(asked["length"]):
            told = evidence[row, :length]
            expected = told[-1] if pooling == "last" else told.mean(axis=0)
            np.testing.assert_allclose(trained(asked)[row], expected, atol=1e-5)


def test_weights_fit_whatever_the_precision():
    config = small_run.config(cnn_normalisation="batch")
    half = dataclasses.replace(
        config, training=dataclasses.replace(config.training, precision="mixed_bfloat16")
    )
    whole, trains = small_run.built(config), model.build(half, len(small_run.NAMES), trains=True)
    trains.set_weights(whole.get_weights())
    assert trains.outputs[0].dtype == "float32"
    assert {str(weight.dtype) for weight in trains.weights} <= {"float32", "uint32", "int64"}
    np.testing.assert_allclose(trains(inputs()), whole(inputs()), atol=0.5)
    assert keras.config.dtype_policy().name == "float32"


def test_every_weight_gets_a_gradient(made):
    import tensorflow as tf

    _, trained = made
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(trained(inputs(), training=True)))
    gradients = tape.gradient(loss, trained.trainable_weights)
    without = [
        weight.path
        for weight, gradient in zip(trained.trainable_weights, gradients, strict=True)
        if gradient is None or not np.any(gradient)
    ]
    assert not without
