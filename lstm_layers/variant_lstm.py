"""`VariantLSTM`: the family of LSTMs behind one set of options."""

from __future__ import annotations

import keras

from lstm_layers.recurrent_layer import RecurrentLayer
from lstm_layers.variant_lstm_cell import VariantLSTMCell


@keras.saving.register_keras_serializable(package="lstm_layers")
class VariantLSTM(RecurrentLayer):
    """An LSTM of any variant over (batch, time, features).

    See `variant_equations` for the equations, `Variant` for the options with their sources, and
    `VariantLSTMCell` for weights and states. `lstm_variants` has the variants of the literature by
    name. With the options at their defaults it is `PeepholeLSTM(units, peepholes="")`, and with
    `peepholes="ifo"` `PeepholeLSTM(units)`: same weights, same results. Those have a gradient
    derived by hand and the faster of the `implementations`; here the loop is the portable one, and
    the backend differentiates it.

    Args:
        units: size of c and of the gates; of h too, unless `projection_units`.
        **options: those of `RecurrentLayer`, and the other ones of `VariantLSTMCell`.

    Call arguments, returned values and masks: see `RecurrentLayer`.
    """

    def __init__(self, units: int, **options):
        super().__init__(VariantLSTMCell, {"units": units}, **options)
