import dataclasses
import json
import subprocess
import sys

import pytest

from apps.suite import errors
from apps.suite.runs import run_folder


@dataclasses.dataclass(frozen=True)
class Model:
    units: int = 4


@dataclasses.dataclass(frozen=True)
class Config:
    preset: str = "tiny"
    data: str = ""
    seed: int = 0
    model: Model = Model()


DATA = {"name": "a_set", "fingerprint": "1234", "licence": "public domain"}
METRICS = {
    "data": {"examples": {"train": 3, "validation": 1, "test": 1}, "split": "by time"},
    "primary": {
        "name": "loss",
        "higher_is_better": False,
        "model": 1.0,
        "baseline": {"name": "mean", "value": 2.0},
    },
    "test": {"loss": 1.0},
    "baselines": {"mean": {"loss": 2.0}},
}


def begin(path, config=Config(), data=DATA, overwrite=False, task="some_task"):
    return run_folder.start(path, task, config, data, overwrite)


def finish(path):
    with begin(path) as folder:
        folder.model_file.write_bytes(b"weights")
        folder.finish_training(12.34)
        folder.write_metrics(METRICS)
    return folder


def contents(path):
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*.*")}


@pytest.fixture
def run(tmp_path):
    return tmp_path / "runs" / "some_task"


def test_config_json_holds_what_made_the_run(run):
    with begin(run) as folder:
        record = json.loads(folder.config_file.read_text())
    assert record["task"] == "some_task"
    assert record["preset"] == "tiny"
    assert record["config"]["model"] == {"units": 4}
    assert record["data"] == DATA
    assert {"python", "tensorflow", "keras"} <= record["versions"].keys()
    assert record["commit"]
    assert record["hardware"]


def test_a_finished_run_opens_with_its_typed_config(run):
    finish(run)
    folder = run_folder.open_finished(run, "some_task", Config)
    assert folder.config == Config()
    assert folder.data == DATA
    metrics = folder.read_metrics()
    assert metrics["train_seconds"] == 12.3
    assert metrics["data"] == {"name": "a_set", "fingerprint": "1234", **METRICS["data"]}
    assert (metrics["task"], metrics["preset"], metrics["seed"]) == ("some_task", "tiny", 0)
    assert metrics["primary"] == METRICS["primary"]


def test_an_interrupted_run_is_reopened_by_the_same_command(run):
    with begin(run) as folder:
        (folder.checkpoints / "10.npz").write_bytes(b"state")
        (folder.checkpoints / ".partial-1-20.npz").write_bytes(b"cut sho")
        before = folder.config_file.read_bytes()
    with begin(run) as folder:
        assert [each.name for each in folder.checkpoints.iterdir()] == ["10.npz"]
        assert folder.config_file.read_bytes() == before


@pytest.mark.parametrize(
    ("config", "data", "named"),
    [
        (Config(model=Model(units=5)), DATA, "model.units (4, now 5)"),
        (Config(seed=1), DATA, "seed (0, now 1)"),
        (Config(), {"name": "b_set", "fingerprint": "5"}, "data ('a_set', now 'b_set')"),
        (Config(), {**DATA, "fingerprint": "5"}, "fingerprint of the data ('1234', now '5')"),
    ],
)
def test_another_config_or_other_data_does_not_resume(run, config, data, named):
    begin(run).close()
    before = contents(run)
    with pytest.raises(errors.UserError) as caught:
        begin(run, config, data)
    assert f"another {named}" in str(caught.value)
    assert contents(run) == before
    begin(run).close()  # the refused start keeps no lock


def test_a_finished_run_of_this_preset_and_data_is_complete_and_no_other_is_taken_for_it(
    run, capsys
):
    assert not run_folder.is_complete(run, "some_task", Config())
    with begin(run):
        assert not run_folder.is_complete(run, "some_task", Config())
    finish(run)
    assert run_folder.is_complete(run, "some_task", Config(seed=1))
    assert capsys.readouterr().out == f"{run} holds a finished run: not trained again\n"
    for other in (Config(preset="default"), Config(data="mine.csv")):
        with pytest.raises(errors.UserError, match="holds a finished run with (preset|data)"):
            run_folder.is_complete(run, "some_task", other)


def test_a_finished_run_is_replaced_only_when_asked(run):
    finish(run)
    before = contents(run)
    for refused in (lambda: run_folder.refuse_finished(run, "some_task"), lambda: begin(run)):
        with pytest.raises(errors.UserError, match="holds a finished run"):
            refused()
    assert contents(run) == before
    with begin(run, Config(seed=1), overwrite=True) as folder:
        assert not folder.model_file.exists()
        assert not folder.metrics_file.exists()
        assert json.loads(folder.config_file.read_text())["config"]["seed"] == 1


