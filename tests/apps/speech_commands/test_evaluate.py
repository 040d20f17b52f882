"""An evaluation is complete, on clips and on streams, and refuses what it cannot judge."""

import functools
import re

import numpy as np
import pytest
import soundfile

from apps.speech_commands import data, evaluate, stream_evaluation, trained_model
from apps.speech_commands.scoring import ClipProbabilities
from apps.suite.runs import run_folder
from tests.apps import evaluations
from tests.apps.speech_commands import small_run

pytestmark = pytest.mark.usefixtures("own_cache")
CLIPS = {"train": 5, "validation": 3, "test": 4}  # of each label
SPEAKERS = {"train": ("ann", "bob"), "validation": ("cy",), "test": ("dee", "<b>eve</b>")}


def word(label, seed):
    """0.4 s of a tone that rises, falls or stays, or of noise."""
    draw = np.random.default_rng(seed)
    times = np.arange(round(0.4 * small_run.RATE_HZ)) / small_run.RATE_HZ
    bend = {"no": -1_000, "yes": 1_000, "unknown": 0, "silence": 0}[label]
    loud = 0.0 if label == "silence" else 0.3
    phase = 2 * np.pi * (draw.uniform(900, 1_200) * times + bend * times**2)
    return loud * np.sin(phase) + draw.normal(0, 0.02, len(times))


def recorded(folder):
    """A csv file of clips of four labels in three parts."""
    rows = ["path,label,speaker,part"]
    for part, count in CLIPS.items():
        for label in small_run.NAMES:
            for number in range(count):
                name = f"{part}_{label}_{number}.wav"
                soundfile.write(folder / name, word(label, len(rows)), small_run.RATE_HZ)
                speaker = SPEAKERS[part][number % len(SPEAKERS[part])]
                rows.append(f"{name},{label},{speaker if label != 'silence' else ''},{part}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    return folder / "clips.csv"


def trained_run(folder, **sizes):
    """A run folder as a training leaves it, with a model that has learned nothing."""
    config = small_run.config(data=recorded(folder), **sizes)
    corpus = data.load(config)
    noted = {
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "label_names": list(corpus.label_names),
    }
    with run_folder.start(folder / "run", "speech_commands", config, noted) as run:
        small_run.built(config).save(run.model_file)
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
    examples = {part: count * len(small_run.NAMES) for part, count in CLIPS.items()}
    assert metrics["data"]["examples"] == examples
    primary = metrics["primary"]
    assert (primary["name"], primary["higher_is_better"]) == ("accuracy", True)
    baselines = {"nearest class mean", "logistic regression", "small convolution"}
    assert metrics["baselines"].keys() == baselines
    for scores in metrics["baselines"].values():
        assert scores.keys() == {"accuracy", "macro_f1"}


def test_the_numbers_are_those_of_the_test_clips(evaluated):
    run, metrics, _ = evaluated
    corpus, trained = data.load(run.config), trained_model.read(run)
    waveforms = [corpus.test.waveform(at) for at in range(len(corpus.test.recordings))]
    answers = ClipProbabilities(trained.model, run.config)(waveforms).argmax(axis=1)
    right = [
        small_run.NAMES[answer] == recording.label
        for answer, recording in zip(answers, corpus.test.recordings, strict=True)
    ]
    test = metrics["test"]
    assert test["accuracy"] == pytest.approx(np.mean(right))
    assert test["speakers"] == 2
    for level in (20, 10, 5, 0):
        assert 0 <= test[f"accuracy_at_{level}_db"] <= 1


def test_streams_are_measured_with_thresholds_from_validation(evaluated):
    run, metrics, _ = evaluated
    chosen = stream_evaluation.read_thresholds(run.path)
    assert chosen.keys() == {"no", "yes"}
    assert trained_model.read(run).thresholds == chosen
    test = metrics["test"]
    assert 0 < test["stream_hours_without_commands"] < test["stream_hours"] < 0.02
    for name in ("streaming_accuracy", "clip_accuracy_of_the_streams", "miss_rate"):
        assert 0 <= test[name] <= 1
    assert test["false_accepts_per_hour_on_validation"] == 0  # too little sound for one of 10


def test_the_report_shows_sounds_that_can_be_played(evaluated):
    run, _, _ = evaluated
    page = run.report_file.read_text()
    names = {
        "learning_curve", "model_and_baselines", "confusion", "noise", "trade_off", "stream",
        "wrong_1", "right_1",
    }  # fmt: skip
    assert {file.stem for file in run.plots.glob("*.png")} >= names
    players = re.findall(r'<audio [^>]*src="data:audio/wav;base64,', page)
    pictures = [file.stem for file in run.plots.glob("*.png") if not file.stem.endswith("-dark")]
    assert len(players) == 1 + sum(name.startswith(("wrong_", "right_")) for name in pictures)
    for said in ("What went wrong", "taken for", "What went right", "A stream", "false accepts"):
        assert said in page
    assert "&lt;b&gt;eve&lt;/b&gt;" in page
    assert "<b>" not in page


def test_a_model_for_clips_is_judged_on_clips_alone(tmp_path):
    run = trained_run(tmp_path, layer="bilstm")
    metrics, printed = quietly(run)
    assert not any("stream" in name or "false" in name for name in metrics["test"])
    assert "streams" not in printed
    assert not (run.path / stream_evaluation.THRESHOLDS_FILE).exists()
    assert "it was not judged on streams" in " ".join(run.report_file.read_text().split())
