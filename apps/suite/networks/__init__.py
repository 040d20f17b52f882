"""Builds parts of the tasks' networks: pooling over time, token sampling, beam search."""
