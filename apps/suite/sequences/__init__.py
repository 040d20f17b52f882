"""Sequences of unequal length: their files, their steps side by side, batches of equal lengths."""
