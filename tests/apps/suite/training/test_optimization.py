"""The averaged weights and the schedule that every training uses."""

import dataclasses

import keras
import numpy as np
import pytest

from apps.suite.training import optimizer as averaged_weights


@dataclasses.dataclass(frozen=True)
class Settings:
    """What `optimizer.Settings` asks for."""

    steps: int = 40
    learning_rate: float = 0.1
    schedule: str = "cosine"
    warmup_fraction: float = 0.25
    weight_decay: float = 0.0
    gradient_clip_norm: float = 0.0
    average_fraction: float = 0.5


def test_the_average_is_that_of_the_recurrence_in_the_docstring() -> None:
    optimizer = averaged_weights.optimizer(Settings(average_fraction=0.5))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    values, average = [], np.zeros((3, 1))
    generator = np.random.default_rng(0)
    for step in range(12):
        model.train_on_batch(generator.normal(size=(4, 3)), generator.normal(size=(4, 1)))
        value = model.trainable_variables[0].numpy()
        values.append(value)
        average = average + (value - average) / (1 + step * 0.5)
    np.testing.assert_allclose(averaged_weights.averaged_arrays(model)[0], average, rtol=1e-5)
    assert np.abs(average - values[-1]).max() > 1e-4, (
        "the average must differ from the last weights"
    )


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 0.0), ("constant", 0.1)])
def test_the_rate_rises_over_the_warm_up_and_ends_as_the_schedule_says(schedule, last) -> None:
    rates = averaged_weights.optimizer(Settings(schedule=schedule))._learning_rate
    assert float(rates(0)) == pytest.approx(0.0001)
    assert float(rates(5)) == pytest.approx(0.05, rel=0.01)
    assert float(rates(10)) == pytest.approx(0.1)
    assert float(rates(40)) == pytest.approx(last, abs=1e-6)


def test_biases_and_peepholes_do_not_decay() -> None:
    optimizer = averaged_weights.optimizer(Settings(weight_decay=0.5))
    for name, decays in (("kernel", True), ("bias", False), ("forget_peephole", False)):
        variable = keras.Variable(np.ones(2, "float32"), name=name)
        assert optimizer._use_weight_decay(variable) is decays, name


def test_the_optimizer_reloads_from_its_config() -> None:
    optimizer = averaged_weights.optimizer(Settings())
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is averaged_weights.AveragingAdamW
    assert again.average_fraction == 0.5
    assert again.use_ema
