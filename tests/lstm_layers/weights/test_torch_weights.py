"""Both ways between these layers and torch, which runs beside them."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from lstm_layers import GRU, BiLSTM, PeepholeLSTM
from lstm_layers.weights import torch_weights

torch = pytest.importorskip("torch", reason="the other side of the conversion")

FEATURES, UNITS = 2, 3
MODULES = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
kinds = pytest.mark.parametrize("kind", MODULES)
stacks = pytest.mark.parametrize("depth", [1, 3])
ways = pytest.mark.parametrize("bidirectional", [False, True])
biases = pytest.mark.parametrize("bias", [True, False])


def _module(kind, depth=1, bidirectional=False, bias=True, features=FEATURES):
    module = MODULES[kind](
        features, UNITS, depth, bias=bias, batch_first=True, bidirectional=bidirectional
    )
    # Wider than torch's own: both of its biases, and every gate, must show.
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return module


def _stack(kind, depth, bidirectional, use_bias=True):
    layers = []
    rng = np.random.default_rng(6)
    for position in range(depth):
        options = {"use_bias": use_bias, "return_sequences": True}
        if bidirectional:
            layer = BiLSTM(UNITS, kind, **options)
        elif kind == "lstm":
            layer = PeepholeLSTM(UNITS, peepholes="", **options)
        else:
            layer = GRU(UNITS, **options)
        width = FEATURES if position == 0 else UNITS * (1 + bidirectional)
        layer.build((None, None, width))
        layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
        layers.append(layer)
    return layers


def _ours(layers, x, h, c):
    """Outputs and last states as torch has them: (layers * directions, batch, units)."""
    last = []
    for layer in layers:
        halves = 2 if isinstance(layer, BiLSTM) else 1
        first = len(last) // (1 if c is None else 2)
        rows = range(first, first + halves)
        initial = [state[row] for row in rows for state in (h, c) if state is not None]
        layer = _returning_states(layer)
        x, *states = layer(x, initial_state=initial)
        last.extend(states)
    step = 1 if c is None else 2
    return x, [np.stack(last[kind::step]) for kind in range(step)]


def _returning_states(layer):
    copy = type(layer).from_config({**layer.get_config(), "return_state": True})
    copy.build((None, None, layer.get_weights()[0].shape[0]))
    copy.set_weights(layer.get_weights())
    return copy


def _assert_same_results(layers, module, sequences):
    rows = module.num_layers * (1 + module.bidirectional)
    shape = (rows, len(sequences), UNITS)
    rng = np.random.default_rng(8)
    h, c = (rng.normal(size=shape).astype("float32") for _ in range(2))
    c = c if isinstance(module, torch.nn.LSTM) else None
    given = torch.from_numpy(h) if c is None else (torch.from_numpy(h), torch.from_numpy(c))
    with torch.no_grad():
        expected, last = module(torch.from_numpy(sequences), given)
    outputs, states = _ours(layers, sequences, h, c)
    np.testing.assert_allclose(outputs, expected.numpy(), rtol=1e-5, atol=1e-6)
    for one, other in zip(states, [last] if c is None else last, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-5, atol=1e-6)


@biases
@ways
@stacks
@kinds
def test_from_torch_gives_the_same_results(kind, depth, bidirectional, bias, sequences):
    module = _module(kind, depth, bidirectional, bias)
    layers = torch_weights.from_torch(module.state_dict())
    assert len(layers) == depth
    _assert_same_results(layers, module, sequences)


@biases
@ways
@stacks
@kinds
def test_to_torch_gives_the_same_results(kind, depth, bidirectional, bias, sequences):
    layers = _stack(kind, depth, bidirectional, use_bias=bias)
    module = _module(kind, depth, bidirectional, bias)
    arrays = torch_weights.to_torch(layers)
    # Strict: a name that is missing or too many is an error.
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    _assert_same_results(layers, module, sequences)


@ways
@kinds
def test_there_and_back_is_exact(kind, bidirectional):
    layers = _stack(kind, 2, bidirectional)
    back = torch_weights.from_torch(torch_weights.to_torch(layers))
    for one, other in zip(back, layers, strict=True):
        for array, expected in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(array, expected)


def test_a_gru_of_torch_comes_back_with_both_biases_exactly():
    state_dict = _module("gru", 2, bidirectional=True).state_dict()
    back = torch_weights.to_torch(torch_weights.from_torch(state_dict))
    assert set(back) == set(state_dict)
    for name, array in back.items():
        np.testing.assert_array_equal(array, state_dict[name].numpy(), err_msg=name)


def test_an_lstm_of_torch_comes_back_with_one_bias():
    state_dict = _module("lstm").state_dict()
    back = torch_weights.to_torch(torch_weights.from_torch(state_dict))
    both = state_dict["bias_ih_l0"] + state_dict["bias_hh_l0"]
    np.testing.assert_array_equal(back["bias_ih_l0"], both.numpy())
    assert not back["bias_hh_l0"].any()
    np.testing.assert_array_equal(back["weight_hh_l0"], state_dict["weight_hh_l0"].numpy())


@pytest.mark.parametrize("lengths", [[6, 4, 1, 3]])
@kinds
def test_packed_sequences_are_masks(kind, lengths, sequences, masks):
    module = _module(kind, 1, bidirectional=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(sequences), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    with torch.no_grad():
        outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(module(packed)[0], batch_first=True)
    (layer,) = torch_weights.from_torch(module.state_dict())
    mask = keras.ops.convert_to_tensor(masks["right"])
    np.testing.assert_array_equal(masks["right"].sum(axis=1), lengths)
    np.testing.assert_allclose(layer(sequences, mask=mask), outputs.numpy(), rtol=1e-5, atol=1e-6)


def test_a_module_inside_a_model_is_found_by_its_prefix(sequences):
    model = torch.nn.ModuleDict({"other": _module("gru", 2), "lstm": _module("lstm")})
    (layer,) = torch_weights.from_torch(model.state_dict(), prefix="lstm.")
    _assert_same_results([layer], model["lstm"], sequences)
    names = set(torch_weights.to_torch(layer, prefix="lstm."))
    assert names == {name for name in model.state_dict() if name.startswith("lstm.")}


def test_peepholes_can_be_added_and_then_have_no_way_back(sequences):
    module = _module("lstm")
    (layer,) = torch_weights.from_torch(module.state_dict(), peepholes="ifo")
    _assert_same_results([layer], module, sequences)
    assert set(torch_weights.to_torch(layer)) == set(module.state_dict())
    layer.cell.output_peephole.assign([0.0, 0.0, 1.0])
    with pytest.raises(ValueError, match=r"nn\.LSTM has no peepholes"):
        torch_weights.to_torch(layer)


def test_a_projection_is_refused():
    module = torch.nn.LSTM(FEATURES, UNITS, proj_size=2)
    with pytest.raises(ValueError, match="proj_size"):
        torch_weights.from_torch(module.state_dict())
    with pytest.raises(ValueError, match="proj_size"):
        torch_weights.lstm_from_torch(module.state_dict())


def test_other_modules_are_refused():
    with pytest.raises(ValueError, match="neither the 4 gates"):
        torch_weights.from_torch(torch.nn.RNN(FEATURES, UNITS).state_dict())
    with pytest.raises(ValueError, match="no 'weight_hh_l0' among bias, weight"):
        torch_weights.from_torch(torch.nn.Linear(FEATURES, UNITS).state_dict())
    with pytest.raises(ValueError, match="gates"):
        torch_weights.lstm_from_torch(torch.nn.GRU(FEATURES, 4).state_dict())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GRU(UNITS, reset_after=False), "reset_after=True"),
        (lambda: GRU(UNITS, activation="relu"), "not 'relu' and 'sigmoid'"),
        (lambda: PeepholeLSTM(UNITS, go_backwards=True), "go_backwards"),
        (lambda: BiLSTM(UNITS, merge_mode="sum"), "not merge_mode='sum'"),
    ],
)
def test_options_that_torch_has_not_are_refused(make, words):
    layer = make()
    layer.build((None, None, FEATURES))
    with pytest.raises(ValueError, match=words):
        torch_weights.to_torch(layer)


def test_layers_that_do_not_make_one_module_are_refused():
    (lstm,), (gru,) = _stack("lstm", 1, False), _stack("gru", 2, False)[1:]
    with pytest.raises(ValueError, match="differ in kind"):
        torch_weights.to_torch([lstm, gru])
    with pytest.raises(ValueError, match="layer 1 takes 2 features, but 3 come"):
        torch_weights.to_torch([lstm, lstm])


@pytest.mark.slow
@pytest.mark.parametrize("first", ["torch", "tensorflow"])
def test_the_other_side_can_be_imported_first_or_last(first):
    second = {"torch": "tensorflow", "tensorflow": "torch"}[first]
    program = (
        f"import {first}, {second}, torch, lstm_layers.weights.torch_weights as w\n"
        "(layer,) = w.from_torch(torch.nn.LSTM(2, 3).state_dict())\n"
        "print(layer(torch.ones(1, 4, 2).numpy()).shape)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "(1, 4, 3)" in run.stdout


@pytest.mark.slow
def test_the_package_does_not_import_torch():
    program = "import sys, lstm_layers.weights.torch_weights; print('torch' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.stdout.strip() == "False", run.stderr
