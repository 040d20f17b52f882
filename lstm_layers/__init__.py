"""Recurrent layers for Keras 3: LSTM and its kin, GRU, stacks; over pictures; attention; a CRF."""

from lstm_layers.attention_lstm import AttentionLSTM
from lstm_layers.bilstm import BiLSTM
from lstm_layers.conv_lstm import ConvLSTM
from lstm_layers.conv_lstm_cell import ConvLSTMCell
from lstm_layers.crf import CRF, forbidden_by
from lstm_layers.gru import GRU, GRUCell
from lstm_layers.layer_kinds import layer_of_kind
from lstm_layers.layer_trace import trace
from lstm_layers.onnx_export import export_onnx
from lstm_layers.peephole_lstm import PeepholeLSTM, PeepholeLSTMCell
from lstm_layers.recurrent_layer import computed_by
from lstm_layers.simple_rnn import SimpleRNN, SimpleRNNCell
from lstm_layers.stacked_lstm import StackedLSTM
from lstm_layers.variant_lstm import (
    GREFF_VARIANTS,
    LSTM1997,
    LSTM2000,
    CoupledLSTM,
    LayerNormLSTM,
    ProjectedLSTM,
    VariantLSTM,
    VariantLSTMCell,
    ZoneoutLSTM,
    greff_variant,
)
from lstm_layers.weights.keras_weights import from_keras, to_keras
from lstm_layers.weights.onnx_weights import from_onnx, to_onnx
from lstm_layers.weights.tensorflow_weights import (
    from_addons,
    from_tensorflow1,
    to_addons,
    to_tensorflow1,
)
from lstm_layers.weights.torch_weights import from_torch, to_torch

__all__ = [
    "CRF",
    "GREFF_VARIANTS",
    "GRU",
    "LSTM1997",
    "LSTM2000",
    "AttentionLSTM",
    "BiLSTM",
    "ConvLSTM",
    "ConvLSTMCell",
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
    "computed_by",
    "export_onnx",
    "forbidden_by",
    "from_addons",
    "from_keras",
    "from_onnx",
    "from_tensorflow1",
    "from_torch",
    "greff_variant",
    "layer_of_kind",
    "to_addons",
    "to_keras",
    "to_onnx",
    "to_tensorflow1",
    "to_torch",
    "trace",
]