@pytest.mark.parametrize("trained", [False, True])
def test_a_replacing_run_that_was_killed_goes_on_by_the_same_command(run, trained):
    finish(run)
    with begin(run, Config(seed=1), overwrite=True) as folder:
        (folder.checkpoints / "10.npz").write_bytes(b"state")
        if trained:
            folder.model_file.write_bytes(b"model")
            folder.finish_training(1.0)
    before = contents(run)
    begin(run, Config(seed=1), overwrite=True).close()
    begin(run, Config(seed=1)).close()
    assert contents(run) == before


def test_a_replacing_run_is_replaced_itself_where_it_is_finished_or_of_another_config(run):
    with begin(run, overwrite=True) as folder:
        (folder.checkpoints / "10.npz").write_bytes(b"state")
    with begin(run, Config(seed=1), overwrite=True) as folder:
        assert not list(folder.checkpoints.iterdir())
        folder.model_file.write_bytes(b"model")
        folder.finish_training(1.0)
        folder.write_metrics(METRICS)
    with begin(run, Config(seed=1), overwrite=True) as folder:
        assert not folder.model_file.exists()


def test_an_interrupted_run_that_did_not_replace_is_replaced_when_asked(run):
    with begin(run) as folder:
        (folder.checkpoints / "10.npz").write_bytes(b"state")
    with begin(run, overwrite=True) as folder:
        assert not list(folder.checkpoints.iterdir())


def test_a_replacing_run_that_is_refused_itself_is_replaced_by_the_next(run):
    with pytest.raises(errors.UserError), begin(run, overwrite=True) as folder:
        (folder.checkpoints / "10.npz").write_bytes(b"damaged")
        raise errors.UserError("its checkpoint is damaged: start anew with --overwrite")
    with begin(run, overwrite=True) as folder:
        assert not list(folder.checkpoints.iterdir())


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_not_ours_is_never_touched(tmp_path, overwrite):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    foreign = tmp_path / "other" / "config.json"
    foreign.parent.mkdir()
    foreign.write_text('{"task": "some_task"}')
    begin(tmp_path / "run", task="another_task").close()
    before = contents(tmp_path)
    for path, message in (
        (file, "is a file"),
        (tmp_path, "other files and no run"),
        (foreign.parent, "not that of a run"),
        (tmp_path / "run", "a run of another_task, not of some_task"),
        (file / "run", "a file"),
    ):
        with pytest.raises(errors.UserError, match=message):
            begin(path, overwrite=overwrite)
    assert contents(tmp_path) == before


def test_a_second_training_on_the_folder_is_refused_until_the_first_ends(run):
    program = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[2])\n"
        "import test_run_folder\n"
        "folder = test_run_folder.begin(pathlib.Path(sys.argv[1]))\n"
        "print('begun', flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", program, str(run), str(__file__).rpartition("/")[0]]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout.readline() == "begun\n"
        with pytest.raises(errors.UserError, match=f"written by process {first.pid};"):
            begin(run)
        first.kill()
    begin(run).close()


def test_a_folder_that_is_dropped_without_close_is_free_again(run):
    begin(run)
    begin(run).close()


def trained(run):
    with begin(run) as folder:
        folder.model_file.write_bytes(b"weights")
        folder.finish_training(1.0)


def damage_config(run):
    (finish(run).config_file).write_text("{")


def other_version(run):
    file = finish(run).config_file
    record = json.loads(file.read_text())
    record["config"]["model"]["depth"] = 3
    file.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda run: None, "no such run folder; train one with: python -m apps.some_task.train"),
        (lambda run: run.mkdir(parents=True), "holds no run"),
        (lambda run: begin(run).close(), "unfinished run"),
        (lambda run: begin(run, task="another").close(), "a run of another, not of some_task"),
        (lambda run: trained(run), "not evaluated yet; run: python -m apps.some_task.evaluate"),
        (lambda run: finish(run).model_file.unlink(), "model.keras is missing"),
        (lambda run: finish(run).metrics_file.write_text("{"), "metrics.json is damaged"),
        (damage_config, "config.json is damaged"),
        (other_version, "unknown field model.depth; another version"),
    ],
)
def test_what_cannot_be_opened_says_why_and_what_to_do(run, prepare, message):
    prepare(run)
    with pytest.raises(errors.UserError) as caught:
        run_folder.open_finished(run, "some_task", Config)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_trained_run_can_be_evaluated(run):
    trained(run)
    folder = run_folder.open_trained(run, "some_task", Config)
    folder.write_metrics(METRICS)
    run_folder.open_finished(run, "some_task", Config)


def test_the_first_end_of_training_counts(run):
    trained(run)
    with begin(run) as folder:
        folder.finish_training(0.0)
        assert folder.train_seconds == 1.0
