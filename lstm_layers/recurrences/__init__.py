"""Computes the loops over time; starts with the equations, in `lstm_step` and `gru_step`."""
