"""`ConvLSTM` against its equations in NumPy, and the contract of the layers; on any backend."""

import keras
import numpy as np
import pytest
from keras import ops

from lstm_layers import ConvLSTM

BATCH, TIME, HEIGHT, WIDTH, CHANNELS, FILTERS = 3, 4, 4, 5, 2, 3
MASKS = {
    "right": np.arange(TIME) < np.array([4, 2, 1])[:, None],
    "left": np.arange(TIME) >= np.array([0, 2, 3])[:, None],
    "gaps": np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]], bool),
}
KINDS = {
    "default": {},
    "published": {"peephole_per": "position", "kernel_size": (3, 2)},
    "no_peepholes": {"peepholes": "", "use_bias": False},
    "bottleneck": {"bottleneck": True, "peepholes": "io", "recurrent_activation": "hard_sigmoid"},
    "smooth_bottleneck": {"bottleneck": True, "bottleneck_activation": "tanh"},
    "liu_and_zhu": {"bottleneck": True, "peepholes": "", "activation": "relu"},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind="default", stateful=False, **options):
    """A layer with no weight at zero."""
    options = {"return_sequences": True, "return_state": True, **KINDS[kind], **options}
    layer = ConvLSTM(FILTERS, stateful=stateful, **options)
    layer.build((BATCH, TIME, HEIGHT, WIDTH, CHANNELS))
    draw = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(draw.normal(0, 0.5, weight.shape))
    return layer


def pictures(time=TIME):
    return np.random.default_rng(0).normal(size=(BATCH, time, HEIGHT, WIDTH, CHANNELS)).astype("f4")


def states():
    draw = np.random.default_rng(2)
    return [draw.normal(0, 0.5, (BATCH, HEIGHT, WIDTH, FILTERS)).astype("f4") for _ in "hc"]


def numpy(values):
    return [ops.convert_to_numpy(each) for each in values]


def convolved(x, kernel, depthwise=False):
    """Convolution that keeps the size; zeros beyond the edge, the odd one at the far end."""
    height, width = kernel.shape[:2]
    before = (height - 1) // 2, (width - 1) // 2
    around = [(n, size - 1 - n) for n, size in zip(before, (height, width), strict=True)]
    padded = np.pad(x, [(0, 0), *around, (0, 0)])
    total = 0.0
    for row in range(height):
        for column in range(width):
            seen = padded[:, row : row + x.shape[1], column : column + x.shape[2]]
            weight = kernel[row, column]
            total = total + (seen * weight[:, 0] if depthwise else seen @ weight)
    return total


FUNCTIONS = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "hard_sigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}


def in_numpy(layer, x, initial, mask=None):
    """h of every step, and the last states, from the equations in the layer's description."""
    cell = layer.cell
    weights = {each.name: ops.convert_to_numpy(each).astype("f8") for each in cell.weights}
    sigma, phi = FUNCTIONS[cell.recurrent_activation], FUNCTIONS[cell.activation]
    p = {gate: weights.get(f"{name}_peephole", 0.0) for gate, name in
         (("i", "input"), ("f", "forget"), ("o", "output"))}  # fmt: skip
    (h, c), outputs = initial, []
    for t in range(x.shape[1]):
        if cell.bottleneck:
            seen = convolved(x[:, t], weights["input_depthwise"], True)
            fed_back = convolved(h, weights["recurrent_depthwise"], True)
            n = convolved(seen, weights["kernel"]) + convolved(
                fed_back, weights["recurrent_kernel"]
            )
            n = FUNCTIONS[cell.bottleneck_activation](n + weights.get("bottleneck_bias", 0.0))
            z = convolved(convolved(n, weights["gate_depthwise"], True), weights["gate_kernel"])
        else:
            z = convolved(x[:, t], weights["kernel"]) + convolved(h, weights["recurrent_kernel"])
        z = z + weights.get("bias", 0.0)
        z_i, z_f, z_g, z_o = np.split(z, 4, axis=-1)
        new_c = sigma(z_f + p["f"] * c) * c + sigma(z_i + p["i"] * c) * phi(z_g)
        new_h = sigma(z_o + p["o"] * new_c) * phi(new_c)
        keep = np.ones((len(x), 1, 1, 1), bool) if mask is None else mask[:, t, None, None, None]
        h, c = np.where(keep, new_h, h), np.where(keep, new_c, c)
        outputs.append(h)
    return [np.stack(outputs, axis=1), h, c]


def assert_close(found, expected, **tolerances):
    for one, other in zip(numpy(found), expected, strict=True):
        np.testing.assert_allclose(one, other, **{"rtol": 1e-4, "atol": 2e-5, **tolerances})


