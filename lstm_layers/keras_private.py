"""The one place that reaches into Keras's private modules.

`keras.layers.RNN` prepares the dropout masks of a cell once a sequence, but only for cells that
inherit this mix-in, which Keras 3 does not export. `tests/lstm_layers/test_keras_private.py` says
when the import can be replaced. Nor has a layer a public way to the layers that it holds.
"""

from collections.abc import Iterator

import keras
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

__all__ = ["DropoutRNNCell", "layers_within"]


def layers_within(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """A layer or model, and all layers that it holds, in any depth."""
    yield from layer._flatten_layers()
