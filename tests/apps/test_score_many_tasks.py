"""Exports of every task score files as they answer the same rows asked one by one."""

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
import tensorflow as tf

from apps import score_many
from apps.anomaly_detection import export
from apps.forecasting import export as forecasting_export
from apps.recommendation import export as recommendation_export
from apps.sequence_classification import export as labels_export
from apps.sequence_regression import export as regression_export
from apps.speech_commands import export as speech_export
from apps.suite.panels import histories
from apps.suite.sequences.config import SequenceFormatConfig
from apps.suite.sounds import sound_files
from apps.text_generation import export as text_export
from apps.video_classification import export as video_export
from apps.video_classification import predict as video_predict
from tests.apps.anomaly_detection import small_model, test_export
from tests.apps.anomaly_detection import small_run as small_detector
from tests.apps.forecasting import small_inputs
from tests.apps.forecasting import small_run as small_forecaster
from tests.apps.recommendation import small_run
from tests.apps.scoring_job_files import bad_rows, manifest, scores, write_csv, write_parquet
from tests.apps.sequence_classification import small_run as small_labels
from tests.apps.sequence_regression import small_inputs as small_fleet
from tests.apps.sequence_regression import small_run as small_regression
from tests.apps.speech_commands import recorded_words
from tests.apps.speech_commands import small_run as small_speech
from tests.apps.text_generation import small_run as small_text
from tests.apps.video_classification import made_videos
from tests.apps.video_classification import small_run as small_video

pytestmark = [
    pytest.mark.slow,
    # Of Keras, when it saves a model
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def exported(export, write, folder):
    """A small run's export, and a function that asks one of its signatures."""
    write(folder / "run")
    version = export.export(folder / "run", folder / "exports")
    loaded = tf.saved_model.load(str(version))

    def ask(signature="serving_default", **inputs):
        found = loaded.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})
        return {name: value.numpy() for name, value in found.items()}

    ask.loaded = loaded
    return version, ask


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(version, *arguments):
        options = ["--model", str(version), "--to", "scores", *map(str, arguments)]
        assert score_many.main(options) == 0
        return scores(tmp_path / "scores")

    return run


def test_texts_of_a_csv_get_their_nats_a_character(run, tmp_path):
    version, ask = exported(text_export, small_text.write, tmp_path)
    drawn = np.random.default_rng(0)
    texts = ["", "In the", "\n", "unknown ~ and ü", 'a "quote", and\na line' * 40]
    texts += [small_text.TEXT[: drawn.integers(1, 90)] for _ in range(60)]
    write_csv(tmp_path / "a.csv", ["id", "review"], list(enumerate(texts)))
    found = run(version, "--input", "a.csv", "--signature", "score", "--inputs", "text=review",
                "--rows_per_batch", 16, "--rows_per_shard", 40)  # fmt: skip
    expected = [ask("score", text=[text])["nats_per_character"][0] for text in texts]
    np.testing.assert_allclose([row["nats_per_character"] for row in found], expected, rtol=1e-5)


def test_histories_of_tables_get_their_next_items(run, tmp_path):
    version, ask = exported(recommendation_export, small_run.write, tmp_path)
    drawn = np.random.default_rng(0)
    histories = [list(drawn.choice(small_run.NAMES, drawn.integers(0, 12))) for _ in range(150)]
    write_csv(tmp_path / "a.csv", ["user", "history"],
              [(f"u{at}", "|".join(names)) for at, names in enumerate(histories[:70])])  # fmt: skip
    users = [f"u{at}" for at in range(70, 150)]
    write_parquet(tmp_path / "b.parquet", user=users, history=histories[70:])
    found = run(version, "--input", "*.csv", "*.parquet", "--separator", "|", "--keep", "user",
                "--constant", "k=7", "exclude_seen=true")  # fmt: skip
    assert [row["user"] for row in found] == [f"u{at}" for at in range(150)]
    for row, history in zip(found, histories, strict=True):
        names = np.array([history], object) if history else np.zeros((1, 0), object)
        expected = ask(history=tf.constant(names, tf.string), k=np.int32(7), exclude_seen=True)
        assert row["items"] == [name.decode() for name in expected["items"][0]]
        np.testing.assert_allclose(row["scores"], expected["scores"][0], rtol=1e-5, atol=1e-5)
        assert row["unknown"] == expected["unknown"][0]


