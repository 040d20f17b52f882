"""Exports a run for TensorFlow Serving: `python -m apps.recommendation.export`.

Two signatures, both for any number of rows and any length of a history:

    serving_default  history string[b, time], the oldest item first, "" anywhere = no item;
                     k int32, exclude_seen bool (each a scalar, or [b])
                     -> items string[b, k], scores float32[b, k], the best one first,
                        unknown int32[b], how many names of the history were ignored
    candidates       besides include string[b, m], only these items ("" alone = all of them), and
                     exclude string[b, n], items to leave out
                     -> besides unknown_candidates int32[b], names of both lists that were ignored

Names that training didn't see are ignored and counted. A history without a known name is answered
by popularity, and its scores are logarithms of counts. Where fewer than k items are left, and
beyond a row's own k, the name is "" and the score the lowest float32; k is at most the number of
items. `assets/items.txt` holds the names, the most popular one first, `assets/titles.json` their
titles in the same order, if the data have titles.

What `python -m apps.export_onnx` writes of a run: codes of a history in, scores of items out.
"""

from __future__ import annotations

import json
import shlex
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "recommendation"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's model to `destination/recommendation/<version>`, which it returns.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    from apps.recommendation import serving, trained_model
    from apps.suite.export import saved_model

    trained = trained_model.load(run_folder)
    history_items = trained.config.model.history_items
    served = serving.of_model(trained)
    return saved_model.export(
        TASK,
        trained.model,
        served,
        lambda: serving.requests(
            trained.model, trained.item_names, trained.item_counts, history_items
        ),
        destination,
    )


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps `history` int32 (batch, time), 0 = no item, to `scores` (batch, items)."""
    import numpy as np

    from apps.recommendation import trained_model
    from apps.suite.export import onnx_file

    trained = trained_model.load(run)
    items = len(trained.item_names)
    histories = np.random.default_rng(0).integers(1, items + 1, (4, 9), np.int32)
    with_gaps = histories.copy()
    with_gaps[1, 4:] = with_gaps[2, :3] = with_gaps[3, 2] = 0
    examples = [{"history": each} for each in (histories[:1, :1], histories[:1], with_gaps)]
    return onnx_file.Network(trained.model, "scores", examples)


def _tell(version: Path) -> None:
    from apps.recommendation import serving
    from apps.suite.export import saved_model

    vocabulary = (version / "assets" / serving.VOCABULARY).read_text("utf-8")
    history = vocabulary.split("\n", 2)[:2]
    instance = {"history": history, "k": 10, "exclude_seen": False}
    body = json.dumps({"instances": [instance]}, ensure_ascii=False).replace("'", "'\\''")
    words = " ".join(shlex.quote(name) for name in history)
    saved_model.tell(version, "the next items", body, f"-- {words}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
