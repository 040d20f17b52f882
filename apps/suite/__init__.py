"""Holds what the tasks share, cut by kind; imports no task."""
