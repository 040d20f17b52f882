"""Learns to translate: texts into texts of another language, words into phonemes."""
