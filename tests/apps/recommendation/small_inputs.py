"""Histories for the small shop, for tests over all tasks."""

from tests.apps.recommendation import small_run


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`."""
    lines = [f"ada {small_run.NAMES[5]} nobody", f"zoe {small_run.NAMES[7]}"]
    (folder / "users.txt").write_text("\n".join(lines))
    return ["--file", str(folder / "users.txt"), "--k", "4", "--exclude_seen"]
