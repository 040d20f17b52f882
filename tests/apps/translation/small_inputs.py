"""Texts for the small run, for tests over all tasks."""


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`, if it needs any."""
    return ["She sees the cat.", " Do they ß see? ", "--nbest", "2"]