@every_kind
@pytest.mark.parametrize("mask", [None, *MASKS])
def test_outputs_and_states_are_those_of_the_equations(kind, mask):
    layer, mask = made(kind), MASKS.get(mask)
    given = None if mask is None else ops.convert_to_tensor(mask)
    found = layer(pictures(), initial_state=states(), mask=given)
    assert_close(found, in_numpy(layer, pictures(), states(), mask))


@every_kind
def test_every_weight_changes_the_outputs(kind):
    layer = made(kind)
    before = numpy(layer(pictures()))[0]
    for weight in layer.trainable_weights:
        value = ops.convert_to_numpy(weight)
        weight.assign(value + 0.1)
        assert np.abs(numpy(layer(pictures()))[0] - before).max() > 1e-4, weight.name
        weight.assign(value)


@pytest.mark.parametrize("kind", ["default", "published", "smooth_bottleneck"])
def test_gradients_are_those_of_differences(kind):
    layer = made(kind)
    start = [pictures(), *numpy(layer.trainable_weights)]
    mask = MASKS["gaps"]

    def loss(values):
        (outputs, *last), _ = layer.stateless_call(
            list(values[1:]),
            [each.value for each in layer.non_trainable_variables],
            values[0],
            mask=ops.convert_to_tensor(mask),
        )
        return sum(ops.sum(ops.sin(each + 1.0)) for each in (outputs, *last))

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        values = [tf.constant(each) for each in start]
        with tf.GradientTape() as tape:
            tape.watch(values)
            total = loss(values)
        gradients = tape.gradient(total, values)
    elif backend == "jax":
        import jax

        gradients = jax.grad(loss)(start)
    else:
        pytest.skip("the other backends differentiate as they always do")

    def in_float64(values):
        for weight, value in zip(layer.trainable_weights, values[1:], strict=True):
            weight.assign(value)
        zeros = [np.zeros((BATCH, HEIGHT, WIDTH, FILTERS))] * 2
        return sum(np.sin(each + 1.0).sum() for each in in_numpy(layer, values[0], zeros, mask))

    draw = np.random.default_rng(3)
    for position, gradient in enumerate(numpy(gradients)):
        direction = draw.normal(size=start[position].shape)
        moved = [
            in_float64([*start[:position], start[position] + e * direction, *start[position + 1 :]])
            for e in (1e-3, -1e-3)
        ]
        expected = (moved[0] - moved[1]) / 2e-3
        found = (gradient * direction).sum()
        assert abs(expected) > 1e-3
        np.testing.assert_allclose(found, expected, rtol=2e-2, atol=2e-2)


@every_kind
def test_chunks_and_steps_of_a_stream_equal_the_whole(kind):
    layer, x = made(kind), pictures()
    whole = numpy(layer(x))
    first, *between = layer(x[:, :1])
    second, *last = layer(x[:, 1:], initial_state=between)
    assert_close([ops.concatenate([first, second], axis=1), *last], whole)
    state = layer.get_initial_state(BATCH, HEIGHT, WIDTH)
    for t in range(TIME):
        output, state = layer.step(x[:, t], state)
        assert_close([output], [whole[0][:, t]])


def test_a_stateful_layer_goes_on_and_starts_anew_when_told():
    layer, x = made(stateful=True), pictures()
    whole = in_numpy(layer, x, [0 * each for each in states()])[0]
    for _ in range(2):
        chunks = [layer(x[:, :2])[0], layer(x[:, 2:])[0]]
        assert_close([ops.concatenate(chunks, axis=1)], [whole])
        assert np.abs(numpy(layer.states)[1]).min() > 0
        with pytest.raises(ValueError, match="belong to its rows"):
            layer(x[:1])
        layer.reset_state()
        assert not numpy(layer.states)[1].any()


@pytest.mark.parametrize("unroll", [False, True])
def test_backwards_under_a_mask(unroll):
    layer, mask = made(go_backwards=True, unroll=unroll), MASKS["gaps"]
    found = layer(pictures(), initial_state=states(), mask=ops.convert_to_tensor(mask))
    assert_close(found, in_numpy(layer, pictures()[:, ::-1], states(), mask[:, ::-1]))


