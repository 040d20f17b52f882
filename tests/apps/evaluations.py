"""Evaluates runs, and keeps what is printed."""

import contextlib
import io


def quietly(evaluate, run):
    """Returns the metrics of a run folder, and what its evaluation printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        metrics = evaluate(run.path)
    return metrics, printed.getvalue()
