"""The layer against the equations in NumPy, step by step, under masks, and after saving."""

import keras
import numpy as np
import pytest

from lstm_layers import AttentionLSTM
from lstm_layers.attention_lstm import SCORES
from tests.lstm_layers import lstm_in_numpy

UNITS, BATCH, TIME, STEPS = 3, 4, 6, 5
OPTIONS = {"dot": {}, "general": {}, "additive": {"attention_units": 4}}
MEMORY_MASK = np.array([[1] * 5, [1, 1, 0, 0, 0], [0, 1, 0, 1, 1], [0] * 5], bool)
EVERYTHING = {"return_state": True, "return_attention": True}

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the ways of TensorFlow"
)


def array(values):
    return keras.ops.convert_to_numpy(values)


def made(score, size=3, **options):
    """A layer whose weights are all away from zero, and its memory."""
    layer = AttentionLSTM(UNITS, score, **{**OPTIONS[score], **EVERYTHING, **options})
    layer.build((BATCH, TIME, 2), (BATCH, STEPS, size))
    draw = np.random.default_rng(5)
    layer.set_weights([draw.normal(size=weight.shape) * 0.7 for weight in layer.weights])
    return layer, draw.normal(size=(BATCH, STEPS, size)).astype("float32")


def in_numpy(layer, h, memory, mask):
    """y and attention for h, one row and one step after another."""
    named = {weight.name: array(weight).astype("float64") for weight in layer.weights}
    outputs = np.zeros((*h.shape[:2], layer.units))
    attention = np.zeros((*h.shape[:2], memory.shape[1]))
    for row, step in np.ndindex(*h.shape[:2]):
        places = np.flatnonzero(mask[row])
        scores = []
        for place in places:
            m, query = memory[row, place], h[row, step]
            if layer.score == "additive":
                inner = query @ named["query_kernel"] + m @ named["memory_kernel"]
                inner = np.tanh(inner + named["attention_bias"])
                scores.append(inner @ named["attention_vector"])
            else:
                scores.append(query @ (m @ named["memory_kernel"] if layer.score != "dot" else m))
        if len(places):
            powers = np.exp(np.array(scores))
            attention[row, step, places] = powers / powers.sum()
        context = attention[row, step] @ np.where(mask[row][:, None], memory[row], 0.0)
        joined = np.concatenate([context, h[row, step]])
        outputs[row, step] = np.tanh(joined @ named["output_kernel"])
    return outputs, attention


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("kind", ["right", "gaps"])
def test_outputs_attention_and_states_are_those_of_the_equations(score, kind, sequences, masks):
    layer, memory = made(score, peephole_initializer="zeros")
    states = [np.random.default_rng(n).normal(size=(BATCH, UNITS)) for n in range(2)]
    given = [each.astype("float32") for each in states]
    mask = masks[kind]
    found, attention, *last = layer(
        sequences, memory, initial_state=given, mask=mask, memory_mask=MEMORY_MASK
    )
    weights = {weight.name: array(weight).astype("float64") for weight in layer.weights}
    options = {"peepholes": ""}
    h, expected_states, *_ = lstm_in_numpy.run(weights, options, sequences, states, keep=mask)
    outputs, expected = in_numpy(layer, h, memory, MEMORY_MASK)
    np.testing.assert_allclose(array(found), outputs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(array(attention), expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(last, expected_states, strict=True):
        np.testing.assert_allclose(array(one), other, rtol=1e-4, atol=1e-5)
    assert (array(attention)[3] == 0).all()  # nothing counts there
    assert (array(attention)[~np.repeat(MEMORY_MASK[:, None], TIME, 1)] == 0).all()


@pytest.mark.parametrize("score", SCORES)
def test_steps_one_by_one_give_the_whole_target(score, sequences):
    layer, memory = made(score, depth=2)
    whole, whole_attention, *last = layer(sequences, memory, memory_mask=MEMORY_MASK)
    state, keys = layer.get_initial_state(BATCH), layer.keys(memory)
    for step in range(TIME):
        output, state, attention = layer.step(
            sequences[:, step], state, memory, MEMORY_MASK, keys if step else None
        )
        np.testing.assert_allclose(array(output), array(whole)[:, step], atol=1e-5)
        np.testing.assert_allclose(array(attention), array(whole_attention)[:, step], atol=1e-5)
    assert len(state) == len(last) == 4
    for one, other in zip(state, last, strict=True):
        np.testing.assert_allclose(array(one), array(other), atol=1e-5)


@pytest.mark.parametrize("score", SCORES)
def test_beams_share_the_memory_of_their_row(score, sequences):
    layer, memory = made(score)
    draw = np.random.default_rng(3)
    inputs = draw.normal(size=(BATCH, 2, 2)).astype("float32")
    states = [draw.normal(size=(BATCH, 2, UNITS)).astype("float32") for _ in range(2)]
    output, after, attention = layer.step(inputs, states, memory, MEMORY_MASK)
    assert array(output).shape == (BATCH, 2, UNITS)
    for beam in range(2):
        alone = layer.step(inputs[:, beam], [each[:, beam] for each in states], memory, MEMORY_MASK)
        np.testing.assert_allclose(array(output)[:, beam], array(alone[0]), atol=1e-5)
        np.testing.assert_allclose(array(attention)[:, beam], array(alone[2]), atol=1e-5)
        for one, other in zip(after, alone[1], strict=True):
            np.testing.assert_allclose(array(one)[:, beam], array(other), atol=1e-5)


@pytest.mark.parametrize("score", SCORES)
def test_masked_steps_of_the_memory_are_not_read(score, sequences):
    layer, memory = made(score)
    expected = layer(sequences, memory, memory_mask=MEMORY_MASK)
    spoilt = np.where(MEMORY_MASK[..., None], memory, np.nan).astype("float32")
    for one, other in zip(layer(sequences, spoilt, memory_mask=MEMORY_MASK), expected, strict=True):
        np.testing.assert_array_equal(array(one), array(other))
    shorter = layer(sequences[1:2], memory[1:2, :2])  # the row alone, without its padding
    np.testing.assert_allclose(array(shorter[0])[0], array(expected[0])[1], atol=1e-6)


def test_scores_of_any_size_do_not_overflow(sequences):
    layer, memory = made("dot")
    _, attention, *_ = layer(sequences, 1e30 * memory, memory_mask=MEMORY_MASK)
    np.testing.assert_allclose(array(attention)[:3].sum(axis=2), 1.0, atol=1e-5)


def test_masks_that_the_tensors_carry_are_used(sequences):
    tokens = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0] * 5])
    embedding = keras.layers.Embedding(5, UNITS, mask_zero=True)
    layer, _ = made("general")
    carried = layer(sequences, embedding(tokens))
    given = layer(sequences, array(embedding(tokens)), memory_mask=tokens != 0)
    np.testing.assert_allclose(array(carried[1]), array(given[1]), atol=1e-6)
    assert (array(carried[1])[1, :, 1:] == 0).all()


