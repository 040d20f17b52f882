"""Every layer on JAX or PyTorch against NumPy: values, gradients, states, training.

By itself: `KERAS_BACKEND=jax python -m pytest tests/lstm_layers/backends`.
"""

import keras
import numpy as np
import pytest

from tests.lstm_layers import lstm_in_numpy
from tests.lstm_layers.backends.every_layer import CASES

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(
    BACKEND == "tensorflow", reason="on TensorFlow the tests beside this folder do it"
)
BATCH, TIME, FEATURES = 3, 4, 2
MASK = np.array([[1, 1, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]], bool)
ONE_DIRECTION = [name for name in CASES if name != "bilstm"]


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def _numpy(values):
    return [keras.ops.convert_to_numpy(value) for value in values]


def _layer(case, **options):
    """A layer with no weight at zero."""
    layer = case.make(return_sequences=True, return_state=True, **options)
    layer.build((BATCH, TIME, FEATURES))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape) * 0.7 for weight in layer.weights])
    return layer


def _x():
    return np.random.default_rng(0).normal(size=(BATCH, TIME, FEATURES)).astype("float32")


def _states(layer):
    rng = np.random.default_rng(2)
    shapes = layer.compute_output_shape((BATCH, TIME, FEATURES))[1:]
    return [rng.normal(size=shape).astype("float32") * 0.5 for shape in shapes]


def _assert_close(values, expected, **tolerances):
    for one, other in zip(_numpy(values), expected, strict=True):
        np.testing.assert_allclose(one, other, **{"rtol": 1e-4, "atol": 1e-5, **tolerances})


def _in_numpy(case, layer, x, states, mask=None):
    weights = [weight.astype("float64") for weight in layer.get_weights()]
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    return case.run(layer, weights, x, states, mask)


@pytest.mark.parametrize(
    ("mask", "unroll"), [(None, False), (MASK, False), (MASK, True)], ids=["", "mask", "unrolled"]
)
def test_outputs_and_states(case, mask, unroll):
    layer = _layer(case, unroll=unroll)
    x, states = _x(), _states(layer)
    outputs, last = _in_numpy(case, layer, x, states, mask)
    given = None if mask is None else keras.ops.convert_to_tensor(mask)
    _assert_close(layer(x, initial_state=states, mask=given), [outputs, *last])


@pytest.mark.parametrize("name", ONE_DIRECTION)
def test_backwards_under_a_mask(name):
    case = CASES[name]
    layer = _layer(case, go_backwards=True)
    x, states = _x(), _states(layer)
    outputs, last = _in_numpy(case, layer, x[:, ::-1], states, MASK[:, ::-1])
    result = layer(x, initial_state=states, mask=keras.ops.convert_to_tensor(MASK))
    _assert_close(result, [outputs, *last])


@pytest.mark.parametrize("name", ONE_DIRECTION)
def test_stateful_chunks_and_steps_of_a_stream_equal_the_whole(name):
    case = CASES[name]
    layer = _layer(case, stateful=True)
    x = _x()
    outputs, _ = _in_numpy(case, layer, x, [0.0 * state for state in _states(layer)])
    for _ in range(2):
        layer.reset_state()
        chunks = [layer(x[:, :1])[0], layer(x[:, 1:])[0]]
        _assert_close([keras.ops.concatenate(chunks, axis=1)], [outputs])
    state = layer.get_initial_state(BATCH)
    for t in range(TIME):
        output, state = layer.step(x[:, t], state)
        _assert_close([output], [outputs[:, t]])


def _gradients(loss, variables):
    """Gradients of `loss(variables)`, by whatever means the backend has."""
    if BACKEND == "jax":
        import jax

        return jax.jit(jax.grad(loss))(variables)
    if BACKEND == "torch":
        variables = [value.detach().clone().requires_grad_() for value in variables]
        loss(variables).backward()
        return [value.grad for value in variables]
    raise NotImplementedError(BACKEND)


def test_gradients_of_every_weight_input_and_state(case):
    layer = _layer(case)
    x, states = _x(), _states(layer)
    start = [x, *states, *layer.get_weights()]
    count = 1 + len(states)
    mask = keras.ops.convert_to_tensor(MASK)

    def loss(variables):
        (outputs, *last), _ = layer.stateless_call(
            list(variables[count:]),
            [variable.value for variable in layer.non_trainable_variables],
            variables[0],
            initial_state=list(variables[1:count]),
            mask=mask,
        )
        return sum(keras.ops.sum(keras.ops.sin(value + 1.0)) for value in (outputs, *last))

    def loss_in_numpy(arrays):
        x, *others = arrays.values()
        outputs, last = case.run(layer, others[count - 1 :], x, others[: count - 1], MASK)
        return sum(np.sin(value + 1.0).sum() for value in (outputs, *last))

    arrays = {str(n): value.astype("float64") for n, value in enumerate(start)}
    expected = lstm_in_numpy.slopes(loss_in_numpy, arrays)
    found = _gradients(loss, [keras.ops.convert_to_tensor(value) for value in start])
    _assert_close(found, expected.values(), rtol=1e-3, atol=1e-4)


def test_a_step_of_fit_goes_down_the_slope(case):
    layer = _layer(case)
    inputs = keras.Input((TIME, FEATURES))
    model = keras.Model(inputs, layer(inputs)[0])
    if any(map(layer.get_config().get, ("zoneout_c", "zoneout_h"))):
        pytest.skip("zoneout draws in training")
    x = _x()
    weights = {str(n): each.astype("float64") for n, each in enumerate(layer.get_weights())}
    zeros = [0.0 * state for state in _states(layer)]
    every_step = np.ones((BATCH, TIME), bool)

    def loss_in_numpy(arrays):
        outputs, _ = case.run(layer, list(arrays.values()), x, zeros, every_step)
        return np.mean((outputs - 1.0) ** 2)

    expected = lstm_in_numpy.slopes(loss_in_numpy, weights)
    model.compile(keras.optimizers.SGD(0.5), "mse")
    target = np.ones(model.output_shape[1:], "float32")[None].repeat(BATCH, axis=0)
    history = model.fit(x, target, batch_size=BATCH, verbose=0).history
    assert history["loss"][0] == pytest.approx(loss_in_numpy(weights), rel=1e-4)
    after = [weights[name] - 0.5 * expected[name] for name in weights]
    _assert_close(layer.get_weights(), after)


@pytest.mark.parametrize("name", ["peephole_lstm", "gru", "layer_norm_lstm"])
def test_everything_random_trains_and_is_saved(name, tmp_path):
    case = CASES[name]
    options = {"dropout": 0.2, "recurrent_dropout": 0.2, "weight_dropout": 0.2, "seed": 1}
    inputs = keras.Input((None, FEATURES))
    masked = keras.layers.Masking()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(case.make(**options)(masked)))
    model.compile("sgd", "mse")
    x = _x() * MASK[:, :, None]
    losses = model.fit(x, np.ones((BATCH, 1)), epochs=2, verbose=0)
    assert np.isfinite(losses.history["loss"]).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    _assert_close([loaded.predict(x, verbose=0)], [model.predict(x, verbose=0)])


def test_the_portable_loop_ran():
    layer = _layer(CASES["peephole_lstm"])
    layer(_x())
    assert layer.implementation_used == "portable"


@pytest.mark.parametrize("implementation", ["graph", "block", "xla"])
def test_what_is_tensorflows_alone_is_refused(implementation):
    layer = _layer(CASES["peephole_lstm"], implementation=implementation)
    with pytest.raises(ValueError, match="it is TensorFlow's alone; possible here: portable"):
        layer(_x())
