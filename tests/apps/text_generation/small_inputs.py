"""Prompts for the small run, for tests over all tasks."""


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`, if it needs any."""
    return ["God", "In the ", "--length", "30", "--temperature", "0.9", "--seed", "7"]
