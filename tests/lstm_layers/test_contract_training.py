"""Every layer under `fit`, under XLA, and in mixed precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, PeepholeLSTM


def _model(layer):
    tokens = keras.Input((6,), dtype="int32")
    embedded = keras.layers.Embedding(5, 2, mask_zero=True)(tokens)
    return keras.Model(tokens, keras.layers.Dense(1, dtype="float32")(layer(embedded)))


def _batches():
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 5, (8, 6))
    tokens[np.arange(6)[None] >= rng.integers(1, 7, (8, 1))] = 0
    return tf.data.Dataset.from_tensors((tokens, rng.normal(size=(8, 1)))).repeat(2)


def test_fit_gives_the_same_with_and_without_xla_and_moves_every_weight(make_layer):
    results = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        layer = make_layer()
        model = _model(layer)
        before = [variable.numpy() for variable in layer.trainable_variables]
        model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=jit_compile)
        history = model.fit(_batches(), epochs=2, shuffle=False, verbose=0)
        after = [variable.numpy() for variable in layer.trainable_variables]
        for variable, old, new in zip(layer.trainable_variables, before, after, strict=True):
            assert (old != new).any(), variable.path
        results.append([history.history["loss"], *after])
    for plain, compiled in zip(*results, strict=True):
        # Normalising few units divides by small deviations: a long step would enlarge rounding
        np.testing.assert_allclose(plain, compiled, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("layer_class", [PeepholeLSTM, GRU])
def test_dropout_of_every_kind_trains_under_xla(layer_class):
    layer = layer_class(3, dropout=0.2, recurrent_dropout=0.2, weight_dropout=0.2)
    model = _model(layer)
    model.compile("sgd", "mse", jit_compile=True)
    assert np.isfinite(model.fit(_batches(), shuffle=False, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_close_to_float32(make_layer, sequences, masks, policy):
    layer = make_layer(return_sequences=True, return_state=True)
    expected = layer(sequences, mask=tf.constant(masks["mixed"]))
    mixed = make_layer(return_sequences=True, return_state=True, dtype=policy)
    mixed.build(sequences.shape)
    mixed.set_weights(layer.get_weights())
    results = mixed(sequences, mask=tf.constant(masks["mixed"]))
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    for result, reference in zip(results, expected, strict=True):
        assert keras.backend.standardize_dtype(result.dtype) == policy.removeprefix("mixed_")
        np.testing.assert_allclose(
            tf.cast(result, tf.float32), reference, atol=0.03 if "bfloat16" in policy else 0.008
        )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_step_of_fit_in_mixed_precision_moves_the_weights_of_every_variable(make_layer, policy):
    keras.utils.set_random_seed(0)
    layer = make_layer(dtype=policy)
    model = _model(layer)
    before = [variable.numpy() for variable in layer.trainable_variables]
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=False)
    assert np.isfinite(model.fit(_batches(), shuffle=False, verbose=0).history["loss"]).all()
    moved = []
    for variable, old in zip(layer.trainable_variables, before, strict=True):
        assert np.isfinite(variable.numpy()).all()
        assert (variable.numpy() != old).any(), variable.path
        moved.append((variable.numpy() != old).ravel())
    # In 16 bits the parts of a gradient can cancel to 0, which processors differ in
    assert np.mean(np.concatenate(moved)) > 0.9


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_small_increments_add_up_in_mixed_precision(policy):
    """A sum kept in 16 bits would stop growing long before the end."""
    lstm = PeepholeLSTM(
        1, "", activation="linear", recurrent_activation="hard_sigmoid", dtype=policy
    )
    lstm.build((1, 1000, 1))
    bias = np.array([10.0, 10.0, 1.0 / 512.0, 10.0])  # gates wide open, 1/512 a step
    lstm.set_weights([np.zeros((1, 4)), np.zeros((1, 4)), bias])
    assert _last_of_1000_steps(lstm) == pytest.approx(1000 / 512, rel=0.01)

    gru = GRU(1, activation="linear", dtype=policy)
    gru.build((1, 1000, 1))
    bias = np.zeros((2, 3))
    bias[0] = 8.0, 0.0, 1.0  # the state moves to 1 by 1/2981 of the way each step
    gru.set_weights([np.zeros((1, 3)), np.zeros((1, 3)), bias])
    expected = 1.0 - (1.0 / (1.0 + np.exp(-8.0))) ** 1000
    assert _last_of_1000_steps(gru) == pytest.approx(expected, rel=0.02)


def _last_of_1000_steps(layer):
    return tf.function(layer)(tf.zeros((1, 1000, 1))).numpy().item()


def test_peepholes_are_not_rounded_to_16_bits():
    """At a cell state of 100, a peephole of 1.003 is worth 0.3 more than its rounded value."""
    layer = PeepholeLSTM(1, "f", return_state=True, dtype="mixed_bfloat16")
    layer.build((1, 1, 1))
    bias = np.array([-100.0, -100.0, 0.0, 0.0])
    layer.set_weights([np.zeros((1, 4)), np.zeros((1, 4)), bias, np.array([1.003])])
    state = [np.zeros((1, 1), "float32"), np.full((1, 1), 100.0, "float32")]
    *_, c = layer(np.zeros((1, 1, 1), "float32"), initial_state=state)
    assert tf.cast(c, tf.float32).numpy().item() == pytest.approx(
        100.0 / (1.0 + np.exp(-0.3)), rel=0.01
    )
