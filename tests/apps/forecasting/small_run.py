"""A finished run of a small forecaster with large random weights, so that all that is read counts.

Nothing is trained: what these tests protect holds for any weights.
"""

import keras
import numpy as np

from apps.forecasting import config as configs
from apps.forecasting import forecaster, model, trained_model
from apps.suite.panels import layout as layouts
from apps.suite.panels import panel as panels
from apps.suite.runs import run_folder
from apps.suite.training import members

WITHOUT_DRAWS = {"model": {"dropout": 0.0}}
CONTEXT, HORIZON = 24, 6
START = 1_704_067_200.0  # Monday, 1 January 2024
STATIC = (("big", "3.5"), ("small", ""), ("big", "1"))


def config(**sizes):
    sizes = {
        "units": 7, "layer_count": 2, "context_steps": CONTEXT, "patch_steps": 4,
        "season_count": 2, "linear": True, "path_count": 9, **sizes,
    }  # fmt: skip
    return configs.Config(
        preset="tiny",
        forecast=configs.ForecastConfig(horizon_steps=HORIZON),
        model=configs.ModelConfig(**sizes),
        training=configs.TrainingConfig(batch_size=4, steps=4, steps_per_checkpoint=2),
    )


def panel(steps=120, targets=2, names=("north", "south", "west"), static=STATIC):
    """Series with a season of 7 days, gaps, covariates of both kinds, and static columns."""
    draw = np.random.default_rng(0)
    made = []
    for at, name in enumerate(names):
        days = np.arange(steps + HORIZON)
        wave = np.sin(2 * np.pi * (days[:, None] / 7 + np.arange(targets) / 5))
        target = 10 * (at + 1) + 3 * wave + draw.normal(0, 0.3, wave.shape)
        target[draw.random(target.shape) < 0.05] = np.nan
        target[steps:] = np.nan
        target[steps - 1] = 10.0
        past = draw.normal(5, 2, (len(days), 1))
        past[steps:] = np.nan
        made.append(
            panels.Series(
                name,
                START + 86_400 * days,
                target.astype(np.float32),
                past.astype(np.float32),
                (days[:, None] % 11 == 0).astype(np.float32),
                steps,
                steps - 40,
                steps - 20,
                static[at] if static else (),
            )
        )
    return panels.Panel(
        name="small", licence="", source="small", fingerprint="0", split="in order of time",
        target_names=("sales", "visits")[:targets], past_names=("heat",), known_names=("promo",),
        static_names=("size", "area") if static else (), series=tuple(made), dated=True,
        step_seconds=86_400.0, season=7,
    )  # fmt: skip


def trained(seed=0, of=None, count=1, **sizes):
    """A trained model; of several members with the seeds after `seed` where `count` says so."""
    made, of = config(**sizes), of or panel()
    layout = layouts.of_training(of, made.model)
    networks = []
    for each in range(seed, seed + count):
        keras.utils.set_random_seed(each)
        networks.append(model.build(made, layout).network)
        draw = np.random.default_rng(each)
        for weight in networks[-1].trainable_weights:
            weight.assign(draw.normal(0, 0.3, weight.shape))
    network = members.joined(networks, model.shared(made)) if count > 1 else networks[0]
    offsets = np.array([-0.1, -0.05, 0.0, 0.0, 0.0, 0.05, 0.1], np.float32)
    found = forecaster.uncalibrated(made)._replace(offsets=offsets)
    return trained_model.TrainedModel(network, made, layout, found)


def write(folder, one=None):
    """Makes `folder` a finished run."""
    one = one or trained()
    data = {"name": "small", "fingerprint": "0"}
    with run_folder.start(folder, "forecasting", one.config, data) as run:
        one.network.save(run.model_file)
        trained_model.write(run, one)
        run.finish_training(1.0)
        run.write_metrics({})
