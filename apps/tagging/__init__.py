"""Learns to label each word of a sentence: punctuation, entities, slots, parts of speech."""
