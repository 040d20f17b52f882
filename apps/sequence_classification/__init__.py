"""Learns a label for a sequence of measurements or a text, or a label for each step."""