@needs_tensorflow
@pytest.mark.parametrize("score", SCORES)
def test_gradients_are_slopes(score, assert_gradients, sequences):
    import tensorflow as tf

    layer, memory = made(score, dtype="float64")
    inputs = tf.Variable(sequences.astype("float64"))
    read = tf.Variable(memory.astype("float64"))
    weights = np.random.default_rng(0).normal(size=(BATCH, TIME, UNITS))

    def loss():
        outputs, attention, *_ = layer(inputs + 0.0, read + 0.0, memory_mask=MEMORY_MASK)
        return tf.reduce_sum(outputs * weights) + tf.reduce_sum(attention**2)

    assert_gradients(loss, [inputs, read])
    assert_gradients(loss, [weight.value for weight in layer.weights])


def _model(score="additive", **options):
    target, memory = keras.Input((None, 2)), keras.Input((None, UNITS))
    mask = keras.Input((None,), dtype="bool")
    layer = AttentionLSTM(UNITS, score, depth=2, dropout=0.1, **EVERYTHING, **options)
    return keras.Model([target, memory, mask], layer(target, memory, memory_mask=mask))


@needs_tensorflow
@pytest.mark.parametrize("score", SCORES)
def test_a_model_is_read_back_from_a_file_and_from_its_configuration(score, sequences, tmp_path):
    model = _model(score)
    memory = np.random.default_rng(1).normal(size=(BATCH, STEPS, UNITS)).astype("float32")
    given = [sequences, memory, MEMORY_MASK]
    expected = model.predict(given, verbose=0)
    model.save(tmp_path / "model.keras")
    read = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(read.predict(given, verbose=0), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    layer = model.layers[-1]
    copy = AttentionLSTM.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert (copy.score, copy.depth, copy.units, copy.dropout) == (score, 2, UNITS, 0.1)


@needs_tensorflow
def test_a_saved_model_steps_by_stock_operations_at_any_size(sequences, tmp_path):
    import tensorflow as tf

    layer, memory = made("general")
    module = tf.Module()
    module.weights = [weight.value for weight in layer.weights]
    specs = [
        tf.TensorSpec([None, None, 2], name="inputs"),
        tf.TensorSpec([None, None, UNITS], name="h"),
        tf.TensorSpec([None, None, UNITS], name="c"),
        tf.TensorSpec([None, None, 3], name="memory"),
    ]

    def step(inputs, h, c, memory):
        output, (h, c), attention = layer.step(inputs, [h, c], memory)
        return {"output": output, "h": h, "c": c, "attention": attention}

    tf.saved_model.save(module, str(tmp_path / "1"), tf.function(step, input_signature=specs))
    loaded = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    for beams, steps in ((1, 5), (6, 2)):
        inputs = tf.constant(sequences[:, :beams])
        state = tf.zeros((BATCH, beams, UNITS))
        read = tf.constant(memory[:, :steps])
        answer = loaded(inputs=inputs, h=state, c=state, memory=read)
        expected = layer.step(inputs, [state, state], read)
        np.testing.assert_allclose(answer["output"], expected[0], atol=1e-6)
        np.testing.assert_allclose(answer["attention"], expected[2], atol=1e-6)


@needs_tensorflow
def test_16_bit_products_stay_near_and_the_attention_has_32_bits(sequences):
    layer, memory = made("additive")
    policy, _ = made("additive", dtype="mixed_bfloat16")
    exact, attention, *_ = layer(sequences, memory, memory_mask=MEMORY_MASK)
    near, near_attention, *_ = policy(sequences, memory, memory_mask=MEMORY_MASK)
    assert (near.dtype, near_attention.dtype) == ("bfloat16", "float32")
    np.testing.assert_allclose(near.numpy().astype("float32"), exact, atol=0.05)
    np.testing.assert_allclose(near_attention, attention, atol=0.05)
    specs = policy.compute_output_spec(keras.Input((6, 2)), keras.Input((5, 3)))
    assert [spec.dtype for spec in specs[:2]] == ["bfloat16", "float32"]


@needs_tensorflow
def test_it_learns_to_look_at_the_place_that_it_is_told():
    draw = np.random.default_rng(0)
    places = draw.integers(0, 4, (128, 3))
    values = draw.integers(0, 5, (128, 4))
    memory = np.concatenate([np.eye(5)[values], np.tile(np.eye(4), (128, 1, 1))], axis=2)
    told, read = keras.Input((None, 4)), keras.Input((None, 9))
    looked = AttentionLSTM(16, "general")(told, read)
    model = keras.Model([told, read], keras.layers.Dense(5, activation="softmax")(looked))
    model.compile(
        keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    given = [np.eye(4)[places], memory]
    model.fit(given, np.take_along_axis(values, places, 1), epochs=30, batch_size=32, verbose=0)
    _, accuracy = model.evaluate(given, np.take_along_axis(values, places, 1), verbose=0)
    assert accuracy > 0.95  # the last thing alone, without attention: 0.2


def test_wrong_options_and_memories_are_refused(sequences):
    with pytest.raises(ValueError, match="score must be one of dot, general, additive"):
        AttentionLSTM(3, "product")
    with pytest.raises(ValueError, match="attention_units must be positive"):
        AttentionLSTM(3, "additive", attention_units=0)
    with pytest.raises(ValueError, match="go_backwards is not an option"):
        AttentionLSTM(3, go_backwards=True)
    with pytest.raises(ValueError, match="size of its units, 3, got 4"):
        AttentionLSTM(3, "dot")(sequences, np.zeros((4, 5, 4), "float32"))
    layer, memory = made("general")
    with pytest.raises(ValueError, match=r"memory .*has shape \(4, 5, 2\), expected"):
        layer(sequences, memory[..., :2])
    with pytest.raises(ValueError, match=r"mask of .*memory has shape"):
        layer(sequences, memory, memory_mask=MEMORY_MASK[:, :3])
    with pytest.raises(ValueError, match="takes 2 initial states, got 1"):
        layer(sequences, memory, initial_state=[np.zeros((4, 3), "float32")])
