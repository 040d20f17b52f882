"""What every layer does with masks, alone and inside Keras's wrappers."""

import keras
import numpy as np
import pytest
import tensorflow as tf


def _row_without_gaps(layer, sequences, mask, row):
    """What the layer gives for the unmasked steps of one row alone."""
    return layer(sequences[row : row + 1, mask[row]])


@pytest.mark.parametrize("kind", ["right", "left", "gaps"])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_masked_steps_might_as_well_not_be_there(
    make_layer, sequences, masks, kind, return_sequences
):
    layer = make_layer(return_sequences=return_sequences)
    mask = masks[kind]
    outputs = layer(sequences, mask=tf.constant(mask)).numpy()
    for row in range(len(mask)):
        result = outputs[row : row + 1]
        if return_sequences:
            result = result[:, mask[row]]
        expected = _row_without_gaps(layer, sequences, mask, row)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["right", "left", "gaps", "mixed"])
def test_no_gradient_flows_into_masked_steps(make_layer, sequences, masks, kind):
    layer = make_layer(return_sequences=True)
    mask = masks[kind]
    x = tf.constant(sequences)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x, mask=tf.constant(mask)) ** 2)
    gradient = tape.gradient(loss, x).numpy()
    assert not gradient[~mask].any()
    assert gradient[mask].all()


