"""Learns to say what many series will be: quantiles of the next steps, from one network for all."""
