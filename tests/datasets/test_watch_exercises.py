import importlib.util
import io
import itertools
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from apps.suite.data import named_sets

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("seglearn") is None, reason="seglearn is not installed"
)
PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """The examples of a config by part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))

        def read(config):
            builder = named_sets.prepare(f"watch_exercises/{config}")
            return {
                part: list(builder.as_dataset(split=part, shuffle_files=False).as_numpy_iterator())
                for part in PARTS
            }

        yield read


@pytest.fixture(scope="module")
def watch(examples):
    examples("tempo_small")  # loads the builder, and with it the reader
    return sys.modules["watch_exercises_watch_file"]


@pytest.mark.parametrize("config", ["sessions", "gyroscope", "tempo_small"])
def test_nobody_is_in_two_parts(examples, config):
    people = [{example["subject"] for example in rows} for rows in examples(config).values()]
    assert [len(subjects) for subjects in people] == [6, 2, 2]
    for one, other in itertools.combinations(people, 2):
        assert not one & other


def test_a_session_holds_each_exercise_once_and_every_step_of_its_recordings(examples, watch):
    lengths = {}
    for row in watch.recordings():
        lengths[f"subject {row.subject:02d}, {row.side}", row.exercise] = len(row.values)
    sessions = [session for rows in examples("sessions").values() for session in rows]
    assert len(sessions) == 20
    orders = set()
    for session in sessions:
        label = session["label"]
        assert session["values"].shape == (len(label), 6)
        order = [exercise for exercise, _ in itertools.groupby(label.tolist())]
        assert sorted(order) == list(range(7))
        name = session["sequence"].decode()
        assert all((label == exercise).sum() == lengths[name, exercise] for exercise in range(7))
        orders.add(tuple(order))
    assert len(orders) > 15


def test_turning_rates_are_those_of_the_same_recording(examples, watch):
    recordings = {row.name: row for row in watch.recordings()}
    rows = [row for rows in examples("gyroscope").values() for row in rows]
    assert len(rows) == 140
    for row in rows:
        whole = recordings[row["sequence"].decode()].values
        np.testing.assert_array_equal(np.hstack([row["values"], row["target"]]), whole)


def test_tempo_is_seen_for_four_seconds_only_and_differs_between_recordings(examples):
    rows = examples("tempo_small")["train"]
    assert {row["values"].shape for row in rows} == {(200, 6)}
    targets = np.array([row["target"] for row in rows])
    assert targets.shape == (157, 1)
    assert 0.9 < targets.min() < 1.2
    assert 2.0 < targets.max() < 2.7


def test_tempo_is_the_time_after_which_a_recording_repeats_itself(watch):
    """The autocorrelation knows nothing of how the file was cut."""
    errors = []
    for row in watch.recordings():
        seconds = len(row.values) / watch.STEPS_PER_SECOND / watch.REPETITIONS
        centred = row.values - row.values.mean(axis=0)
        spectrum = np.abs(np.fft.rfft(centred, 2 * len(centred), axis=0)) ** 2
        repeats = np.fft.irfft(spectrum, axis=0).sum(axis=1)
        lags = np.arange(round(0.7 * 50 * seconds), round(1.4 * 50 * seconds))
        errors.append(abs(lags[np.argmax(repeats[lags])] / 50 - seconds) / seconds)
    assert np.median(errors) < 0.05


def test_a_file_that_would_run_code_is_refused(watch):
    harmful = pickle.dumps(os.system, protocol=2)
    with pytest.raises(pickle.UnpicklingError, match="has no place in a file of arrays"):
        watch._ArraysOnly(io.BytesIO(harmful)).load()


def test_the_package_is_read_and_never_imported(watch):
    assert len(watch.recordings()) == 140
    assert "seglearn" not in sys.modules


def test_without_the_package_it_is_said_what_to_install(tmp_path):
    program = (
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: "
        "None if name == 'seglearn' else found(name, *more)\n"
        "from apps.suite import errors\n"
        "from apps.suite.data import named_sets\n"
        "try:\n"
        "    named_sets.prepare('watch_exercises/tempo_small')\n"
        "except errors.UserError as error:\n"
        "    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "TFDS_DATA_DIR": str(tmp_path)},
    )
    assert "pip install --no-deps seglearn" in ended.stdout, ended.stderr
