"""An evaluation is complete, says what the numbers are of, and refuses what it cannot judge."""

import contextlib
import io
import json

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.runs import run_folder
from apps.video_classification import config as configs
from apps.video_classification import data, evaluate, model, trained_model
from tests.apps.video_classification import made_videos, moving_spots, small_run

COUNTS = {"train": 8, "validation": 4, "test": 5}  # of each label


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSTM_TASKS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def trained_run(folder, **sizes):
    """A run folder as a training leaves it, with a model that has learned nothing."""
    file = moving_spots.write_csv(folder, COUNTS)
    config = small_run.config(data=file, evaluation={"clips_per_video": 2, "strips": 2}, **sizes)
    corpus = data.load(config)
    noted = {
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "label_names": list(corpus.label_names),
    }
    with run_folder.start(folder / "run", "video_classification", config, noted) as run:
        model.build(config, len(corpus.label_names)).save(run.model_file)
        run.history_file.write_text("step,loss,validation_loss\n2,3.0,2.9\n4,2.9,2.8\n")
        run.finish_training(12.3)
    return run


def quietly(run):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        metrics = evaluate.evaluate(run.path)
    return metrics, printed.getvalue()


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    run = trained_run(tmp_path_factory.mktemp("evaluated"))
    return run, *quietly(run)


def test_the_metrics_have_the_schema_of_every_task(evaluated):
    run, _, _ = evaluated
    metrics = json.loads(run.metrics_file.read_text())
    assert metrics["task"] == "video_classification"
    assert (metrics["preset"], metrics["seed"], metrics["train_seconds"]) == ("tiny", 0, 12.3)
    assert metrics["data"]["examples"] == {part: 2 * count for part, count in COUNTS.items()}
    primary = metrics["primary"]
    assert (primary["name"], primary["higher_is_better"]) == ("accuracy", True)
    assert primary["model"] == metrics["test"]["accuracy"]
    baselines = {"single frame", "mean of frames", "frame differences"}
    assert metrics["baselines"].keys() == baselines
    assert run_folder.open_finished(run.path, "video_classification", configs.Config)


def test_a_video_s_answer_is_the_mean_of_its_clips(evaluated):
    run, metrics, _ = evaluated
    test, trained = data.load(run.config).test, trained_model.read(run)
    assert len(test) == 2 * len(test.names)
    of_clips = trained.probabilities(test.read(slice(None)), test.lengths)
    of_videos = of_clips.reshape(-1, 2, 2).mean(axis=1)
    right = of_videos.argmax(axis=1) == test.video_labels
    assert metrics["test"]["accuracy"] == pytest.approx(right.mean())
    assert metrics["test"]["clip_accuracy"] == pytest.approx(
        (of_clips.argmax(axis=1) == test.labels).mean()
    )
    assert metrics["test"]["groups"] == 2


def test_it_says_who_is_better_and_what_to_do_next(evaluated):
    run, metrics, printed = evaluated
    assert metrics["primary"]["baseline"]["name"] in printed
    report, following = printed.strip().splitlines()[-2:]
    assert report.split() == ["report:", str(run.report_file)]
    assert f"python -m apps.video_classification.predict --run {run.path} " in following


def test_the_report_shows_film_strips_and_escapes_names(evaluated):
    run, _, _ = evaluated
    page = run.report_file.read_text()
    names = {"learning_curve", "model_and_baselines", "confusion", "frames_seen", "right_0"}
    written = {file.stem for file in run.plots.glob("*.png")}
    assert written >= names
    strips = [name for name in written if name[:5] in ("right", "wrong")]
    assert len([name for name in strips if not name.endswith("-dark")]) <= 4
    for said in ("What went wrong", "What went right", "by group", "test_right_"):
        assert said in page
    assert "&lt;b&gt;yard&lt;/b&gt;" in page
    assert "<b>" not in page


def test_evaluating_again_gives_the_same_numbers(evaluated):
    run, metrics, _ = evaluated
    assert quietly(run)[0] == metrics


def test_changed_data_is_refused_and_nothing_written(tmp_path):
    run = trained_run(tmp_path)
    made_videos.write(tmp_path / "test_down_0.avi", moving_spots.spot("right", 99), 10.0)
    with pytest.raises(errors.UserError, match=r"clips\.csv: changed since the training"):
        evaluate.evaluate(run.path)
    assert not run.metrics_file.exists()
    assert not run.report_file.exists()


def test_a_diverged_model_is_refused(tmp_path):
    run = trained_run(tmp_path)
    trained = trained_model.read(run).model
    trained.trainable_weights[-1].assign(trained.trainable_weights[-1] * np.nan)
    trained.save(run.model_file)
    with pytest.raises(errors.UserError, match="the training diverged"):
        quietly(run)
    assert not run.metrics_file.exists()


def test_a_folder_without_a_run_is_status_2(tmp_path, capsys):
    assert evaluate.main(["--run", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
