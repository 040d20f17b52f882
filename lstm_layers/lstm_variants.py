"""Variants of the LSTM by the names that the literature gives them.

Each is a `VariantLSTM` with some options chosen: its equations, masks and states are those, and
every other option can be given.
"""

from __future__ import annotations

from typing import Any

import keras

from lstm_layers.variant_lstm import VariantLSTM

# Greff et al. 2017: the full LSTM "V", and what each variant changes.
GREFF_VARIANTS: dict[str, dict[str, Any]] = {
    "V": {"peepholes": "ifo"},
    "NIG": {"gates": "fo", "peepholes": "fo"},
    "NFG": {"gates": "io", "peepholes": "io"},
    "NOG": {"gates": "if", "peepholes": "if"},
    "NIAF": {"peepholes": "ifo", "input_activation": "linear"},
    "NOAF": {"peepholes": "ifo", "output_activation": "linear"},
    "CIFG": {"coupled_gates": True, "peepholes": "io"},
    "NP": {"peepholes": ""},
    "FGR": {"peepholes": "ifo", "full_gate_recurrence": True},
}


def greff_variant(name: str, units: int, **options) -> VariantLSTM:
    """A variant of Greff, Srivastava, Koutník, Steunebrink and Schmidhuber 2017.

    Args:
        name: "V", the LSTM with peepholes, or what it lacks or has instead: "NIG", "NFG", "NOG" (no
            input, forget, output gate: it is open), "NIAF", "NOAF" (no input, output activation
            function), "CIFG" (coupled input and forget gate), "NP" (no peepholes), "FGR" (full
            gate recurrence).
        units: size of h and c.
        **options: of `VariantLSTM`; those that the name stands for cannot be given again.

    Raises:
        ValueError: an unknown name.
    """
    if name not in GREFF_VARIANTS:
        raise ValueError(f"name must be one of {', '.join(GREFF_VARIANTS)}, got {name!r}")
    return VariantLSTM(units, **GREFF_VARIANTS[name], **options)


@keras.saving.register_keras_serializable(package="lstm_layers")
class LSTM1997(VariantLSTM):
    """The LSTM before it could forget: c = c' + i ⊙ g.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997, section 4; with one cell a
    block, tanh for both of its squashing functions, and the whole gradient where they truncate it.
    """

    def __init__(self, units: int, **options):
        super().__init__(units, **{"gates": "io", **options})


@keras.saving.register_keras_serializable(package="lstm_layers")
class LSTM2000(VariantLSTM):
    """The LSTM with a forget gate: c = f ⊙ c' + i ⊙ g.

    Source: Gers, Schmidhuber and Cummins, "Learning to forget", 2000, section 3. The same as
    `PeepholeLSTM(units, peepholes="")`, which has faster implementations.
    """

    def __init__(self, units: int, **options):
        super().__init__(units, **{"gates": "ifo", **options})


@keras.saving.register_keras_serializable(package="lstm_layers")
class CoupledLSTM(VariantLSTM):
    """Forgets as much as it takes in: f = 1 - i, with a quarter fewer weights.

    Source: Greff et al., "LSTM: a search space odyssey", 2017 (CIFG), here without
    peepholes unless they are asked for.
    """

    def __init__(self, units: int, **options):
        super().__init__(units, **{"coupled_gates": True, **options})


@keras.saving.register_keras_serializable(package="lstm_layers")
class ProjectedLSTM(VariantLSTM):
    """Many cells, a small output: h = (o ⊙ φ(c)) P, of `projection_units`.

    Source: Sak, Senior and Beaufays, "Long short-term memory recurrent neural network
    architectures for large scale acoustic modeling", 2014, section 2; there with peepholes "ifo".
    """

    def __init__(self, units: int, projection_units: int, **options):
        super().__init__(units, projection_units=projection_units, **options)


@keras.saving.register_keras_serializable(package="lstm_layers")
class LayerNormLSTM(VariantLSTM):
    """Both products and the cell are normalised at every step.

    Source: Ba, Kiros and Hinton, "Layer normalization", 2016, supplementary material.
    """

    def __init__(self, units: int, **options):
        super().__init__(units, **{"layer_normalization": True, **options})


@keras.saving.register_keras_serializable(package="lstm_layers")
class ZoneoutLSTM(VariantLSTM):
    """In training, entries of c and h keep their value now and then.

    Source: Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations",
    2017, section 3; the rates are those of its experiment on the characters of the Penn Treebank.
    """

    def __init__(self, units: int, zoneout_c: float = 0.5, zoneout_h: float = 0.05, **options):
        super().__init__(units, zoneout_c=zoneout_c, zoneout_h=zoneout_h, **options)
