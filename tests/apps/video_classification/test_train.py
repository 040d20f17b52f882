"""The training learns, and leaves what the next commands need."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.runs import run_folder
from apps.suite.training import checkpoints
from apps.video_classification import config as configs
from apps.video_classification import train, trained_model
from tests.apps.video_classification import moving_spots

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_cache")]


def settings_of(file, **sizes):
    sizes = {"cnn_filters": (8, 16), "frame_features": 32, "units": 24, **sizes}
    return dataclasses.replace(
        configs.PRESETS["tiny"],
        data=str(file),
        clips=configs.ClipConfig(frames=8, height=24, width=24, clips_per_video=2),
        model=configs.ModelConfig(**sizes),
        training=configs.TrainingConfig(
            batch_size=8, steps=60, steps_per_checkpoint=20, learning_rate=5e-3
        ),
        evaluation=configs.EvaluationConfig(clips_per_video=1, strips=1),
    )


@pytest.fixture(scope="module")
def data_file(tmp_path_factory):
    return moving_spots.write_csv(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def settings(data_file):
    return settings_of(data_file)


@pytest.fixture(scope="module")
def run(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train.train(settings, folder)
    return folder


def test_it_learns_what_no_single_frame_tells(run):
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [20, 40, 60]
    assert float(rows[-1]["validation_loss"]) < float(rows[0]["validation_loss"])
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.9
    assert metrics["baselines"]["single frame"]["accuracy"] < 0.9


def test_the_run_holds_the_model_in_float32_and_the_label_names(run, settings):
    trained = trained_model.load(run)
    assert trained.label_names == moving_spots.LABELS
    assert trained.config == settings
    assert {layer.dtype_policy.name for layer in trained.model.layers} == {"float32"}
    corpus = json.loads((run / "config.json").read_text())["data"]
    assert {"name", "fingerprint", "licence", "source", "label_names"} == corpus.keys()


@pytest.mark.parametrize("sizes", [{"per_frame": True, "layer": "gru"}], ids=["per_frame"])
def test_it_learns_to_answer_at_every_frame(data_file, tmp_path, sizes):
    train.train(settings_of(data_file, **sizes), tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.9
    assert metrics["test"]["accuracy_after_4_frames"] > 0.8


def test_a_frozen_network_s_features_are_computed_once_and_its_weights_kept(data_file, tmp_path):
    settings = settings_of(data_file, backbone="keras_applications", application="MobileNetV2")
    small = dataclasses.replace(
        settings,
        clips=dataclasses.replace(settings.clips, height=32, width=32),
        training=configs.TrainingConfig(batch_size=8, steps=4, steps_per_checkpoint=2),
    )
    train.train(small, tmp_path / "run")
    trained = trained_model.load(tmp_path / "run").model
    network = trained.get_layer("application").layer
    assert not network.trainable
    moving = [weight for weight in network.weights if "moving_mean" in weight.path]
    assert moving
    assert not any(np.any(weight.numpy()) for weight in moving)


def test_motion_is_described_once_and_the_validation_part_learned_if_it_is_to(data_file, tmp_path):
    sizes = {"backbone": "motion_statistics", "motion_scales": 2, "beside_recurrent": True}
    settings = settings_of(data_file, **sizes, pooling="mean")
    found = {}
    for both in (False, True):
        made = dataclasses.replace(
            settings,
            training=dataclasses.replace(settings.training, learn_from_validation=both),
        )
        train.train(made, tmp_path / str(both))
        found[both] = trained_model.load(tmp_path / str(both)).model.get_layer("feature_scale")
        with (tmp_path / str(both) / "history.csv").open() as file:
            assert ("validation_loss" in next(csv.DictReader(file))) != both
        metrics = json.loads((tmp_path / str(both) / "metrics.json").read_text())
        assert metrics["data"]["examples"]["validation"] > 0
        report = (tmp_path / str(both) / "report.html").read_text()
        assert ("The validation part was learned as well" in report) == both
    assert np.all(found[False].deviation.numpy() > 0)
    # Other videos were described: the validation part is among them
    assert np.abs(found[True].mean.numpy() - found[False].mean.numpy()).max() > 1e-4


def test_the_weights_of_the_last_step_are_kept_where_nothing_is_held_out(data_file, tmp_path):
    made = settings_of(data_file)
    training = dataclasses.replace(
        made.training, learn_from_validation=True, steps=6, steps_per_checkpoint=2
    )
    train.train(dataclasses.replace(made, training=training), tmp_path / "run")
    _, tree = checkpoints.newest(tmp_path / "run" / "checkpoints")
    assert tree["history"]["best_step"] == 6


def test_a_model_of_other_labels_is_one_line(run):
    opened = run_folder.open_trained(run, train.TASK, configs.Config)
    opened._record["data"]["label_names"] = ["high", "low", "middle"]
    with pytest.raises(errors.UserError, match=r"knows 2 labels, .*config\.json names 3"):
        trained_model.read(opened)
