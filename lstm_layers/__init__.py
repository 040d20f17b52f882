"""Recurrent layers for Keras 3: LSTM with peepholes, GRU, bidirectional wrappers."""

from lstm_layers.bilstm import BiLSTM
from lstm_layers.gru import GRU, GRUCell
from lstm_layers.peephole_lstm import PeepholeLSTM, PeepholeLSTMCell

__all__ = ["GRU", "BiLSTM", "GRUCell", "PeepholeLSTM", "PeepholeLSTMCell"]
