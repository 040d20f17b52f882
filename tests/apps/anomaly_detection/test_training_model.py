"""The loss is that of the equations, its targets are what was observed, and all weights learn."""

import numpy as np
import pytest
import tensorflow as tf

from tests.apps.anomaly_detection import small_model

every_kind = pytest.mark.parametrize("kind", small_model.KINDS)
PLAIN = {"dropout": 0.0, "training": {"hidden_fraction": 0.0}}


def learner(kind, **settings):
    return small_model.learner(small_model.config(**{**small_model.KINDS[kind], **settings}))


def stretches(built, rows=4, missing=0.2):
    steps = built.config.stretch_steps
    many = [small_model.a_series(steps, seed=row, missing=missing) for row in range(rows)]
    return (
        tf.constant(np.stack([one.values for one in many])),
        tf.constant(np.stack([one.observed for one in many])),
    )


def loss(built, given, training=False):
    return float(built.compute_loss(x=given, y_pred=built(given, training=training)))


@every_kind
def test_the_loss_is_the_mean_square_over_observed_targets(kind):
    built = learner(kind, **PLAIN)
    values, observed = stretches(built)
    predictions = built((values, observed)).numpy()
    scaled = (values.numpy() - small_model.MEAN) / small_model.DEVIATION
    targets = np.clip(scaled, -10, 10)[..., : small_model.SCORED]
    seen = observed.numpy()[..., : small_model.SCORED]
    errors = []
    if predictions.ndim == 3:
        errors.append((targets - predictions)[seen])
    else:
        for ahead in range(1, predictions.shape[2] + 1):
            for step in range(built.config.training.burn_in_steps, targets.shape[1] - ahead):
                error = targets[:, step + ahead] - predictions[:, step, ahead - 1]
                errors.append(error[seen[:, step + ahead]])
    wanted = np.mean(np.concatenate(errors) ** 2)
    assert loss(built, (values, observed)) == pytest.approx(wanted, rel=1e-5)


@every_kind
def test_a_step_of_training_changes_every_weight_and_lowers_the_loss(kind):
    built = learner(kind)
    built.compile(small_model.keras.optimizers.Adam(0.01), jit_compile=False)
    given = stretches(built)
    before = [weight.numpy() for weight in built.trainable_weights]
    first = loss(built, given)
    built.train_on_batch(given)
    for was, weight in zip(before, built.trainable_weights, strict=True):
        assert np.abs(was - weight.numpy()).max() > 0, weight.path
    for _ in range(20):
        built.train_on_batch(given)
    assert loss(built, given) < first


@every_kind
def test_the_scaler_is_not_trained(kind):
    built = learner(kind)
    scaling = built.network.get_layer("scaling")
    assert not [weight for weight in built.trainable_weights if "scaling" in weight.path]
    np.testing.assert_array_equal(scaling.mean, small_model.MEAN)


@every_kind
def test_missing_targets_have_no_loss(kind):
    built = learner(kind, **PLAIN)
    values, observed = stretches(built)
    spoilt = tf.where(observed, values, 1e6)
    assert loss(built, (spoilt, observed)) == pytest.approx(loss(built, (values, observed)))
    nothing = tf.zeros_like(observed)
    assert loss(built, (values, nothing)) == 0


def test_the_burn_in_has_no_loss_and_fills_the_state():
    built = learner("forecaster", **PLAIN)
    values, observed = (each.numpy() for each in stretches(built, missing=0.0))
    steps = np.arange(values.shape[1])
    with tf.GradientTape() as tape:
        given = tf.Variable(values)
        result = built.compute_loss(x=(given, observed), y_pred=built((given, observed)))
    gradient = np.abs(tape.gradient(result, given)).max(axis=(0, 2))
    assert (gradient[steps < built.config.training.burn_in_steps] > 0).all()
    changed = values.copy()
    changed[:, 0] += 3  # as a target it does not count; as an input it does
    predictions = built((values, observed))
    assert loss(built, (changed, observed)) != loss(built, (values, observed))
    kept = built.compute_loss(x=(changed, observed), y_pred=predictions)
    assert float(kept) == pytest.approx(loss(built, (values, observed)))


def test_a_share_of_the_inputs_is_hidden_in_training_alone_and_stays_a_target():
    hidden = {"dropout": 0.0, "training": {"hidden_fraction": 0.5}}
    built = learner("forecaster", **hidden)
    given = stretches(built, missing=0.0)
    assert np.abs(built(given, training=True) - built(given)).max() > 0.01
    np.testing.assert_array_equal(built(given), built(given))
    first, second = (built(given, training=True).numpy() for _ in range(2))
    assert np.abs(first - second).max() > 0.01  # drawn anew


def test_an_encoder_decoder_writes_from_the_truth_in_training_and_from_itself_else():
    built = learner("encoder_decoder", **PLAIN)
    values, observed = stretches(built, missing=0.0)
    taught, free = built((values, observed), training=True), built((values, observed))
    np.testing.assert_allclose(taught[:, -1], free[:, -1], atol=1e-5)  # both from the encoder
    assert np.abs(taught[:, :-1] - free[:, :-1]).max() > 0.01


def test_an_encoder_decoder_s_own_writing_is_taught_writing_of_what_it_wrote():
    built = learner("encoder_decoder", **PLAIN)
    values, observed = stretches(built, missing=0.0)
    decoder = built.network.get_layer("decoder")
    scaled = built.network.get_layer("scaling")(values)
    last, *states = built.network.get_layer("encoder")(
        tf.concat([scaled, tf.cast(observed, tf.float32)], axis=-1)
    )
    written = decoder([scaled, last, *states])
    again = decoder([written, last, *states], training=True)
    np.testing.assert_allclose(again, written, atol=1e-5)


@every_kind
def test_a_network_is_the_same_once_it_was_saved(kind, tmp_path):
    built = learner(kind)
    network = built.network
    network.save(tmp_path / "model.keras")
    loaded = small_model.keras.models.load_model(tmp_path / "model.keras", compile=False)
    given = [
        tf.random.stateless_normal([2, *(side or 12 for side in each.shape[1:])], [1, at])
        for at, each in enumerate(network.inputs)
    ]
    outputs = [network(given), loaded(given)]
    for one, other in zip(*map(tf.nest.flatten, outputs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