def test_files_of_readings_are_each_a_series_of_their_own(run, tmp_path):
    def write(folder):
        small_detector.write(folder, test_export.made())

    version, ask = exported(export, write, tmp_path)
    drawn = np.random.default_rng(0)
    lengths = {"a.csv": 50, "b.csv": 31}
    series = {}
    for name, steps in lengths.items():
        values = drawn.normal(small_model.MEAN, small_model.DEVIATION, (steps, 3))
        values = values.astype(np.float32)
        values[7, 1] = math.nan
        series[name] = values
        rows = [
            (at, *("" if math.isnan(cell) else cell for cell in values[at].tolist()))
            for at in range(steps)
        ]
        # The columns stand in another order than those of the training
        flipped = [(row[0], row[3], row[2], row[1]) for row in rows]
        write_csv(tmp_path / name, ["time", *reversed(small_model.NAMES)], flipped)
    shutil.copy(tmp_path / "a.csv", tmp_path / "c.csv")
    lines = (tmp_path / "c.csv").read_text().splitlines()
    (tmp_path / "c.csv").write_text("\n".join([*lines[:5], "4,x,1,1", *lines[6:]]) + "\n")
    found = run(version, "--input", "*.csv", "--keep", "time")
    assert [(row["file"], row["row"]) for row in found] == [
        (name, at + 1) for name, steps in lengths.items() for at in range(steps)
    ]
    for name, values in series.items():
        expected = ask(values=values[None])
        rows = [row for row in found if row["file"] == name]
        for output in ("score", "is_anomaly", "alarm", "contribution"):
            given = np.array([row[output] for row in rows])
            np.testing.assert_allclose(given, expected[output][0], rtol=1e-5, atol=1e-5)
        assert {row["threshold"] for row in rows} == {expected["threshold"][0]}
        assert [row["time"] for row in rows] == [str(at) for at in range(len(values))]
    assert manifest(tmp_path / "scores")["once"] == {"channel_names": list(small_model.NAMES)}
    ((row, told),) = bad_rows(tmp_path / "scores")
    assert row == 1
    assert told.startswith("line 6: command is 'x', which is not a number")
    counts = [manifest(tmp_path / "scores")[name] for name in ("input_rows", "rows", "bad_rows")]
    assert counts == [131, 81, 50]


def test_a_table_of_many_histories_becomes_a_table_of_forecasts(run, tmp_path):
    version, ask = exported(forecasting_export, small_forecaster.write, tmp_path)
    names = [*(f"store {at}" for at in range(120)), "north"]
    steps = small_forecaster.HORIZON
    lines = small_inputs.csv_of(
        small_forecaster.panel(steps=35, names=names, static=None)
    ).splitlines()
    last = max(at for at, line in enumerate(lines) if line.startswith("store 7,"))
    lines[last] = lines[last].rpartition(",")[0] + ","  # its plan ends a day early
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    found = run(version, "--input", "a.csv", "--rows_per_batch", 50, "--outputs", "mean",
                "quantiles", "unseen")  # fmt: skip
    assert len(found) == 120 * steps
    ((row, told),) = bad_rows(tmp_path / "scores")
    assert row == 1 + 7 * steps
    assert f"store 7: promo is missing at 2024-02-10 00:00:00 UTC, step {steps} of" in told
    settings = json.loads((version / "assets" / "settings.json").read_text())
    panel = histories.read(tmp_path / "a.csv", settings)
    whole = [(at, one.length) for at, one in enumerate(panel.series)]
    inputs = ask.loaded.signatures["serving_default"].structured_input_signature[1]
    context = small_forecaster.CONTEXT
    expected = ask(**histories.request(panel, whole, context, steps, inputs))
    answers = iter(found)
    for place, one in enumerate(panel.series):
        for step in range(steps if one.name != "store 7" else 0):
            answer = next(answers)
            assert (answer["series"], answer["row"]) == (one.name, 1 + place * steps + step)
            assert answer["time"].timestamp() == one.times[one.length + step]
            assert answer["unseen"] == (one.name != "north")
            for name in ("mean", "quantiles"):
                np.testing.assert_allclose(answer[name], expected[name][place, step], rtol=1e-4)


def test_a_table_of_sequences_gets_an_answer_for_each_of_them(run, tmp_path):
    version, ask = exported(regression_export, small_regression.write, tmp_path)
    file = small_fleet.fleet(tmp_path, lengths=(12, 30, 21))
    file.write_text(file.read_text() + "engine 4,1,,\nengine 4,2,,\n")
    found = run(version, "--input", "fleet.csv")
    assert [(row["row"], row["sequence"]) for row in found] == [
        (at, f"engine {at}") for at in (1, 2, 3)
    ]
    for at, steps in enumerate((12, 30, 21)):
        expected = ask(values=small_regression.a_sequence(steps, seed=at + 1)[None])
        for name in ("value", "lower", "upper"):
            np.testing.assert_allclose(found[at][name], expected[name][0], rtol=1e-4)
    ((row, told),) = bad_rows(tmp_path / "scores")
    assert row == 4
    assert "a sequence without any value" in told


