"""Learns to write down what is said, from a file or while it is being said."""
