"""Conversion from and to `keras.layers.LSTM`, `GRU` and `Bidirectional` of them.

The gates are in the same order on both sides: i, f, g (there c), o, and z, r, n (there h). So are
the biases: `GRU` has two of them, of the inputs and of the state, with `reset_after=True`.

Source: the method `build` of LSTMCell and GRUCell in Keras 3, `keras/src/layers/rnn`.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from lstm_layers.bilstm import BiLSTM
from lstm_layers.gru import GRU
from lstm_layers.peephole_lstm import PeepholeLSTM
from lstm_layers.weights import layer_weights
from lstm_layers.weights.gate_weights import GRUWeights, LSTMWeights

_WEIGHTS = ("kernel", "recurrent", "bias")
# Options with the same name on both sides; in a `BiLSTM`, `zero_output_for_mask` follows from the
# direction.
_SHARED_OPTIONS = (
    "activation",
    "recurrent_activation",
    "use_bias",
    "unit_forget_bias",
    "reset_after",
    *(f"{weight}_{kind}" for weight in _WEIGHTS for kind in ("initializer", "regularizer")),
    *(f"{weight}_constraint" for weight in _WEIGHTS),
    "dropout",
    "recurrent_dropout",
    "seed",
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
    "trainable",
    "dtype",
)


def lstm_from_keras(arrays: Sequence[np.ndarray]) -> LSTMWeights:
    """Names the result of `get_weights` of a `keras.layers.LSTM` with u units.

    Args:
        arrays: kernel (features, 4u), recurrent_kernel (u, 4u), and bias (4u,) if there is one.
    """
    return LSTMWeights(*_two_or_three(arrays, gates=4))


def lstm_to_keras(weights: LSTMWeights) -> list[np.ndarray]:
    """Returns the argument of `set_weights` for a `keras.layers.LSTM`.

    Raises:
        ValueError: peepholes that are not zero.
    """
    layer_weights.refuse_peepholes(weights, "keras.layers.LSTM")
    return [array for array in weights[:3] if array is not None]


def gru_from_keras(arrays: Sequence[np.ndarray], reset_after: bool = True) -> GRUWeights:
    """Names the result of `get_weights` of a `keras.layers.GRU` with u units.

    Args:
        arrays: kernel (features, 3u), recurrent_kernel (u, 3u), and bias if there is one: (2, 3u)
            where `reset_after`, else (3u,).
        reset_after: the option of the layer.
    """
    kernel, recurrent_kernel, bias = _two_or_three(arrays, gates=3)
    if bias is not None and bias.ndim != (2 if reset_after else 1):
        raise ValueError(f"a bias of shape {bias.shape} does not go with reset_after={reset_after}")
    return GRUWeights(kernel, recurrent_kernel, bias, reset_after)


def gru_to_keras(weights: GRUWeights) -> list[np.ndarray]:
    """Returns the argument of `set_weights` for a `keras.layers.GRU` with that `reset_after`."""
    return [array for array in weights[:3] if array is not None]


def from_keras(layer: keras.layers.Layer, **options) -> PeepholeLSTM | GRU | BiLSTM:
    """Makes a new layer with the weights and options of a built layer of Keras.

    Args:
        layer: a `keras.layers.LSTM`, a `keras.layers.GRU`, or a `keras.layers.Bidirectional` of
            one, whose two layers differ in nothing but the direction.
        **options: instead of those of `layer`; `peepholes="ifo"` adds peepholes, which are zero.

    Returns:
        A layer with the results of `layer`. The `README` lists the differences under masks;
        `Bidirectional` becomes a `BiLSTM`, whose outputs at masked steps are zero where it
        returns sequences.

    Raises:
        TypeError: another kind of layer.
        ValueError: a layer without weights, an activation that is not supported here, two
            directions that differ.
    """
    halves = [layer]
    if isinstance(layer, keras.layers.Bidirectional):
        halves = [layer.forward_layer, layer.backward_layer]
    directions = [_from_keras(half) for half in halves]
    shared = [_shared_options(half) for half in halves]
    if len(halves) == 2:
        directed = [each.pop("go_backwards") for each in shared]
        differing = sorted(key for key in shared[0] if shared[0][key] != shared[1][key])
        if directed != [False, True] or differing:
            raise ValueError(
                "a BiLSTM reads forward, then backward, with the same options; these directions "
                f"differ in {', '.join(differing) or 'an unexpected go_backwards'}"
            )
        shared[0].pop("zero_output_for_mask")
        shared[0].update(merge_mode=layer.merge_mode, return_state=layer.return_state)
    if layer.stateful:
        options = {"batch_size": _batch_size(halves[0]), **options}
    return layer_weights.layer_of(directions, **{**shared[0], **options})


def to_keras(layer: PeepholeLSTM | GRU | BiLSTM, **options) -> keras.layers.Layer:
    """Makes a new, built layer of Keras with the weights and options of a built layer.

    `weight_dropout`, which acts in training alone, has no counterpart there and is left out.

    Args:
        layer: with peepholes, if any, that are zero.
        **options: of the `keras.layers.LSTM` or `keras.layers.GRU`, instead of those of `layer`.

    Raises:
        TypeError: another kind of layer.
        ValueError: a layer without weights, peepholes that are not zero.
    """
    directions = layer_weights.directions_of(layer)
    half = layer_weights.halves_of(layer)[0]
    is_gru = isinstance(directions[0], GRUWeights)
    shared = _shared_options(half)
    if isinstance(layer, BiLSTM):
        shared["return_state"] = layer.return_state  # its halves always do
    make = keras.layers.GRU if is_gru else keras.layers.LSTM
    theirs = make(layer.units, **{**shared, **options})
    if isinstance(layer, BiLSTM):
        theirs = keras.layers.Bidirectional(theirs, merge_mode=layer.merge_mode)
    batch_size = _batch_size(half) if layer.stateful else None
    theirs.build((batch_size, None, directions[0].kernel.shape[0]))
    theirs.set_weights(
        [
            array
            for each in directions
            for array in (
                gru_to_keras(each) if isinstance(each, GRUWeights) else lstm_to_keras(each)
            )
        ]
    )
    return theirs


def _from_keras(layer) -> LSTMWeights | GRUWeights:
    if type(layer) not in (keras.layers.LSTM, keras.layers.GRU):
        raise TypeError(f"expected a keras.layers.LSTM or GRU, got {type(layer).__name__}")
    arrays = layer.get_weights()
    if not arrays:
        raise ValueError(f"{layer.name} has no weights yet: build it or call it on data first")
    if isinstance(layer, keras.layers.GRU):
        return gru_from_keras(arrays, layer.cell.reset_after)
    return lstm_from_keras(arrays)


def _shared_options(layer) -> dict:
    config = layer.get_config()
    return {name: config[name] for name in _SHARED_OPTIONS if name in config}


def _batch_size(layer) -> int:
    return layer.states[0].shape[0]


def _two_or_three(arrays, gates: int) -> tuple:
    if len(arrays) not in (2, 3):
        raise ValueError(f"expected kernel, recurrent_kernel and perhaps a bias, got {len(arrays)}")
    kernel, recurrent_kernel, *bias = (np.asarray(array) for array in arrays)
    units = len(recurrent_kernel)
    if recurrent_kernel.shape != (units, gates * units) or kernel.shape[1:] != (gates * units,):
        raise ValueError(
            f"kernel {kernel.shape} and recurrent_kernel {recurrent_kernel.shape} do not have "
            f"{gates} gates"
        )
    return kernel, recurrent_kernel, bias[0] if bias else None
