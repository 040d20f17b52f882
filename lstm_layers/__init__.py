"""Recurrent layers for Keras 3: LSTM and its variants, GRU, two directions, stacks."""

from lstm_layers.bilstm import BiLSTM
from lstm_layers.gru import GRU, GRUCell
from lstm_layers.lstm_variants import (
    GREFF_VARIANTS,
    LSTM1997,
    LSTM2000,
    CoupledLSTM,
    LayerNormLSTM,
    ProjectedLSTM,
    ZoneoutLSTM,
    greff_variant,
)
from lstm_layers.peephole_lstm import PeepholeLSTM, PeepholeLSTMCell
from lstm_layers.simple_rnn import SimpleRNN, SimpleRNNCell
from lstm_layers.stacked_lstm import StackedLSTM
from lstm_layers.variant_lstm import VariantLSTM
from lstm_layers.variant_lstm_cell import VariantLSTMCell

__all__ = [
    "GREFF_VARIANTS",
    "GRU",
    "LSTM1997",
    "LSTM2000",
    "BiLSTM",
    "CoupledLSTM",
    "GRUCell",
    "LayerNormLSTM",
    "PeepholeLSTM",
    "PeepholeLSTMCell",
    "ProjectedLSTM",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedLSTM",
    "VariantLSTM",
    "VariantLSTMCell",
    "ZoneoutLSTM",
    "greff_variant",
]
