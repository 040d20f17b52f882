"""Training that can be killed at any moment and resumed to the same bits.

`fit` is Keras's own `Model.fit` in epochs of `steps_per_checkpoint` steps. Each ends with a
validation, a row of the history and one checkpoint file that holds everything the next epoch
starts from. A run that is started again goes on from the newest whole file.

The weights don't depend on `steps_per_checkpoint`, unless a callback or the patience reacts to
what a checkpoint shows.

The two Keras callbacks of `fit.fit`: one that judges a checkpoint, one that keeps it.
"""

import contextlib
import math
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from apps.suite import errors, process
from apps.suite.distribution import distribution, keras_multiworker, replicas
from apps.suite.runs import files, run_folder, tracking
from apps.suite.training import checkpoints, estimate, history, optimizer

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
        with optimizer.averages_in_place(self.model):
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
            checkpoints.restore(self.model, self._callbacks, tree["training"], source)
            self._found = None
        if not distribution.is_chief():
            return
        if self.record.step:
            # A process that was killed right after its last checkpoint has not come to that
            checkpoints.remove_old(self._folder.checkpoints, self.record.step)
            history.show_progress(f"Going on from step {self.record.step} of {self._steps}")
            self._write_history()
            if self.record.best_step == self.record.step:
                self._save_best_model()
        else:
            every = self.params["steps"]
            history.show_progress(f"Training {self._steps} steps with a checkpoint every {every}")
        self._events = history.EventFiles(self._folder.tensorboard, self.record.rows)
        tracking.told(self._folder.history_file, self.record.rows)

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
            "training": checkpoints.collect(self.model, self._callbacks),
        }
        if not distribution.is_chief():
            return
        checkpoints.write(self._folder.checkpoints, record.step, tree)
        self._write_history()
        if is_best:
            self._save_best_model()
        self._events.add(row)
        tracking.told(self._folder.history_file, record.rows)
        seconds_left = (time.monotonic() - self._began) * (self._steps / epoch_steps - epoch - 1)
        rate = epoch_steps / self._judge.training_seconds
        history.show_progress(
            history.checkpoint_line(row, self._steps, is_best, rate, seconds_left)
        )
        if record.stopped_early:
            history.show_progress(
                f"Stopped early: the best checkpoint is that of step {record.best_step}"
            )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if distribution.is_chief():
            self._events.close()

    def _write_history(self) -> None:
        files.write_atomically(self._folder.history_file, self.record.to_csv())

    def _save_best_model(self) -> None:
        with optimizer.averages_in_place(self.model):
            self._save_best(self.model)


def _agreed(folder: pathlib.Path) -> tuple[pathlib.Path, Any] | None:
    """Returns the chief's `checkpoints.newest`, read by every worker."""
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


INTERRUPTED = 130  # the exit status of a command that Ctrl-C ended


def seed_everything(seed: int) -> None:
    """Makes what follows repeatable: seeds Keras, NumPy and Python; deterministic GPU kernels.

    TensorFlow's CPU kernels are deterministic as they are, and Keras refuses `jit_compile=True`
    once deterministic kernels are asked for, so that is left to machines with a GPU.
    """
    keras.utils.set_random_seed(seed)
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()


