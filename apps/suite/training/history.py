"""Records a training checkpoint by checkpoint in history.csv and tensorboard/.

Both files follow from the rows, so a resumed training writes them anew from its checkpoint and no
row appears twice.

What a person sees of a training: a line per checkpoint, and on a terminal a live one.
"""

import contextlib
import csv
import dataclasses
import io
import math
import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from apps.suite import errors

Row = dict[str, float]


@dataclasses.dataclass
class History:
    """One row per checkpoint: `step`, the training metrics, `validation_…`, `learning_rate`.

    Rows hold nothing that differs between two runs of one seed: times are beside them.
    """

    rows: list[Row] = dataclasses.field(default_factory=list)
    best_step: int | None = None
    best_value: float | None = None
    checkpoints_since_best: int = 0
    stopped_early: bool = False
    train_seconds: float = 0.0  # of the work that the rows show, over all interruptions

    @property
    def step(self) -> int:
        """Returns the number of steps trained so far."""
        return int(self.rows[-1]["step"]) if self.rows else 0

    def add(self, row: Row, monitor: str, higher_is_better: bool) -> bool:
        """Appends a row; returns whether its value of `monitor` is the best so far.

        A value that is not a number is never the best. Raises ValueError when the row has no
        such column.
        """
        if monitor not in row:
            raise ValueError(f"monitor {monitor!r} is not a column: {', '.join(row)}")
        self.rows.append(row)
        value = row[monitor]
        if self.best_value is None:
            improved = not math.isnan(value)
        else:
            improved = value > self.best_value if higher_is_better else value < self.best_value
        if improved:
            self.best_step, self.best_value, self.checkpoints_since_best = self.step, value, 0
        else:
            self.checkpoints_since_best += 1
        return improved

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def to_csv(self) -> str:
        """Formats a header and a line per row; floats in full, so that they read back equal."""
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()


class EventFiles:
    """The rows as scalars for TensorBoard, which need not be installed to write them.

    Every method raises `errors.UserError` when the disk is full or not writable.
    """

    def __init__(self, folder: pathlib.Path, rows: list[Row]) -> None:
        """Replaces what an interrupted training left in `folder` by `rows`."""
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self._folder = folder
        with self._explained():
            self._writer = tf.summary.create_file_writer(str(folder))
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        metadata = tf.compat.v1.SummaryMetadata(data_class=1)  # 1: scalars
        metadata.plugin_data.plugin_name = "scalars"
        with self._explained():
            with self._writer.as_default(step=int(row["step"])):
                for column, value in row.items():
                    if column != "step":
                        tf.summary.write(column, tf.constant(value, tf.float32), metadata=metadata)
            self._writer.flush()

    def close(self) -> None:
        with self._explained():
            self._writer.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.ResourceExhaustedError as error:
            raise errors.UserError(
                f"{self._folder} cannot be written: the disk is full; nothing finished was lost"
            ) from error
        except tf.errors.OpError as error:
            reason = error.message.splitlines()[0]
            raise errors.UserError(
                f"{self._folder} cannot be written: {reason}; nothing finished was lost"
            ) from error


_LIVE_SECONDS = 0.25  # between two looks of the live line
PLAIN_SECONDS = 9.5
"""Silence of a training after which a line is printed into a pipe."""
_ERASE_LINE = "\r\x1b[2K"


def show_progress(line: str) -> None:
    """Prints a line at once; on a terminal it replaces the live line."""
    print(f"{_ERASE_LINE if sys.stdout.isatty() else ''}{line}", flush=True)


def checkpoint_line(
    row: Row, steps: int, is_best: bool, steps_a_second: float, seconds_left: float
) -> str:
    """Formats `step 200 of 1000  loss 1.2  …  12.5 steps/s  3 min left  (best so far)`"""
    parts = [f"step {int(row['step']):{len(str(steps))}d} of {steps}"]
    for column, value in row.items():
        if column != "step":
            parts.append(f"{column.replace('_', ' ')} {value:#.4g}")
    parts.append(f"{steps_a_second:.3g} steps/s")
    parts.append(f"{duration(seconds_left)} left" if row["step"] < steps else "done")
    return "  ".join(parts) + ("  (best so far)" if is_best else "")


def duration(seconds: float) -> str:
    """Formats seconds as `8 s`, `3 min` or `1 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class LiveLine(keras.callbacks.Callback):
    """Says how far the steps of one checkpoint are.

    Args:
        steps: of the whole training.
        on_terminal: rewrite the last line of the terminal; else print plain lines, into a pipe,
            after each ten seconds without another one.
    """

    def __init__(self, steps: int, on_terminal: bool = True) -> None:
        super().__init__()
        self._steps = steps
        self._on_terminal = on_terminal
        self._epoch_first_step = 0
        self._epoch_began = self._shown = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch_first_step = epoch * self.params["steps"]
        self._epoch_began = self._shown = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        now = time.monotonic()
        if now - self._shown < (_LIVE_SECONDS if self._on_terminal else PLAIN_SECONDS):
            return
        self._shown = now
        rate = (batch + 1) / (now - self._epoch_began)
        line = f"step {self._epoch_first_step + batch + 1} of {self._steps}"
        line += f"  loss {(logs or {})['loss']:#.4g}  {rate:.3g} steps/s"
        if self._on_terminal:
            print(f"{_ERASE_LINE}{line}", end="", flush=True)
        else:
            print(line, flush=True)
