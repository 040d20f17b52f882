import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apps.suite import errors
from apps.suite.commands import command as commands
from apps.suite.commands import progress
from apps.suite.runs import files


@dataclasses.dataclass(frozen=True)
class Model:
    units: int = 4
    peepholes: bool = True


@dataclasses.dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""
    seed: int = 0
    model: Model = Model()


PRESETS = {
    "tiny": Config(preset="tiny", model=Model(units=2)),
    "default": Config(),
}


class Recorder:
    """A `train` that notes how it was called."""

    def __init__(self):
        self.calls = []

    def __call__(self, config, run, /, *, overwrite=False):
        self.calls.append((config, run, overwrite))


@pytest.fixture
def train():
    return Recorder()


def command(train, *arguments):
    return commands.train_command("some_task", PRESETS, train, arguments)


def test_without_arguments_the_default_preset_goes_to_the_task_s_folder(train):
    assert command(train) == 0
    assert train.calls == [(Config(), Path("runs/some_task"), False)]


@pytest.mark.parametrize("spelling", [("--preset", "tiny"), ("--preset=tiny",)])
def test_overrides_apply_to_the_preset_wherever_it_stands(train, spelling):
    arguments = ("--seed", "3", *spelling, "--model.peepholes", "False", "--run", "there")
    assert command(train, *arguments) == 0
    expected = Config(preset="tiny", seed=3, model=Model(units=2, peepholes=False))
    assert train.calls == [(expected, Path("there"), False)]


def test_overwrite_reaches_the_task(train):
    assert command(train, "--overwrite", "--run", "there") == 0
    assert train.calls[0][2] is True


def test_an_unknown_preset_lists_the_known_ones(train, capsys):
    assert command(train, "--preset", "huge") == 2
    assert capsys.readouterr().err == "error: --preset: 'huge' is not one of tiny, default\n"
    assert not train.calls


def test_a_finished_run_is_refused_before_training_begins(train, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    record = {"task": "some_task", "preset": "tiny", "config": {}, "data": {}, "commit": ""}
    files.write_json(run / "config.json", {**record, "train_seconds": 1.0})
    (run / "model.keras").write_bytes(b"weights")
    (run / "metrics.json").write_text("{}")
    assert command(train, "--run", str(run)) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {run} holds a finished run;")
    assert "--overwrite" in error
    assert not train.calls
    assert command(train, "--run", str(run), "--overwrite") == 0


def test_help_is_a_success_and_trains_nothing(train, capsys):
    assert command(train, "--help") == 0
    printed = capsys.readouterr().out
    assert "--model.units" in printed
    assert "Presets: tiny, default" in printed
    assert not train.calls


def test_exit_statuses_tell_a_user_s_error_from_an_interruption(capsys):
    def fail(error):
        raise error

    assert commands.exit_status(lambda: fail(errors.UserError("a.csv: line 3"))) == 2
    assert commands.exit_status(lambda: fail(KeyboardInterrupt()), "go on") == 130
    assert commands.exit_status(lambda: fail(SystemExit(130))) == 130
    assert capsys.readouterr().err == "error: a.csv: line 3\ninterrupted: go on\n"
    with pytest.raises(RuntimeError):  # a defect keeps its traceback
        commands.exit_status(lambda: fail(RuntimeError("defect")))


@dataclasses.dataclass(frozen=True)
class Options:
    """Look at a run."""

    run: Path = Path("runs/some_task")


def test_run_command_fills_the_options(capsys):
    seen = []
    run = ["--run", "there"]
    assert commands.run_command("some_task", "evaluate", Options, seen.append, run) == 0
    assert seen == [Options(Path("there"))]
    assert commands.run_command("some_task", "evaluate", Options, print, ["--help"]) == 0
    printed = capsys.readouterr().out
    assert "python -m apps.some_task.evaluate" in printed
    assert "Look at a run." in printed


@pytest.mark.parametrize("name", ["train", "check", "evaluate", "export"])
def test_a_long_command_is_never_silent_for_long(name, monkeypatch, capsys):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(progress, "_LATER_SECONDS", 0.02)

    def work(*_, **__):
        print("reading")
        time.sleep(0.3)

    run = {
        "train": lambda: command(work),
        "check": lambda: command(work, "--check"),
        "evaluate": lambda: commands.evaluate_command("some_task", work, []),
        "export": lambda: commands.export_command("some_task", work, work, []),
    }[name]
    assert run() == 0
    assert "still working, 0 s after “reading”" in capsys.readouterr().out


def test_the_command_machinery_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from apps.suite.commands import command as commands\n"
        "from apps.suite.runs import run_folder\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stderr == ""
    assert ended.returncode == 0
    assert time.monotonic() - began < 5  # a second on an idle machine; this one may be busy


def test_a_reader_that_stops_reading_gets_no_traceback():
    program = (
        "import sys; from apps.suite.commands import command as commands\n"
        "def run():\n    for at in range(100000): print('line', at)\n"
        "sys.exit(commands.exit_status(run))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        writer.stdout.readline()
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 141
