"""Decodes videos: frame choice, preprocessing, clip store."""
