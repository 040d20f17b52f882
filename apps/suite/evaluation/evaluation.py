"""Opens the evaluation of a trained run, and finishes it, in the same way for every task.

folder = run_folders.open_trained(run_folder, TASK, config.Config)
run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
…                                   # the task measures its model and its baselines
return evaluation.finish(run.folder, metrics, report.card(…), arguments_of_predict)
"""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import sys
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from apps.suite import errors
from apps.suite.evaluation import comparison
from apps.suite.runs import run_folder as run_folders

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.suite.evaluation import report


class Data(Protocol):
    """The part of a task's loaded data that is compared with the training's."""

    @property
    def source(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...


Config = TypeVar("Config")
Trained = TypeVar("Trained")
Loaded = TypeVar("Loaded", bound=Data)


@dataclasses.dataclass(frozen=True)
class Run(Generic[Config, Trained, Loaded]):
    """A trained run with its model and its data.

    Raises:
        UserError: the data have changed since the training.
    """

    folder: run_folders.RunFolder[Config]
    trained: Trained
    data: Loaded

    def __post_init__(self) -> None:
        if self.data.fingerprint != self.folder.data["fingerprint"]:
            raise errors.UserError(
                f"{self.data.source}: changed since the training of {self.folder.path}; "
                "restore it, or train again"
            )

    @property
    def config(self) -> Config:
        """Returns the config of the run."""
        return self.folder.config


def refuse_diverged(folder: run_folders.RunFolder[Any], *answers: np.ndarray) -> None:
    """Raises UserError where an answer of the model to the test part is not a finite number."""
    import numpy as np

    if not all(np.isfinite(each).all() for each in answers):
        raise errors.UserError(
            f"{folder.model_file}: its answers to the test part are not finite: the training "
            "diverged; train again with a lower training.learning_rate"
        )


def finish(
    folder: run_folders.RunFolder[Any],
    metrics: dict[str, Any],
    card: report.Card,
    arguments: Sequence[str],
    *,
    note: str = "",
    shown: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes report.html, then metrics.json, which makes the run a finished one; prints both.

    Args:
        folder: of the run.
        metrics: what `folder.write_metrics` is given.
        card: the task's part of the report.
        arguments: of `predict` after `--run`, for the command that is proposed before `export`.
        note: printed after the verdict.
        shown: the metrics in the table and in the report, where those are not all.

    Returns:
        `metrics`.
    """
    from apps.suite.evaluation import report

    shown = metrics if shown is None else shown
    report.render(folder, card, shown)
    folder.write_metrics(metrics)
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(f"\n{comparison.text_table(shown, columns)}\n\n{comparison.verdict(metrics)}")
    if note:
        print(note)
    run = ["--run", str(folder.path)]
    predict = ["python", "-m", f"apps.{folder.task}.predict", *run, *arguments]
    export = ["python", "-m", f"apps.{folder.task}.export", *run, "--to", "exports"]
    print(f"\nreport:  {folder.report_file}")
    print(f"next:    {shlex.join(predict)}")
    print(f"then:    {shlex.join(export)}")
    return metrics