def test_what_is_in_masked_steps_does_not_matter_and_may_come_out_as_zero():
    layer, mask = made(zero_output_for_mask=True), MASKS["gaps"]
    loud = np.where(mask[..., None, None, None], pictures(), 1e3).astype("f4")
    given = ops.convert_to_tensor(mask)
    one, other = numpy(layer(pictures(), mask=given)), numpy(layer(loud, mask=given))
    np.testing.assert_array_equal(one[0], other[0])
    assert not one[0][~mask].any()
    assert one[0][mask].all()
    last = numpy(made(return_sequences=False)(pictures(), mask=given))
    assert not last[0][2].any()  # nothing was read


def test_the_last_output_is_that_of_the_last_step():
    whole = numpy(made()(pictures()))[0]
    last = made(return_sequences=False, return_state=False)(pictures())
    assert_close([last], [whole[:, -1]])


@every_kind
def test_a_saved_model_comes_back_whole(kind, tmp_path):
    layer = made(kind, dropout=0.1, recurrent_dropout=0.1)
    inputs = keras.Input((None, HEIGHT, WIDTH, CHANNELS))
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for one, other in zip(numpy(again(pictures())), numpy(model(pictures())), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.layers[-1].get_config() == layer.get_config()


def test_one_model_reads_pictures_of_any_size_and_number():
    inputs = keras.Input((None, None, None, CHANNELS))
    layer = ConvLSTM(FILTERS, return_sequences=True)
    model = keras.Model(inputs, layer(inputs))
    for batch, time, height, width in ((1, 1, 3, 3), (2, 5, 6, 4)):
        x = np.ones((batch, time, height, width, CHANNELS), "f4")
        assert model(x).shape == (batch, time, height, width, FILTERS)
        zeros = [np.zeros((batch, height, width, FILTERS))] * 2
        assert_close([model.predict(x, verbose=0)], in_numpy(layer, x, zeros)[:1])


def test_dropout_drops_whole_channels_in_training_alone():
    layer = made("no_peepholes", dropout=0.5)
    x = pictures()
    assert_close(layer(x), in_numpy(layer, x, [0 * each for each in states()]))
    found = numpy(layer(x, training=True))[0]
    kept = [np.array([a, b]) for a in (0, 2) for b in (0, 2)]
    zeros = [np.zeros((1, HEIGHT, WIDTH, FILTERS))] * 2
    for row in range(BATCH):
        possible = [in_numpy(layer, x[row : row + 1] * each, zeros)[0] for each in kept]
        assert min(np.abs(found[row] - each[0]).max() for each in possible) < 1e-4


def test_states_stay_in_float32_within_a_call_of_16_bits():
    exact, half = made(), made(dtype="mixed_bfloat16")
    found = half(pictures())
    assert all(keras.backend.standardize_dtype(each.dtype) == "bfloat16" for each in found)
    found = [ops.cast(each, "float32") for each in found]
    assert_close(found, numpy(exact(pictures())), rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peepholes": "ig"}, "letters of"),
        ({"peephole_per": "pixel"}, "peephole_per"),
        ({"kernel_size": 0}, "kernel_size"),
        ({"filters": 0}, "positive"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ConvLSTM(**{"filters": 2, **options})


def test_shapes_that_do_not_fit_are_refused():
    layer = made()
    with pytest.raises(ValueError, match="mask"):
        layer(pictures(), mask=ops.ones((BATCH, TIME + 1), "bool"))
    with pytest.raises(ValueError, match="initial state h"):
        layer(pictures(), initial_state=[each[:1] for each in states()])
    with pytest.raises(ValueError, match="two initial states"):
        layer(pictures(), initial_state=states()[:1])
    with pytest.raises(ValueError, match="one known size"):
        ConvLSTM(2, peephole_per="position").build((1, 2, None, 4, 1))
    with pytest.raises(ValueError, match="stateful"):
        ConvLSTM(2, stateful=True).build((None, 2, 4, 4, 1))


def test_depthwise_kernels_let_through_as_much_however_many_channels_there_are():
    keras.utils.set_random_seed(0)
    layer = ConvLSTM(64, bottleneck=True)
    layer.build((1, 2, 8, 8, 64))
    glorot = np.sqrt(2 / (9 * 64 + 9 * 1))  # which takes all channels for inputs of each filter
    for weight in (layer.cell.input_depthwise, layer.cell.gate_depthwise):
        assert numpy([weight])[0].std() == pytest.approx(8 * glorot, rel=0.1)
    squares = numpy([layer.cell.recurrent_depthwise])[0] ** 2
    assert squares.sum(axis=(0, 1, 3)).mean() == pytest.approx(1, rel=1e-4)  # orthogonal
    given = ConvLSTM(4, bottleneck=True, kernel_initializer="ones")
    given.build((1, 2, 8, 8, 4))
    assert (numpy([given.cell.input_depthwise])[0] == 1).all()
