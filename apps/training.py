"""Training that can be killed at any moment and resumed to the same bits.

`fit` is Keras's own `Model.fit` in epochs of `steps_per_checkpoint` steps. Each ends with a
validation, a row of the history and one checkpoint file that holds everything the next epoch
starts from. A run that is started again goes on from the newest whole file.

The weights don't depend on `steps_per_checkpoint`, unless a callback or the patience reacts to
what a checkpoint shows.
"""

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from apps import (
    checkpoints,
    distribution,
    history,
    keras_multiworker,
    progress,
    replica_rows,
    training_callbacks,
)

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
    folder: training_callbacks.Folder,
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
        callbacks: their plain attributes are part of the checkpoint (`training_state.collect`).
            Their `on_epoch_end` sees the validation, and may stop the training.

    `validate` and `save_best` are given the model with its averaged weights in place, and what
    they do to its variables is undone (`averaged_weights.in_place`). At the end the model holds
    the averages, as after Keras's own `fit`; without `use_ema`, the last weights.

    Returns the history, with the rows of earlier calls that were interrupted.

    Raises:
        ValueError: arguments that don't fit together.
        errors.UserError: the disk is full, the loss is no longer finite, or the checkpoints are
            of another training. What was written before stays whole.
        SystemExit: with `INTERRUPTED` after Ctrl-C; a line has said how to go on. With 0 at the
            end of the training on a worker that is not the chief, which has all that follows.
    """
    _check(model, steps, steps_per_checkpoint)
    if not model.optimizer.built:
        with distribution.scope():
            model.optimizer.build(model.trainable_variables)
    judge = training_callbacks.Judge(validate, monitor, higher_is_better, patience_checkpoints)
    keeper = training_callbacks.Keeper(folder, callbacks, judge, save_best, steps)
    record = keeper.record
    if record.step % steps_per_checkpoint or record.step > steps:
        raise ValueError(
            f"{folder.checkpoints} is at step {record.step}, which is no checkpoint of a training "
            f"of {steps} steps with one every {steps_per_checkpoint}"
        )
    live = [progress.LiveLine(steps)] if sys.stdout.isatty() else []
    # An error instead of a silently short epoch, should the stream have an end
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    done = record.step // steps_per_checkpoint
    try:
        with _fit_mended(model):
            model.fit(
                replica_rows.shared_out(batches(record.step).apply(endless)),
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
        progress.show(f"Interrupted: the same command goes on from step {kept}.")
        raise SystemExit(INTERRUPTED) from None
    if not distribution.is_chief():
        raise SystemExit(0)
    return record


def _fit_mended(model: keras.Model) -> contextlib.AbstractContextManager[None]:
    """Where `model.fit` works under the distribution of this process."""
    strategy = distribution.strategy()
    if strategy is None:
        return contextlib.nullcontext()
    if model.jit_compile:
        progress.show("XLA compiles no step that is distributed: jit_compile is left off")
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
