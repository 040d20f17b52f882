"""Learns to sum up a text in a line, and to copy words from it."""
