"""What a clip is doesn't hang on padding, on other rows or, where causal, on what comes later."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from apps.speech_commands import model
from tests.apps.speech_commands import small_model
from tests.apps.speech_commands.small_model import CHANNELS, CLASSES, built, inputs, some_features

every_kind = pytest.mark.parametrize("sizes", small_model.EVERY_KIND, ids=str)
FRAMES = np.array([23, 9, 2, 1])


@every_kind
@pytest.mark.parametrize("padding", [1, 7])
def test_padding_changes_nothing(sizes, padding):
    made, features = built(**sizes), some_features(4, 23)
    contexts = 0 if sizes.get("layer") == "bilstm" else np.array([0, 5, 2, 20])
    longer = np.concatenate([features, some_features(4, padding, seed=1)], axis=1)
    logits = made(inputs(features, FRAMES - contexts * (FRAMES > 20), contexts))
    np.testing.assert_allclose(
        made(inputs(longer, FRAMES - contexts * (FRAMES > 20), contexts)), logits, atol=1e-5
    )
    assert np.std(logits) > 0.1


@every_kind
def test_a_short_clip_in_a_batch_is_the_clip_alone(sizes):
    made, features = built(**sizes), some_features(4, 23)
    together = made(inputs(features, FRAMES))
    for row, frames in enumerate(FRAMES):
        alone = made(inputs(features[row : row + 1, :frames]))
        np.testing.assert_allclose(together[row], alone[0], atol=1e-5)


@pytest.mark.parametrize("sizes", small_model.CAUSAL, ids=str)
def test_a_context_is_heard_but_not_pooled(sizes):
    made = built(**{**sizes, "pooling": "mean"})
    features = some_features(1, 20)
    without = made(inputs(features[:, 8:]))
    heard = made(inputs(features, context_frames=8))
    assert np.abs(heard - without).max() > 1e-3
    # Of a longer and longer context only the last frames matter less and less: its own evidence
    # never enters. What it would be if it did:
    pooled = made(inputs(features))
    assert np.abs(heard - pooled).max() > 1e-2


def test_logits_are_evidence_pooled_by_attention():
    made, features = built(), some_features(2, 21)
    parts = keras.Model(
        made.inputs, [made.get_layer(name).output for name in ("evidence", "attention")]
    )
    given = inputs(features, frames=[12, 9], context_frames=[4, 0])
    evidence, attention = (np.asarray(part, "float64") for part in parts(given))
    for row, pooled in enumerate([range(2, 8), range(5)]):  # every second frame
        a = attention[row, list(pooled), 0]
        weights = np.exp(a - a.max()) / np.exp(a - a.max()).sum()
        expected = (weights[:, None] * evidence[row, list(pooled)]).sum(axis=0)
        np.testing.assert_allclose(made(given)[row], expected, atol=1e-4)


def test_last_is_the_last_frame_of_the_clip():
    made, features = built(pooling="last"), some_features(2, 20)
    evidence = keras.Model(made.inputs, made.get_layer("evidence").output)
    given = inputs(features, frames=[20, 11])
    told = evidence(given)
    np.testing.assert_allclose(made(given)[0], told[0, 9], atol=1e-6)
    np.testing.assert_allclose(made(given)[1], told[1, 5], atol=1e-6)


def test_features_are_normalised_inside_by_what_training_saw():
    mean, variance = np.linspace(-60, -20, CHANNELS), np.linspace(10, 90, CHANNELS)
    config = small_model.config()
    with_statistics = model.build(config, CLASSES, CHANNELS, mean, variance)
    plain = model.build(config, CLASSES, CHANNELS)
    plain.set_weights(with_statistics.get_weights())
    features = some_features(2, 9)
    np.testing.assert_allclose(
        with_statistics(inputs(features)),
        plain(inputs((features - mean) / np.sqrt(variance))),
        atol=1e-4,
    )


def test_a_channel_that_never_changes_is_no_division_by_zero():
    made = model.build(
        small_model.config(), CLASSES, CHANNELS, np.full(CHANNELS, -30.0), np.zeros(CHANNELS)
    )
    assert np.isfinite(made(inputs(np.full((1, 5, CHANNELS), -30.0)))).all()


@every_kind
def test_dropout_acts_in_training_alone(sizes):
    keras.utils.set_random_seed(0)
    made, given = built(dropout=0.5, **sizes), inputs(some_features(2, 9))
    first, second = (np.asarray(made(given, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 0.05
    np.testing.assert_array_equal(made(given), made(given))


@every_kind
def test_a_training_step_changes_every_weight(sizes):
    made = built(**sizes)
    made.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    before = [np.array(weight) for weight in made.trainable_weights]
    made.train_on_batch(inputs(some_features(3, 9)), np.eye(CLASSES)[:3])
    for weight, old in zip(made.trainable_weights, before, strict=True):
        assert np.abs(weight - old).max() > 0, weight.path


@every_kind
def test_a_saved_model_answers_the_same_in_another_process(sizes, tmp_path):
    made, features = built(**sizes), some_features(2, 15)
    given = inputs(features, frames=[15, 6])
    made.save(tmp_path / "model.keras")
    np.savez(tmp_path / "given.npz", **given)
    program = (
        "import sys, keras, numpy as np\n"
        "from apps.speech_commands import model\n"
        "loaded = keras.models.load_model(sys.argv[1] + '/model.keras')\n"
        "given = dict(np.load(sys.argv[1] + '/given.npz'))\n"
        "np.save(sys.argv[1] + '/logits.npy', loaded(given))"
    )
    if sizes in (small_model.EVERY_KIND[0], small_model.EVERY_KIND[-2]):  # seconds each
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
        logits = np.load(tmp_path / "logits.npy")
    else:
        logits = keras.models.load_model(tmp_path / "model.keras")(given)
    np.testing.assert_allclose(logits, made(given), atol=1e-6)
