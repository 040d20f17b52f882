"""Without peepholes the layers are those of Keras: same weights, same results and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, BiLSTM, PeepholeLSTM, SimpleRNN

UNITS = 3
OPTIONS = {"return_sequences": True, "return_state": True, "bias_initializer": "random_normal"}

PAIRS = {
    "lstm": (
        lambda **options: PeepholeLSTM(UNITS, peepholes="", **options),
        lambda **options: keras.layers.LSTM(UNITS, **options),
    ),
    "gru": (
        lambda **options: GRU(UNITS, **options),
        lambda **options: keras.layers.GRU(UNITS, **options),
    ),
    "gru_reset_before": (
        lambda **options: GRU(UNITS, reset_after=False, **options),
        lambda **options: keras.layers.GRU(UNITS, reset_after=False, **options),
    ),
    "simple_rnn": (
        lambda **options: SimpleRNN(UNITS, **options),
        lambda **options: keras.layers.SimpleRNN(UNITS, **options),
    ),
    "bilstm": (
        lambda **options: BiLSTM(UNITS, cell="lstm", **options),
        lambda **options: keras.layers.Bidirectional(
            # At masked steps Keras's backward outputs are aligned with the forward ones only so.
            keras.layers.LSTM(UNITS, zero_output_for_mask=True, **options)
        ),
    ),
    "bigru": (
        lambda **options: BiLSTM(UNITS, cell="gru", **options),
        lambda **options: keras.layers.Bidirectional(
            keras.layers.GRU(UNITS, zero_output_for_mask=True, **options)
        ),
    ),
}


@pytest.fixture(params=PAIRS)
def pair(request):
    """How to make a layer of ours, and the one of Keras."""
    return PAIRS[request.param]


def _assert_equal(ours, theirs, sequences, mask=None, initial_state=None):
    theirs.build(sequences.shape)
    ours.build(sequences.shape)
    ours.set_weights(theirs.get_weights())
    results = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            x = tf.constant(sequences)
            states = None if initial_state is None else [tf.constant(s) for s in initial_state]
            tape.watch([x, states or []])
            outputs = layer(x, mask=mask, initial_state=states)
            weights = [tf.cos(tf.range(tf.size(y), dtype=tf.float32)) for y in outputs]
            loss = tf.add_n(
                [
                    tf.reduce_sum(tf.reshape(y, [-1]) * w)
                    for y, w in zip(outputs, weights, strict=True)
                ]
            )
        variables = [weight.value for weight in layer.trainable_variables]
        results.append([*outputs, *tape.gradient(loss, [*variables, x, *(states or [])])])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_outputs_states_and_gradients(pair, sequences):
    ours, theirs = (make(**OPTIONS) for make in pair)
    rng = np.random.default_rng(1)
    states = ours.compute_output_shape(sequences.shape)[1:]
    initial_state = [rng.normal(size=shape).astype("float32") for shape in states]
    _assert_equal(ours, theirs, sequences, initial_state=initial_state)


@pytest.mark.parametrize("kind", ["right", "left", "gaps", "mixed"])
def test_under_masks(pair, sequences, masks, kind):
    ours, theirs = (make(**OPTIONS) for make in pair)
    _assert_equal(ours, theirs, sequences, mask=tf.constant(masks[kind]))


@pytest.mark.parametrize("name", ["lstm", "gru", "gru_reset_before", "simple_rnn"])
@pytest.mark.parametrize("masked", [False, True])
def test_backwards(name, masked, sequences, masks):
    ours, theirs = (make(go_backwards=True, **OPTIONS) for make in PAIRS[name])
    _assert_equal(ours, theirs, sequences, mask=tf.constant(masks["mixed"]) if masked else None)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_zero_output_for_mask(name, sequences, masks):
    ours, theirs = (make(zero_output_for_mask=True, **OPTIONS) for make in PAIRS[name])
    _assert_equal(ours, theirs, sequences, mask=tf.constant(masks["mixed"]))


@pytest.mark.parametrize("name", ["lstm", "gru", "bilstm"])
def test_last_output_alone(name, sequences, masks):
    options = {**OPTIONS, "return_sequences": False}
    if name == "bilstm":
        # Here Keras's zeros at masked steps would hide the forward layer's last output.
        ours = PAIRS[name][0](**options)
        theirs = keras.layers.Bidirectional(keras.layers.LSTM(UNITS, **options))
    else:
        ours, theirs = (make(**options) for make in PAIRS[name])
    _assert_equal(ours, theirs, sequences, mask=tf.constant(masks["mixed"]))


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
def test_every_way_to_merge_two_directions(merge_mode, sequences):
    ours = BiLSTM(UNITS, "lstm", merge_mode, **OPTIONS)
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(UNITS, **OPTIONS), merge_mode=merge_mode)
    _assert_equal(ours, theirs, sequences)