def fit(
    model: keras.Model,
    batches: Callable[[int], tf.data.Dataset],
    *,
    steps: int,
    steps_per_checkpoint: int,
    folder: Folder,
    save_best: Callable[[keras.Model], None],
    validate: Callable[[keras.Model], Mapping[str, float]] | None = None,
    monitor: str = "validation_loss",
    higher_is_better: bool = False,
    patience_checkpoints: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> history.History:
    """Trains a built and compiled model up to `steps`, or what an interruption left of them.

    Args:
        batches: `batches(first_step)` is the endless stream from that step on, of what
            `Model.fit` takes; a function of the seed and the step and of nothing else. Inside
            `distribution.begun` each replica gets its share of the rows (`replica_rows`), and
            the model has to be built and compiled in `distribution.scope`.
        steps: a multiple of `steps_per_checkpoint`.
        folder: `checkpoints`, `history_file`, `tensorboard`, as a `run_folder.RunFolder` has.
        save_best: writes the model; called when `monitor` improves, and again when a run resumes
            from the very checkpoint that was the best, since it may have been killed in between.
        validate: returns metrics; those without `validation_` before their name get it.
        monitor: a column of the history; without `validate`, a training metric.
        patience_checkpoints: stops after so many checkpoints without a better `monitor`.
        callbacks: their plain attributes are part of the checkpoint (`checkpoints.collect`).
            Their `on_epoch_end` sees the validation, and may stop the training.

    `validate` and `save_best` are given the model with its averaged weights in place, and what
    they do to its variables is undone (`optimizer.averages_in_place`). At the end the model holds
    the averages, as after Keras's own `fit`; without `use_ema`, the last weights.

    Returns the history, with the rows of earlier calls that were interrupted.

    Raises:
        ValueError: arguments that don't fit together.
        errors.UserError: the disk is full, the loss is no longer finite, or the checkpoints are
            of another training. What was written before stays whole.
        run_folder.Checked: after an estimate of the time, where the process only checks its data.
        SystemExit: with `INTERRUPTED` after Ctrl-C; a line has said how to go on. With 0 at the
            end of the training on a worker that is not the chief, which has all that follows.
    """
    _check(model, steps, steps_per_checkpoint)
    if not model.optimizer.built:
        with distribution.scope():
            model.optimizer.build(model.trainable_variables)
    check = run_folder.checking()
    if check is not None:
        process.raise_after(0)
        history.show_progress("trying some steps, to tell how long a training takes")
        trial = (lambda: validate(model)) if validate else None
        check.estimate = estimate.of(model, batches(0), trial, steps, steps_per_checkpoint)
        raise run_folder.Checked(check.data)
    judge = Judge(validate, monitor, higher_is_better, patience_checkpoints)
    keeper = Keeper(folder, callbacks, judge, save_best, steps)
    record = keeper.record
    if record.step % steps_per_checkpoint or record.step > steps:
        raise ValueError(
            f"{folder.checkpoints} is at step {record.step}, which is not a checkpoint of a "
            f"training of {steps} steps with one every {steps_per_checkpoint}"
        )
    on_terminal = sys.stdout.isatty()
    shown = on_terminal or distribution.is_chief()
    live = [history.LiveLine(steps, on_terminal)] if shown else []
    # An error instead of a silently short epoch, should the stream have an end
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    done = record.step // steps_per_checkpoint
    try:
        with _fit_mended(model):
            model.fit(
                replicas.shared_out(batches(record.step).apply(endless)),
                initial_epoch=done,
                epochs=done if record.stopped_early else steps // steps_per_checkpoint,
                steps_per_epoch=steps_per_checkpoint,
                # The judge first, that all others see the validation; the keeper last, to keep them
                callbacks=[judge, *callbacks, *live, keeper],
                shuffle=False,  # the stream has its order
                verbose=0,
            )
    except KeyboardInterrupt:
        kept = max(checkpoints.steps(folder.checkpoints), default=0)
        history.show_progress(f"Interrupted: the same command goes on from step {kept}.")
        raise SystemExit(INTERRUPTED) from None
    if not distribution.is_chief():
        raise SystemExit(0)
    return record


def _fit_mended(model: keras.Model) -> contextlib.AbstractContextManager[None]:
    """Makes `model.fit` work under the distribution of this process."""
    strategy = distribution.strategy()
    if strategy is None:
        return contextlib.nullcontext()
    if model.jit_compile:
        history.show_progress("XLA compiles no step that is distributed: jit_compile is left off")
        model.jit_compile = False
    return keras_multiworker.mended(model, strategy)


def _check(model: keras.Model, steps: int, steps_per_checkpoint: int) -> None:
    if not model.built or getattr(model, "optimizer", None) is None:
        raise ValueError("fit needs a model that is built and compiled")
    strategy = distribution.strategy()
    if strategy is not None and model.distribute_strategy is not strategy:
        raise ValueError("the model was built outside of distribution.scope")
    if steps < 1 or steps_per_checkpoint < 1 or steps % steps_per_checkpoint:
        raise ValueError(
            f"steps ({steps}) must be a multiple of steps_per_checkpoint ({steps_per_checkpoint})"
        )
    if steps_per_checkpoint % model.steps_per_execution:
        raise ValueError(
            f"steps_per_checkpoint ({steps_per_checkpoint}) must be a multiple of the model's "
            f"steps_per_execution ({model.steps_per_execution})"
        )
