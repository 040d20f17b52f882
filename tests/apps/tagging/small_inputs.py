"""Texts for the small run, for tests over all tasks."""


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`, if it needs any."""
    return ["flights from new york to rome", "  Rome, tomorrow", "play some music by prince"]
