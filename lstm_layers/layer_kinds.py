"""Names of the kinds of layer that `BiLSTM` and `StackedLSTM` are made of."""

from __future__ import annotations

from typing import Any

from lstm_layers.gru import GRU
from lstm_layers.peephole_lstm import PeepholeLSTM
from lstm_layers.recurrent_layer import RecurrentLayer
from lstm_layers.simple_rnn import SimpleRNN
from lstm_layers.variant_lstm import GREFF_VARIANTS, VariantLSTM

# By name: a layer, and the options for which the name stands.
KINDS: dict[str, tuple[type[RecurrentLayer], dict[str, Any]]] = {
    "peephole_lstm": (PeepholeLSTM, {}),
    "lstm": (PeepholeLSTM, {"peepholes": ""}),
    "gru": (GRU, {}),
    "rnn": (SimpleRNN, {}),
    "variant_lstm": (VariantLSTM, {}),
    **{name: (VariantLSTM, options) for name, options in GREFF_VARIANTS.items()},
}

# Options of one of these layers or more that a layer made of them lets its users read.
OPTIONS: list[str] = sorted(
    {"stateful", "unroll", "weight_dropout", "implementation"}.union(
        *(layer_class.options_read for layer_class, _ in KINDS.values())
    )
)


def layer_of_kind(kind: str, **options) -> RecurrentLayer:
    """Makes a layer of one direction.

    Args:
        kind: a key of `KINDS`.
        **options: of the layer, without those for which the name stands.

    Raises:
        ValueError: another name, an option that contradicts it, and what the layer raises.
    """
    if kind not in KINDS:
        raise ValueError(f"cell must be one of {', '.join(KINDS)}, got {kind!r}")
    layer_class, stands_for = KINDS[kind]
    for name, value in stands_for.items():
        if options.get(name, value) != value:
            raise ValueError(f"cell {kind!r} stands for {name}={value!r}, got {options[name]!r}")
    return layer_class(**{**options, **stands_for})
