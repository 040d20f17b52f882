"""Panels: many series with the same columns by role, and their tables."""
