"""The two Keras callbacks of `training.fit`: one that judges a checkpoint, one that keeps it."""

import math
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import keras

from apps import (
    averaged_weights,
    checkpoints,
    distribution,
    errors,
    history,
    progress,
    training_state,
    whole_files,
)

_VALIDATION = "validation_"
_SHARED_STORAGE_SECONDS = 30.0  # until one machine must see what another has written


class Folder(Protocol):
    """The part of a run folder that `fit` writes to; its folders exist."""

    @property
    def checkpoints(self) -> pathlib.Path: ...
    @property
    def history_file(self) -> pathlib.Path: ...
    @property
    def tensorboard(self) -> pathlib.Path: ...


class Judge(keras.callbacks.Callback):
    """Adds validation and learning rate to an epoch's logs; says what is better, and enough."""

    def __init__(
        self,
        validate: Callable[[keras.Model], Mapping[str, float]] | None,
        monitor: str,
        higher_is_better: bool,
        patience_checkpoints: int | None,
    ) -> None:
        super().__init__()
        self._validate = validate
        self._monitor = monitor
        self._higher_is_better = higher_is_better
        self._patience_checkpoints = patience_checkpoints
        self.training_seconds = 0.0  # of the last epoch, without its validation

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.training_seconds = time.monotonic() - self._began
        assert logs is not None
        found = {column: float(value) for column, value in logs.items()}
        # All workers go by what the chief saw: no two of them may decide otherwise
        logs |= distribution.from_chief(lambda: found | self._validation())
        logs["learning_rate"] = float(self.model.optimizer.learning_rate.numpy())

    def _validation(self) -> dict[str, float]:
        if self._validate is None:
            return {}
        with averaged_weights.in_place(self.model):
            metrics = self._validate(self.model)
        return {
            name if name.startswith(_VALIDATION) else _VALIDATION + name: float(value)
            for name, value in metrics.items()
        }

    def enter(self, row: history.Row, record: history.History) -> bool:
        """Adds the row to the record; returns whether it is the best, and may stop the model."""
        is_best = record.add(row, self._monitor, self._higher_is_better)
        patience = self._patience_checkpoints
        if patience is not None and record.checkpoints_since_best >= patience:
            self.model.stop_training = True
        return is_best


class Keeper(keras.callbacks.Callback):
    """Puts a training back to its newest checkpoint, and writes one at the end of every epoch.

    Of several workers all read the chief's file, and the chief alone writes.
    """

    def __init__(
        self,
        folder: Folder,
        callbacks: Sequence[keras.callbacks.Callback],
        judge: Judge,
        save_best: Callable[[keras.Model], None],
        steps: int,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._callbacks = callbacks
        self._judge = judge
        self._save_best = save_best
        self._steps = steps
        self._found = _agreed(folder.checkpoints)
        self.record = history.History(**self._found[1]["history"] if self._found else {})

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        # Here, since Keras's own callbacks forget their state at this point
        if self._found:
            source, tree = self._found
            training_state.restore(self.model, self._callbacks, tree["training"], source)
            self._found = None
        if not distribution.is_chief():
            return
        if self.record.step:
            # A process that was killed right behind its last checkpoint has not come to that
            checkpoints.remove_old(self._folder.checkpoints, self.record.step)
            progress.show(f"Going on from step {self.record.step} of {self._steps}")
            self._write_history()
            if self.record.best_step == self.record.step:
                self._save_best_model()
        else:
            every = self.params["steps"]
            progress.show(f"Training {self._steps} steps with a checkpoint every {every}")
        self._events = history.EventFiles(self._folder.tensorboard, self.record.rows)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        epoch_steps = self.params["steps"]
        row = {"step": (epoch + 1) * epoch_steps, "loss": logs["loss"]}
        row |= {column: float(value) for column, value in logs.items()}
        if not math.isfinite(row["loss"]):
            raise errors.UserError(
                f"{self._folder.history_file}: the training loss is {row['loss']} at step "
                f"{row['step']}: start anew with a smaller learning rate or clipped gradients"
            )
        record = self.record
        is_best = self._judge.enter(row, record)
        record.stopped_early = self.model.stop_training and row["step"] < self._steps
        record.train_seconds += time.monotonic() - self._began
        tree = {
            "history": record.to_dict(),
            "training": training_state.collect(self.model, self._callbacks),
        }
        if not distribution.is_chief():
            return
        checkpoints.write(self._folder.checkpoints, record.step, tree)
        self._write_history()
        if is_best:
            self._save_best_model()
        self._events.add(row)
        seconds_left = (time.monotonic() - self._began) * (self._steps / epoch_steps - epoch - 1)
        rate = epoch_steps / self._judge.training_seconds
        progress.show(progress.checkpoint_line(row, self._steps, is_best, rate, seconds_left))
        if record.stopped_early:
            progress.show(f"Stopped early: the best checkpoint is that of step {record.best_step}")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if distribution.is_chief():
            self._events.close()

    def _write_history(self) -> None:
        whole_files.write_atomically(self._folder.history_file, self.record.to_csv())

    def _save_best_model(self) -> None:
        with averaged_weights.in_place(self.model):
            self._save_best(self.model)


def _agreed(folder: pathlib.Path) -> tuple[pathlib.Path, Any] | None:
    """`checkpoints.newest` of the chief, read by every worker."""
    found = checkpoints.newest(folder) if distribution.is_chief() else None
    name = distribution.from_chief(lambda: found[0].name if found else None)
    if distribution.is_chief() or name is None:
        return found
    path = folder / name
    deadline = time.monotonic() + _SHARED_STORAGE_SECONDS
    while True:
        try:
            return path, checkpoints.read(path)
        except checkpoints.DamagedCheckpoint:  # or not there yet
            if time.monotonic() > deadline:
                raise errors.UserError(
                    f"{path}: {distribution.worker_name()} cannot read this checkpoint, the chief "
                    "can; --run must be a folder on storage that all workers share"
                ) from None
        time.sleep(0.5)
