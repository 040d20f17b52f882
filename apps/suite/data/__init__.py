"""Finds data sets: named sets, labelled files, division into parts."""
