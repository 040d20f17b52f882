"""A small training that processes or devices share: an LSTM, averaged weights, a plateau."""

import pathlib
from typing import Any

from apps import configuration, distribution
from tests.apps import processes, small_training

BATCH = small_training.BATCH


def run(path: pathlib.Path, kind: distribution.Kind, devices: int = 1, **settings: Any) -> int:
    """Trains in this process to the end; returns the exit status of a command."""

    def train() -> None:
        processes.divide_cpu(devices)
        with distribution.begun(kind, BATCH):
            _train(path, **settings)

    return configuration.exit_status(train)


def _train(path: pathlib.Path, steps: int = 24, slow_seconds: float = 0.0) -> None:
    import keras

    from apps import replica_rows, training, training_state

    training.seed_everything(3)
    with distribution.scope():
        model = keras.Sequential(
            [
                keras.Input((None,), dtype="int32"),
                keras.layers.Embedding(small_training.TOKENS, 8),
                keras.layers.LSTM(16, return_sequences=True, use_cudnn=False),
                keras.layers.Dense(small_training.TOKENS),
            ]
        )
        model.compile(
            keras.optimizers.AdamW(0.05, use_ema=True, ema_momentum=0.8),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
    # Nothing improves by 1, so the rate falls at every checkpoint after the first
    plateau = keras.callbacks.ReduceLROnPlateau(
        "validation_loss", factor=0.8, patience=1, min_delta=1.0, mode="min"
    )
    folder = small_training.folder_of(path)

    def keep_final() -> None:
        held = [*training_state.variables(model), *model.optimizer.variables]
        arrays = [replica_rows.read(variable) for variable in held]
        if distribution.is_chief():
            import numpy as np

            np.savez(folder.final, *arrays)

    class Final(keras.callbacks.Callback):
        def on_train_end(self, logs: Any = None) -> None:
            keep_final()

    training.fit(
        model,
        small_training.batches,
        steps=steps,
        steps_per_checkpoint=4,
        folder=folder,
        validate=small_training.validate,
        save_best=lambda best: small_training.save(best, folder.model_file),
        callbacks=[plateau, Final()],
    )
