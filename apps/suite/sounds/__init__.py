"""Reads sound files and computes their features, augmentation and cache."""
