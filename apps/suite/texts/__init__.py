"""Reads texts: tokenizers, subwords, vocabularies."""
