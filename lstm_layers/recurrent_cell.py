"""`RecurrentCell`, the base of all cells, and two names from Keras's private modules.

`keras.layers.RNN` prepares the dropout masks of a cell once a sequence, but only for cells that
inherit the mix-in `DropoutRNNCell`, which Keras 3 does not export. Nor has a layer a public way to
the layers that it holds. `tests/lstm_layers/test_recurrent_cell.py` fails once Keras exports them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import keras
from keras import ops
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

from lstm_layers import initializers
from lstm_layers.recurrences import activations
from lstm_layers.recurrences.portable import input_products

_KINDS = {
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
}


class Run(NamedTuple):
    """Arguments of one run over time, from a layer to its cell's `recurrence`.

    Attributes:
        inputs: (time, batch, features) in the order in which they are read, in the dtype of the
            products.
        recurrent_kernel: R for this run, weight dropout included, in the same dtype.
        state: states before the first step, each (batch, size), in the cell's `state_dtype`.
        mask: (time, batch) bool, False where states are copied from the step before; or None.
        recurrent_dropout_mask: (batch, size of h), multiplied into h before every product; or None.
        unroll: write the steps out instead of looping.
        implementation: one of `implementations`, already chosen.
        training: whether the run is one of a training.
        drawn: what the cell's `draw` returned for this run.
    """

    inputs: Any
    recurrent_kernel: Any
    state: tuple
    mask: Any
    recurrent_dropout_mask: Any
    unroll: bool
    implementation: str
    training: bool
    drawn: Any = None


class RecurrentCell(keras.layers.Layer, DropoutRNNCell):
    """Base of all cells: their options, and one method for a whole sequence, `recurrence`.

    Args:
        units: size of each state.
        activation: φ, a name or function of those in `activations.ACTIVATIONS`.
        recurrent_activation: σ, likewise.
        use_bias: whether the input products get a bias.
        dropout: rate on the inputs, one mask a sequence.
        recurrent_dropout: rate on h where it enters the products, one mask a sequence (Gal and
            Ghahramani 2016).
        seed: of the dropout masks.
        **options: `<weight>_initializer`, `<weight>_regularizer` and `<weight>_constraint` for
            the weights in `initializers`, and the arguments of `keras.layers.Layer`.

    Raises:
        ValueError: an activation with no known derivative, a size or rate out of its range.
    """

    # A key of `implementations.LOOPS`; a cell without one has a portable loop of its own.
    equations: ClassVar[str] = ""

    # Default initializer by weight.
    initializers: ClassVar[dict[str, str]] = {
        "kernel": "glorot_uniform",
        "recurrent": "orthogonal",
        "bias": "zeros",
    }

    def __init__(
        self,
        units: int,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **options,
    ):
        of_weights = {
            f"{weight}_{kind}": module.get(
                options.pop(f"{weight}_{kind}", initializer if kind == "initializer" else None)
            )
            for weight, initializer in self.initializers.items()
            for kind, module in _KINDS.items()
        }
        super().__init__(**options)
        for name, value in of_weights.items():
            setattr(self, name, value)
        self._initialized: tuple = ()  # (initializer, shape) of each weight so far
        if units <= 0:
            raise ValueError(f"units must be positive, got {units}")
        for name, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0.0 <= rate < 1.0:
                raise ValueError(f"{name} must be in [0, 1), got {rate}")
        self.units = units
        self.activation = activations.name_of(activation)
        self.recurrent_activation = activations.name_of(recurrent_activation)
        self.use_bias = use_bias
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.output_size = units

    def add_cell_weight(
        self,
        name: str,
        shape: tuple[int, ...],
        weight: str,
        initializer=None,
        autocast: bool = True,
        alone: int = 1,
    ):
        """Adds a weight with the initializer, regularizer and constraint given for `weight`.

        Weights of one shape that share an initializer get different values all the same. A kernel
        that sees each of `alone` channels by itself is larger than the initializer draws it
        (`initializers.of_each`).
        """
        options: dict[str, Any] = {kind: getattr(self, f"{weight}_{kind}") for kind in _KINDS}
        if initializer is not None:
            options["initializer"] = initializer
        else:
            shared = options["initializer"]
            same = sum(
                size == shape and initializers.alike(each, shared)
                for each, size in self._initialized
            )
            self._initialized = (*self._initialized, (shared, shape))
            options["initializer"] = initializers.another(shared, same)
        options["initializer"] = initializers.of_each(options["initializer"], alone)
        if self.variable_dtype == "bfloat16":
            options["initializer"] = _in_32_bits(options["initializer"])
        return self.add_weight(name=name, shape=shape, autocast=autocast, **options)

    def initial(self, weight: str):
        """Returns the initializer given for `weight`."""
        return getattr(self, f"{weight}_initializer")

    def input_products(self, inputs):
        """Returns x W + b for inputs (…, features): (…, gates * units), as one product."""
        dtype = self.compute_dtype
        bias = None if self.input_bias is None else ops.cast(self.input_bias, dtype)
        return input_products(ops.cast(inputs, dtype), ops.cast(self.kernel, dtype), bias)

    def draw(self, inputs) -> Any:
        """Draws what the steps over inputs (time, batch, …) in training need at random.

        Dropout masks are drawn by the layer.
        """
        return None

    def recurrence(self, run: Run) -> tuple:
        """Computes all steps: h at every step, (time, batch, size), and the last states."""
        raise NotImplementedError

    def dropped(self, inputs, h, training) -> tuple:
        """Returns inputs and h with dropout, for the products of one step."""
        if training and self.dropout:
            inputs = inputs * ops.cast(self.get_dropout_mask(inputs), inputs.dtype)
        if training and self.recurrent_dropout:
            h = h * ops.cast(self.get_recurrent_dropout_mask(h), h.dtype)
        return inputs, h

    @property
    def state_dtype(self) -> str:
        """The dtype in which gates and states are computed: at least 32 bits."""
        return "float32" if self.compute_dtype in ("float16", "bfloat16") else self.compute_dtype

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in self.state_size]

    def get_config(self):
        config = {
            "units": self.units,
            "activation": self.activation,
            "recurrent_activation": self.recurrent_activation,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }
        for weight in self.initializers:
            for kind, module in _KINDS.items():
                config[f"{weight}_{kind}"] = module.serialize(getattr(self, f"{weight}_{kind}"))
        return {**super().get_config(), **config}


def _in_32_bits(initializer):
    """Returns an initializer that computes in float32: TensorFlow orthogonalises no bfloat16."""
    return lambda shape, dtype=None: ops.cast(initializer(shape, dtype="float32"), dtype)


def options_of_weights(cell_class: type[RecurrentCell]) -> list[str]:
    """Returns the names `<weight>_initializer`, … of the options that a kind of cell takes."""
    return [f"{weight}_{kind}" for weight in cell_class.initializers for kind in _KINDS]


def layers_within(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yields a layer or model, and all layers that it holds, in any depth."""
    yield from layer._flatten_layers()