def test_labels_of_steps_are_lists_and_the_columns_are_those_of_the_training(run, tmp_path):
    made = small_labels.trained(per="step")
    named = SequenceFormatConfig(sequence_column="who")
    made = made._replace(config=dataclasses.replace(made.config, data_format=named))

    def write(folder):
        small_labels.write(folder, made)

    version, ask = exported(labels_export, write, tmp_path)
    given = {"ann": small_labels.sequence(9, seed=1), "bob": small_labels.sequence(14, seed=2)}
    rows = [
        (who, *("" if math.isnan(cell) else cell for cell in step))
        for who, values in given.items()
        for step in values.tolist()
    ]
    write_csv(tmp_path / "steps.csv", ["who", "x", "y"], rows)
    found = run(version, "--input", "steps.csv", "--outputs", "probabilities", "label")
    assert [row["sequence"] for row in found] == ["ann", "bob"]
    for row, values in zip(found, given.values(), strict=True):
        expected = ask(values=values[None])
        np.testing.assert_allclose(row["probabilities"], expected["probabilities"][0], rtol=1e-4)
        assert row["label"] == [label.decode() for label in expected["label"][0]]


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return exported(speech_export, small_speech.write, tmp_path_factory.mktemp("speech"))


def test_sound_files_get_their_labels_at_any_rate_and_length(run, speech, tmp_path):
    version, ask = speech
    rate = small_speech.RATE_HZ
    files = []
    for at, seconds in enumerate((0.4, 0.4, 0.1, 0.7, 0.4)):
        sound = small_speech.sound(seconds, seed=at)
        files.append(recorded_words.write(tmp_path / "in" / f"{at}.wav", sound, rate))
    tone = recorded_words.tone(440, 0.4, 44_100)
    files.append(recorded_words.write(tmp_path / "in" / "deep" / "5.flac", tone, 44_100))
    whole = files[0].read_bytes()
    (tmp_path / "in" / "cut.wav").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in" / "junk.ogg").write_text("no sound")
    found = {row["file"]: row for row in run(version, "--input", "in")}
    assert set(found) == {str(file.relative_to(tmp_path)) for file in files}
    for file in files:
        expected = ask(waveform=sound_files.read(file, rate)[None])
        row = found[str(file.relative_to(tmp_path))]
        assert row["label"] == expected["label"][0].decode()
        np.testing.assert_allclose(row["probabilities"], expected["probabilities"][0], atol=1e-5)
    reasons = [reason for _, reason in bad_rows(tmp_path / "scores")]
    assert len(reasons) == 2
    assert "it is cut off" in reasons[0]
    assert "cannot be read as audio" in reasons[1]
    names = [name.decode() for name in expected["label_names"]]
    assert manifest(tmp_path / "scores")["once"] == {"label_names": names}


def test_bytes_of_wav_files_are_scored_by_the_signature_that_takes_them(run, speech, tmp_path):
    version, ask = speech
    sound = small_speech.sound(0.4)
    good = recorded_words.write(tmp_path / "in" / "a.wav", sound, small_speech.RATE_HZ)
    recorded_words.write(tmp_path / "in" / "b.wav", sound, 44_100)
    found = run(version, "--input", "in/*.wav", "--signature", "wav")
    expected = ask("wav", wav=[good.read_bytes()])
    assert [row["file"] for row in found] == ["in/a.wav"]
    np.testing.assert_allclose(found[0]["probabilities"], expected["probabilities"][0], atol=1e-5)
    told = "wav: the sample rate has to be"
    assert [reason.startswith(told) for _, reason in bad_rows(tmp_path / "scores")] == [True]


def test_videos_get_their_labels(run, tmp_path):
    version, _ = exported(video_export, small_video.write, tmp_path)
    drawn, sizes = np.random.default_rng(0), [(3, 48, 64), (25, 48, 64), (40, 32, 32)]
    for at, (count, height, width) in enumerate(sizes):
        frames = made_videos.numbered(count, height, width)
        frames[:, : height // 2] += drawn.integers(0, 40, (count, 1, 1, 3), np.uint8)
        made_videos.write(tmp_path / "in" / f"{at}.avi", frames)
    whole = (tmp_path / "in" / "1.avi").read_bytes()
    (tmp_path / "in" / "cut.avi").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in" / "junk.mp4").write_text("no video")
    found = run(version, "--input", "in", "--rows_per_batch", 2)
    assert [row["file"] for row in found] == ["in/0.avi", "in/1.avi", "in/2.avi"]
    names = manifest(tmp_path / "scores")["once"]["label_names"]
    for row in found:
        options = video_predict.Options((tmp_path / row["file"],), model=version, top=len(names))
        (answer,) = video_predict.predict(options)
        assert row["label"] == next(iter(answer.labels))
        expected = [answer.labels[name] for name in names]
        np.testing.assert_allclose(row["probabilities"], expected, atol=5e-3)  # a grey level
    reasons = [reason for _, reason in bad_rows(tmp_path / "scores")]
    assert "is cut off" in reasons[0]
    assert "not a video" in reasons[1]
