import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import PeepholeLSTM, PeepholeLSTMCell

SUBSETS = ["", "i", "f", "o", "if", "io", "fo", "ifo"]


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def _by_the_equations(layer, x, h, c):
    kernel, recurrent_kernel, bias = (weight.numpy() for weight in layer.weights[:3])
    peepholes = dict(zip(layer.cell.peepholes, layer.weights[3:], strict=True))
    p_i, p_f, p_o = (np.asarray(peepholes.get(gate, 0.0)) for gate in "ifo")
    outputs = []
    for t in range(x.shape[1]):
        z_i, z_f, z_g, z_o = np.split(x[:, t] @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        i, f = _sigmoid(z_i + p_i * c), _sigmoid(z_f + p_f * c)
        c = f * c + i * np.tanh(z_g)
        h = _sigmoid(z_o + p_o * c) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1), h, c


def _layer(subset, **options):
    return PeepholeLSTM(
        3,
        peepholes=subset,
        bias_initializer="random_normal",
        peephole_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=1),
        return_sequences=True,
        return_state=True,
        dtype="float64",
        **options,
    )


def _inputs():
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, 4, 2)), rng.normal(size=(2, 3)), rng.normal(size=(2, 3))


@pytest.mark.parametrize("subset", SUBSETS)
def test_layer_follows_the_equations_from_any_state(subset):
    x, h, c = _inputs()
    layer = _layer(subset)
    results = layer(x, initial_state=[h, c])
    for result, expected in zip(results, _by_the_equations(layer, x, h, c), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-10)


@pytest.mark.parametrize("subset", ["io", "ifo"])  # the other ones: recurrences/test_lstm_graph.py
def test_gradient_of_every_weight_input_and_state(assert_gradients, subset):
    x, h, c = (tf.Variable(value, name=name) for name, value in zip("xhc", _inputs(), strict=True))
    layer = _layer(subset)
    layer.build(x.shape)

    def loss():
        outputs, h_last, c_last = layer(
            tf.convert_to_tensor(x), initial_state=[tf.convert_to_tensor(s) for s in (h, c)]
        )
        return (
            tf.reduce_sum(outputs * np.arange(24.0).reshape(2, 4, 3))
            + tf.reduce_sum(h_last**2)
            + tf.reduce_sum(tf.sin(c_last))
        )

    assert_gradients(loss, [*(weight.value for weight in layer.weights), x, h, c])


def test_weights_are_in_the_documented_order_with_the_documented_shapes():
    layer = PeepholeLSTM(3)
    layer.build((None, None, 2))
    assert [(weight.name, tuple(weight.shape)) for weight in layer.weights] == [
        ("kernel", (2, 12)),
        ("recurrent_kernel", (3, 12)),
        ("bias", (12,)),
        ("input_peephole", (3,)),
        ("forget_peephole", (3,)),
        ("output_peephole", (3,)),
    ]


def test_a_new_layer_is_a_plain_lstm_whose_forget_gate_is_open():
    layer = PeepholeLSTM(2, peepholes="of")
    layer.build((None, None, 2))
    np.testing.assert_array_equal(layer.weights[2], [0, 0, 1, 1, 0, 0, 0, 0])
    assert [weight.name for weight in layer.weights[3:]] == ["forget_peephole", "output_peephole"]
    assert not np.any(layer.weights[3:])
    without = PeepholeLSTM(2, unit_forget_bias=False)
    without.build((None, None, 2))
    assert not np.any(without.weights[2])


@pytest.mark.parametrize("peepholes", ["x", "iff", "ifoc", "I", "all"])
def test_unknown_or_repeated_gate_letters_are_refused(peepholes):
    with pytest.raises(ValueError, match='letters of "ifo"'):
        PeepholeLSTM(2, peepholes=peepholes)


def test_weights_take_their_regularizer_and_constraint():
    layer = PeepholeLSTM(
        2,
        peephole_initializer="ones",
        peephole_regularizer=keras.regularizers.L1(0.5),
        peephole_constraint=keras.constraints.MaxNorm(0.1),
    )
    layer(np.zeros((1, 2, 2), "float32"))
    assert float(tf.add_n(layer.losses)) == pytest.approx(0.5 * 6)  # three peepholes of two ones
    assert all(weight.constraint is not None for weight in layer.weights[3:])


def test_without_bias_the_layer_runs_and_has_none():
    layer = PeepholeLSTM(2, use_bias=False)
    assert layer(np.ones((1, 2, 2), "float32")).shape == (1, 2)
    assert len(layer.weights) == 2 + 3


def test_cell_takes_one_step_of_the_layer():
    x, h, c = _inputs()
    layer = _layer("ifo")
    expected, *_ = layer(x[:, :1], initial_state=[h, c])
    cell = PeepholeLSTMCell(3, dtype="float64")
    cell.build((None, 2))
    cell.set_weights(layer.get_weights())
    output, (h_new, _) = cell(x[:, 0], [h, c])
    np.testing.assert_allclose(output, expected[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(output, h_new)