def test_what_is_in_masked_steps_does_not_matter(make_layer, sequences, masks):
    layer = make_layer(return_sequences=True, return_state=True)
    mask = masks["mixed"]
    noise = np.where(mask[..., None], sequences, 1e3).astype("float32")
    for one, other in zip(
        layer(sequences, mask=tf.constant(mask)), layer(noise, mask=tf.constant(mask)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_fully_masked_row_ends_in_its_initial_state(make_single_layer, sequences):
    layer = make_single_layer(return_state=True)
    rng = np.random.default_rng(1)
    states = [rng.normal(size=(4, 3)).astype("float32") for _ in layer.state_size]
    mask = tf.constant(np.arange(4)[:, None] * np.ones((1, 6)) != 2)
    output, *last = layer(sequences, initial_state=states, mask=mask)
    for state, before in zip(last, states, strict=True):
        np.testing.assert_array_equal(state[2], before[2])
        assert (state.numpy()[[0, 1, 3]] != before[[0, 1, 3]]).all()
    np.testing.assert_array_equal(output[2], states[0][2])


def test_a_mask_of_integers_or_of_ones_is_a_mask(make_layer, sequences, masks):
    layer = make_layer()
    expected = layer(sequences, mask=tf.constant(masks["gaps"]))
    integers = layer(sequences, mask=tf.constant(masks["gaps"].astype("int32")))
    np.testing.assert_array_equal(integers, expected)
    ones = layer(sequences, mask=tf.ones((4, 6), tf.bool))
    np.testing.assert_allclose(ones, layer(sequences), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("upstream", ["masking", "embedding"])
def test_masks_come_from_upstream_and_go_on_downstream(make_layer, masks, upstream):
    mask = masks["mixed"]
    if upstream == "masking":
        inputs = keras.Input((None, 2))
        masked = keras.layers.Masking()(inputs)
        values = (mask[..., None] * np.ones((1, 1, 2))).astype("float32")
    else:
        inputs = keras.Input((None,), dtype="int32")
        masked = keras.layers.Embedding(5, 2, mask_zero=True)(inputs)
        values = mask * np.array([1, 2, 3, 4, 1, 2])
    first, second = make_layer(return_sequences=True), make_layer()
    between = first(masked)
    model = keras.Model(inputs, [masked, between, second(between)])
    x, h, last = model(values)
    np.testing.assert_allclose(h, first(x, mask=tf.constant(mask)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, second(h, mask=tf.constant(mask)), rtol=1e-5, atol=1e-6)


def test_only_the_outputs_of_every_step_carry_the_mask_on(make_layer, sequences, masks):
    mask = tf.constant(masks["gaps"])
    assert make_layer().supports_masking
    assert make_layer().compute_mask(sequences, mask) is None
    outputs = make_layer(return_sequences=True, return_state=True)(sequences, mask=mask)
    np.testing.assert_array_equal(keras.src.backend.get_keras_mask(outputs[0]), mask)
    assert all(keras.src.backend.get_keras_mask(state) is None for state in outputs[1:])


def test_backwards_outputs_carry_a_mask_in_their_own_order(make_causal_layer, sequences, masks):
    """Outputs of `go_backwards` start with the last step: so must the mask that goes with them."""
    mask = masks["right"]
    backwards = make_causal_layer(return_sequences=True, go_backwards=True)
    outputs = backwards(sequences, mask=tf.constant(mask))
    np.testing.assert_array_equal(keras.src.backend.get_keras_mask(outputs), mask[:, ::-1])


@pytest.mark.parametrize("return_sequences", [False, True])
def test_inside_bidirectional(make_causal_layer, sequences, masks, return_sequences):
    layer = make_causal_layer(return_sequences=return_sequences)
    wrapped = keras.layers.Bidirectional(layer)
    mask = masks["gaps"]
    outputs = wrapped(sequences, mask=tf.constant(mask)).numpy()
    for row in range(len(mask)):
        expected = wrapped(sequences[row : row + 1, mask[row]])
        result = outputs[row : row + 1]
        result = result[:, mask[row]] if return_sequences else result
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_inside_bidirectional_it_is_the_layer_of_this_package(make_causal_layer, sequences):
    """`Bidirectional` copies its layer from the configuration, and must copy all of it."""
    layer = make_causal_layer(return_sequences=True)
    wrapped = keras.layers.Bidirectional(layer)
    outputs = wrapped(sequences)
    half = wrapped.backward_layer
    assert type(half) is type(layer)
    np.testing.assert_allclose(outputs[..., 3:], half(sequences)[:, ::-1], rtol=1e-6)


def test_inside_time_distributed(make_layer, sequences, masks):
    """Every slice of (batch, outer, time, features) under its own mask (batch, outer, time)."""
    layer = make_layer()
    x = np.stack([sequences, sequences[::-1], 2 * sequences], axis=1)
    mask = np.stack([masks["right"], masks["left"], masks["gaps"]], axis=1)
    outputs = keras.layers.TimeDistributed(layer)(x, mask=tf.constant(mask))
    for slot in range(3):
        expected = layer(x[:, slot], mask=tf.constant(mask[:, slot]))
        np.testing.assert_allclose(outputs[:, slot], expected, rtol=1e-5, atol=1e-6)


def test_inside_time_distributed_in_a_functional_model(make_layer, sequences):
    inputs = keras.Input((3, None, 2))
    layer = make_layer()
    outputs = keras.layers.TimeDistributed(layer)(inputs)
    assert outputs.shape == (None, 3, layer.compute_output_shape((4, 6, 2))[-1])
    x = np.stack([sequences, sequences[::-1], 2 * sequences], axis=1)
    result = keras.Model(inputs, outputs)(x)
    np.testing.assert_allclose(result[:, 1], layer(x[:, 1]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("upstream", ["masking", "embedding"])
@pytest.mark.parametrize("functional", [False, True])
def test_the_mask_that_sequences_carry_acts_when_states_are_given(
    make_layer, masks, upstream, functional
):
    """A decoder reads padded sequences from an encoder's states. Keras's layers lose the mask."""
    mask = masks["mixed"]
    if upstream == "masking":
        inputs = keras.Input((None, 2))
        masking = keras.layers.Masking()
        values = (mask[..., None] * np.ones((1, 1, 2))).astype("float32")
    else:
        inputs = keras.Input((None,), dtype="int32")
        masking = keras.layers.Embedding(5, 2, mask_zero=True)
        values = mask * np.array([1, 2, 3, 4, 1, 2])
    layer = make_layer(return_sequences=True)
    sizes = layer.state_size
    states = [np.full((4, size), 0.1 * n + 0.1, "float32") for n, size in enumerate(sizes)]
    expected = layer(np.asarray(masking(values)), initial_state=states, mask=tf.constant(mask))
    if functional:
        given = [keras.Input((size,)) for size in sizes]
        model = keras.Model([inputs, *given], layer(masking(inputs), initial_state=given))
        outputs = model([values, *states])
    else:
        outputs = layer(masking(values), initial_state=states)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    unmasked = layer(np.asarray(masking(values)), initial_state=states)
    assert np.abs(outputs - unmasked).max() > 1e-3


def test_it_acts_inside_bidirectional_too(make_causal_layer, masks):
    tokens = masks["right"] * np.array([1, 2, 3, 4, 1, 2])
    embedding = keras.layers.Embedding(5, 2, mask_zero=True)
    layer = keras.layers.Bidirectional(make_causal_layer())
    sizes = layer.forward_layer.state_size * 2
    states = [np.full((4, size), 0.2, "float32") for size in sizes]
    expected = layer(
        np.asarray(embedding(tokens)), initial_state=states, mask=tf.constant(masks["right"])
    )
    np.testing.assert_allclose(
        layer(embedding(tokens), initial_state=states), expected, rtol=1e-5, atol=1e-6
    )


def test_a_mask_that_is_given_goes_before_the_one_that_sequences_carry(make_layer, masks):
    embedded = keras.layers.Embedding(5, 2, mask_zero=True)(masks["right"].astype("int32"))
    layer = make_layer()
    states = [np.zeros((4, size), "float32") for size in layer.state_size]
    mask = tf.constant(masks["gaps"])
    expected = layer(np.asarray(embedded), mask=mask)
    given = layer(embedded, mask=mask, initial_state=states)
    np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("static", [False, True])
def test_a_mask_of_one_row_is_that_of_all_rows(make_layer, sequences, masks, static):
    layer = make_layer(return_sequences=True)
    row = masks["gaps"][:1]
    layer.build((None, None, 2))
    expected = layer(sequences, mask=tf.constant(np.repeat(row, 4, axis=0)))
    signature = [tf.TensorSpec([None, None, 2]), tf.TensorSpec([None, None], tf.bool)]
    traced = tf.function(lambda x, mask: layer(x, mask=mask), input_signature=signature)
    run = (lambda x, mask: layer(x, mask=mask)) if static else traced
    np.testing.assert_allclose(run(sequences, tf.constant(row)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(6,), (4, 5), (4, 7), (3, 6), (4, 6, 1), (6, 4)])
def test_a_mask_of_another_shape_is_refused(make_layer, sequences, shape):
    with pytest.raises(ValueError, match=r"mask of .* expected \(batch, time\) = \(4, 6\)"):
        make_layer()(sequences, mask=tf.ones(shape, tf.bool))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("graph", [False, True])
def test_nan_in_masked_steps_reaches_no_gradient(make_layer, sequences, masks, value, graph):
    layer = make_layer(return_sequences=True)
    layer.build(sequences.shape)
    mask = masks["mixed"]
    weights = [weight.value for weight in layer.trainable_weights]

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, mask=tf.constant(mask), training=graph) ** 2)
        return tape.gradient(loss, [x, *weights])

    run = tf.function(gradients) if graph else gradients
    holed = np.where(mask[..., None], sequences, value).astype("float32")
    for one, other in zip(run(tf.constant(holed)), run(tf.constant(sequences)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
