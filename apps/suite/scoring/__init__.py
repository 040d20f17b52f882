"""Scores files in bulk."""
