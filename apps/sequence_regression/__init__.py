"""Learns a value for a sequence, or for each of its steps, and how sure it is of it."""
