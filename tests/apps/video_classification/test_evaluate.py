"""An evaluation is complete, says what the numbers are of, and refuses what it cannot judge."""

import functools

import pytest

from apps.suite.runs import run_folder
from apps.video_classification import data, evaluate, model, trained_model
from tests.apps import evaluations
from tests.apps.video_classification import moving_spots, small_run

pytestmark = pytest.mark.usefixtures("own_cache")
COUNTS = {"train": 8, "validation": 4, "test": 5}  # of each label


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


quietly = functools.partial(evaluations.quietly, evaluate.evaluate)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    run = trained_run(tmp_path_factory.mktemp("evaluated"))
    return run, *quietly(run)


def test_every_baseline_is_measured(evaluated):
    _, metrics, _ = evaluated
    assert metrics["data"]["examples"] == {part: 2 * count for part, count in COUNTS.items()}
    primary = metrics["primary"]
    assert (primary["name"], primary["higher_is_better"]) == ("accuracy", True)
    baselines = {"single frame", "mean of frames", "frame differences"}
    assert metrics["baselines"].keys() == baselines


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


def test_the_report_shows_film_strips_and_escapes_names(evaluated):
    run, _, _ = evaluated
    page = run.report_file.read_text()
    names = {"learning_curve", "model_and_baselines", "confusion", "frames_seen", "right_1"}
    written = {file.stem for file in run.plots.glob("*.png")}
    assert written >= names
    strips = [name for name in written if name[:5] in ("right", "wrong")]
    assert len([name for name in strips if not name.endswith("-dark")]) <= 4
    for said in ("What went wrong", "What went right", "by group", "test_right_"):
        assert said in page
    assert "&lt;b&gt;yard&lt;/b&gt;" in page
    assert "<b>" not in page
