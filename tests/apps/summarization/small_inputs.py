"""Texts for the small run, for tests over all tasks."""

from tests.apps.summarization import small_run


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`, if it needs any."""
    (folder / "text.txt").write_text(f"{small_run.TEXTS[0]}\n{small_run.TEXTS[1]}\n")
    return [small_run.TEXTS[2], "  Returns the last  row", "--input", str(folder / "text.txt")]
