"""Learns which item comes next in a history, and ranks all items by name."""
