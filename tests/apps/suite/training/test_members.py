"""Members are joined into one network that says their mean, and a killed training goes on."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.suite.runs import config as configs
from apps.suite.runs import run_folder
from apps.suite.training import fit, learning, members


@dataclasses.dataclass(frozen=True)
class Config:
    preset: str = "tiny"
    seed: int = 7
    training: configs.TrainingConfig = dataclasses.field(
        default_factory=lambda: configs.TrainingConfig(steps=4, steps_per_checkpoint=2)
    )


def network():
    inputs = keras.Input((3,), name="values")
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(4, activation="relu")(inputs))
    return keras.Model(inputs, keras.layers.Dense(1)(hidden))


def trained(folder: Path, count: int, ends_in=None):
    """Trains in `folder`; `ends_in`: the member and the step in which the power fails."""

    def batches(seed, first_step, power):
        def draw(step):
            if ends_in == (power, step):
                raise OSError("the power fails")
            x = np.random.default_rng([seed, int(step)]).normal(size=(8, 3)).astype(np.float32)
            return x, x.sum(axis=1, keepdims=True)

        def example(step):
            x, y = tf.numpy_function(draw, [step], [tf.float32, tf.float32])
            return tf.ensure_shape(x, (8, 3)), tf.ensure_shape(y, (8, 1))

        return tf.data.Dataset.counter(first_step).map(example)

    seen = []

    def learn(config, own):
        fit.seed_everything(config.seed)
        seen.append(config.seed)
        model = learning.compiled(network(), config.training, "mse")
        given = np.eye(3, dtype=np.float32)

        def validate():
            return {"loss": float(np.square(model(given).numpy() - 1).mean())}

        return learning.learn(
            model, lambda first: batches(config.seed, first, len(seen) - 1), config.training, own,
            validate,
        )  # fmt: skip

    data = {"name": "made", "fingerprint": "0"}
    with run_folder.start(folder, "made", Config(), data) as run:
        members.train(Config(), run, count, learn)
        return seen, keras.models.load_model(run.model_file, compile=False), run


def test_an_interrupted_training_goes_on_in_its_member_and_ends_with_the_same_weights(tmp_path):
    seeds, whole, run = trained(tmp_path / "whole", 2)
    assert len(set(seeds)) == 2
    assert seeds[0] == Config().seed
    with pytest.raises(Exception, match="the power fails"):
        trained(tmp_path / "cut", 2, ends_in=(1, 3))
    assert not (tmp_path / "cut" / "model.keras").exists()
    _, again, _ = trained(tmp_path / "cut", 2)
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert run.history_file.read_text() == (tmp_path / "cut" / "history.csv").read_text()


def test_the_joined_network_says_the_mean_of_members_that_differ(tmp_path):
    _, model, run = trained(tmp_path / "run", 2)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    said = [
        keras.models.load_model(run.path / "members" / f"member_{at}.keras", compile=False)(x)
        for at in range(2)
    ]
    assert np.abs(said[0] - said[1]).max() > 1e-3
    np.testing.assert_allclose(model(x), np.mean(said, axis=0), rtol=1e-5, atol=1e-6)


def test_one_member_is_the_network_itself(tmp_path):
    _, model, run = trained(tmp_path / "run", 1)
    assert not (run.path / "members").exists()
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)


@pytest.mark.parametrize("named", [False, True])
def test_members_share_inputs_and_each_carries_states_of_its_own(named):
    def one(seed):
        keras.utils.set_random_seed(seed)
        values, mask = keras.Input((None, 2), name="values"), keras.Input((None, 2), name="mask")
        state = keras.Input((3,), name="state")
        cell = keras.layers.GRU(3, return_sequences=True, return_state=True)
        if named:  # all are shared, and a dictionary
            return keras.Model({"values": values, "mask": mask}, cell(values * mask)[0])
        said, after = cell(values * mask, initial_state=state)
        return keras.Model([values, mask, state], [said, after])

    models = [one(0), one(1)]
    draw = np.random.default_rng(0)
    values, mask = (draw.normal(size=(2, 4, 2)).astype(np.float32) for _ in range(2))
    whole = members.joined(models, None if named else 2)
    if named:
        given = {"values": values, "mask": mask}
        said = np.mean([model(given) for model in models], axis=0)
        np.testing.assert_allclose(whole(given), said, rtol=1e-5, atol=1e-6)
        return
    states = [draw.normal(size=(2, 3)).astype(np.float32) for _ in range(2)]
    found, *after = whole([values, mask, *states])
    each = [model([values, mask, state]) for model, state in zip(models, states, strict=True)]
    np.testing.assert_allclose(found, np.mean([said for said, _ in each], axis=0), rtol=1e-5)
    for one, (_, other) in zip(after, each, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
