"""Reads texts: files, tokenizers, subwords, vocabularies."""
