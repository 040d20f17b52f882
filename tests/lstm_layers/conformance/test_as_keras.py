"""The tests of `keras/src/layers/rnn`, in own words, against the equations in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import BiLSTM
from lstm_layers.peephole_lstm import PeepholeLSTMCell
from tests.lstm_layers.conformance import recurrences_in_numpy

ALL = {"return_sequences": True, "return_state": True}
WAYS = {
    "as it comes": {},
    "unrolled": {"unroll": True},
    "backwards": {"go_backwards": True},
    "backwards and unrolled": {"go_backwards": True, "unroll": True},
}


def _given(counterpart, states):
    return states[: 2 if counterpart.kind == "lstm" else 1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("constant", [0.01, 0.4])
def test_layers_whose_weights_are_all_one_constant(counterpart, assert_close, way, constant):
    """A kernel, recurrent kernel and bias of constants over an input that counts upwards."""
    initializers = {
        f"{name}_initializer": keras.initializers.Constant(value)
        for name, value in (
            ("kernel", constant),
            ("recurrent", 2 * constant),
            ("bias", 3 * constant),
        )
    }
    x = np.arange(72.0).reshape(3, 6, 4) / 36.0
    options = {"go_backwards": WAYS[way].get("go_backwards", False)}
    layer = counterpart.make(**ALL, **WAYS[way], **initializers)
    outputs, *last = layer(x)
    expected, state = counterpart.expected(layer, x, backwards=options["go_backwards"])
    assert_close([outputs, *last], [expected, *state])
    alone = counterpart.make(**WAYS[way], **initializers)
    assert_close(alone(x), expected[:, -1])


def test_counts_of_weights_and_of_seeds(counterpart, sequences):
    """A layer has three kinds of weights, peepholes apart, and a seed where it drops values."""
    layer = counterpart.make()
    layer(sequences)
    peepholes = [w for w in layer.weights if w.path.endswith("peephole")]
    assert len(layer.trainable_weights) - len(peepholes) == 3
    assert not layer.non_trainable_weights
    dropped = counterpart.make(dropout=0.3, recurrent_dropout=0.2)
    dropped(sequences, training=True)
    assert len(dropped.non_trainable_variables) == 1
    assert dropped.supports_masking


def test_a_stateful_layer_goes_on_until_it_is_reset(counterpart, sequences, assert_close):
    layer = counterpart.make(stateful=True)
    layer.build(sequences.shape)
    counterpart.draw(layer)
    first, state = counterpart.expected(layer, sequences)
    second, _ = counterpart.expected(layer, sequences, state=state)
    assert_close(layer(sequences), first[:, -1])
    assert_close(layer(sequences), second[:, -1])
    layer.reset_state()
    assert_close(layer(sequences), first[:, -1])


def test_a_stateful_layer_starts_from_states_that_are_given(
    counterpart, sequences, states, assert_close
):
    """A given state goes before the kept one, and the next call goes on from its end."""
    given = _given(counterpart, states)
    layer = counterpart.make(stateful=True)
    layer.build(sequences.shape)
    counterpart.draw(layer)
    layer(sequences)
    first, state = counterpart.expected(layer, sequences, state=given)
    second, _ = counterpart.expected(layer, sequences, state=state)
    assert_close(layer(sequences, initial_state=given), first[:, -1])
    assert_close(layer(sequences), second[:, -1])


@pytest.mark.parametrize("backwards", [False, True])
def test_initial_states(counterpart, sequences, states, assert_close, backwards):
    given = _given(counterpart, states)
    layer = counterpart.build(**ALL, go_backwards=backwards)
    outputs, *last = layer(sequences, initial_state=given)
    expected, state = counterpart.expected(layer, sequences, state=given, backwards=backwards)
    assert_close([outputs, *last], [expected, *state])


@pytest.mark.parametrize("kind", ["right", "left", "gaps", "mixed"])
@pytest.mark.parametrize("way", WAYS)
def test_masks(counterpart, sequences, masks, assert_close, kind, way):
    mask = masks[kind]
    layer = counterpart.build(**ALL, **WAYS[way])
    outputs, *last = layer(sequences, mask=tf.constant(mask))
    backwards = "go_backwards" in WAYS[way]
    expected, state = counterpart.expected(layer, sequences, mask=mask, backwards=backwards)
    assert_close([outputs, *last], [expected, *state])


def test_zeros_at_masked_steps(counterpart, sequences, masks, assert_close):
    mask = masks["mixed"]
    layer = counterpart.build(**ALL, zero_output_for_mask=True)
    outputs, *last = layer(sequences, mask=tf.constant(mask))
    expected, state = counterpart.expected(layer, sequences, mask=mask)
    assert_close([outputs, *last], [expected * mask[..., None], *state])


def test_a_layer_of_one_batch_size_takes_no_other(counterpart, sequences):
    layer = counterpart.make(stateful=True)
    layer.build((4, None, 2))
    with pytest.raises(ValueError, match="batch size"):
        layer(sequences[:2])


def test_a_batch_size_that_only_the_call_tells(counterpart, assert_close):
    """Batch and time unknown to the symbolic call, and two different ones after it."""
    inputs = keras.Input((None, 2))
    layer = counterpart.make(return_sequences=True)
    outputs = layer(inputs)
    assert outputs.shape == (None, None, 3)
    counterpart.draw(layer)
    model = keras.Model(inputs, outputs)
    for batch, time in ((2, 5), (7, 1)):
        x = np.random.default_rng(batch).normal(size=(batch, time, 2))
        assert_close(model(x), counterpart.expected(layer, x)[0])


def test_shapes_that_are_announced(counterpart):
    size = {"lstm": 2}.get(counterpart.kind, 1)
    assert counterpart.make().compute_output_shape((5, 7, 2)) == (5, 3)
    assert counterpart.make(return_sequences=True).compute_output_shape((5, 7, 2)) == (5, 7, 3)
    shapes = counterpart.make(**ALL).compute_output_shape((None, 7, 2))
    assert tuple(map(tuple, shapes)) == ((None, 7, 3), *[(None, 3)] * size)


def test_cells_of_ours_in_the_stack_of_keras(sequences, states, masks, assert_close):
    """`keras.layers.RNN` over `StackedRNNCells`, from states, under a mask.

    The mask has no gap at the start: Keras gives zeros there, and our layers the initial h.
    """
    cells = [PeepholeLSTMCell(3), PeepholeLSTMCell(3)]
    stack = keras.layers.RNN(cells, **ALL)
    given = [states, [state[::-1] for state in states]]
    stack.build(sequences.shape)
    rng = np.random.default_rng(5)
    for weight in stack.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    mask = masks["right"]
    outputs, *last = stack(sequences, initial_state=given, mask=tf.constant(mask))
    expected, ends = sequences, []
    for cell, state in zip(cells, given, strict=True):
        weights = recurrences_in_numpy.weights_of(cell)
        expected, end = recurrences_in_numpy.run("lstm", weights, expected, state, mask)
        ends.append(end)
    assert_close(outputs, expected)
    for one, other in zip(last, ends, strict=True):
        assert_close(list(one), other)


def _two_directions(counterpart, wrapped, options):
    """Makes our layer of two directions, or that of Keras around ours; returns it and its halves"""
    if wrapped:
        layer = keras.layers.Bidirectional(counterpart.make(**ALL), **options)
    else:
        kind = {"simple": "rnn"}.get(counterpart.kind, counterpart.kind)
        own = counterpart.make().get_config()
        names = {"reset_after"} if kind == "gru" else set()
        kind = "peephole_lstm" if kind == "lstm" and own["peepholes"] else kind
        layer = BiLSTM(3, kind, **ALL, **options, **{name: own[name] for name in names})
    layer.build((None, None, 2))
    rng = np.random.default_rng(11)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=0.7, size=weight.shape))
    return layer, (layer.forward_layer, layer.backward_layer)


MERGED = {
    "concat": lambda one, other: np.concatenate([one, other], -1),
    "sum": lambda one, other: one + other,
    "mul": lambda one, other: one * other,
    "ave": lambda one, other: (one + other) / 2,
}


@pytest.mark.parametrize("merge_mode", [*MERGED, None])
@pytest.mark.parametrize("wrapped", [False, True])
def test_two_directions_are_merged(
    counterpart, sequences, states, assert_close, merge_mode, wrapped
):
    layer, halves = _two_directions(counterpart, wrapped, {"merge_mode": merge_mode})
    given = _given(counterpart, states)
    both = [*given, *(state[::-1] for state in given)]
    found = layer(sequences, initial_state=both)
    one, end = counterpart.expected(halves[0], sequences, state=both[: len(given)])
    other, start = counterpart.expected(
        halves[1], sequences, state=both[len(given) :], backwards=True
    )
    other = other[:, ::-1]
    merged = [one, other] if merge_mode is None else [MERGED[merge_mode](one, other)]
    if wrapped and merge_mode is None:
        found = [*found]
    assert_close(list(found), [*merged, *end, *start])


@pytest.mark.parametrize("kind", ["right", "left", "gaps"])
def test_two_directions_under_masks(counterpart, sequences, masks, assert_close, kind):
    """A backward output stands at its own step, and those of masked steps are zero."""
    mask = masks[kind]
    layer, (forward, backward) = _two_directions(counterpart, False, {})
    outputs, *last = layer(sequences, mask=tf.constant(mask))
    one, end = counterpart.expected(forward, sequences, mask=mask)
    other, start = counterpart.expected(backward, sequences, mask=mask, backwards=True)
    merged = np.concatenate([one, other[:, ::-1]], -1) * mask[..., None]
    assert_close([outputs, *last], [merged, *end, *start])


def test_two_stateful_directions_go_on(counterpart, sequences, assert_close):
    layer = keras.layers.Bidirectional(counterpart.make(stateful=True))
    first = layer(sequences)
    halves = layer.forward_layer, layer.backward_layer
    states = [counterpart.expected(h, sequences, backwards=b)[1] for b, h in enumerate(halves)]
    assert_close(first, np.concatenate([state[0] for state in states], -1))
    again = [
        counterpart.expected(h, sequences, state=s, backwards=b)[1][0]
        for b, (h, s) in enumerate(zip(halves, states, strict=True))
    ]
    assert_close(layer(sequences), np.concatenate(again, -1))
    layer.reset_state()
    assert_close(layer(sequences), first)


def test_a_number_for_the_implementation_is_refused_with_the_names(counterpart):
    """Keras once chose between two ways to multiply by `implementation=1` or `2`."""
    with pytest.raises(ValueError, match=r"implementation must be one of .*'auto'"):
        counterpart.make(implementation=2)
