"""Keeps run folders: record, config, whole files and locks, cache."""
