"""The time of a training is told from some of its steps; a long validation is not waited for."""

import re
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.suite.training import estimate

ENDLESS = tf.data.Dataset.from_tensors((np.ones((4, 3)), np.ones((4, 1)))).repeat()


@pytest.fixture(scope="module")
def model():
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def test_steps_and_validations_are_told_apart_and_added_up(model):
    validated = []

    def validate():
        validated.append(1)
        time.sleep(0.05)

    told = estimate.of(model, ENDLESS, validate, 10_000, 100)
    assert 1 <= len(validated) <= 2
    parts = re.search(
        r"about (\d+) s .*10,000 steps of (\d+) ms, 100 validations of (\d+) ms", told
    )
    assert parts, told
    total, step, validation = map(int, parts.groups())
    assert validation >= 50
    assert abs(total - (10_000 * step + 100 * validation) / 1000) <= 6, "rounded milliseconds"


def test_a_validation_that_takes_long_is_left(model, monkeypatch):
    monkeypatch.setattr(estimate, "_VALIDATION_SECONDS", 0.2)
    began = time.monotonic()
    told = estimate.of(model, ENDLESS, lambda: time.sleep(60), 100, 10)
    assert time.monotonic() - began < 40
    assert "more than" in told
    assert re.search(r"10 validations of more than \d+ ms", told)


def test_a_training_of_one_step_has_an_estimate(model):
    assert "1 steps of" in estimate.of(model, ENDLESS, None, 1, 1)
