"""A job that is killed goes on by the same command to the same bytes, in little memory."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from apps import score_many
from tests.apps import echo_model, task_folders
from tests.apps.scoring_job_files import content, write_csv

pytestmark = pytest.mark.slow
SHARDS, ROWS_PER_SHARD = 400, 25


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return echo_model.write(tmp_path_factory.mktemp("exports"), 3)


@pytest.fixture
def arguments(model, tmp_path, monkeypatch):
    """Of a job of many shards, with a bad row in each."""
    monkeypatch.chdir(tmp_path)
    # A graph may refuse a row for any one of several reasons: -1 leaves it one
    rows = [(at, at % ROWS_PER_SHARD or -1) for at in range(SHARDS * ROWS_PER_SHARD)]
    write_csv(tmp_path / "a.csv", ["id", "divisor"], rows)
    named = ["--model", str(model), "--input", "a.csv", "--signature", "divide", "--keep", "id"]
    return [*named, "--rows_per_shard", str(ROWS_PER_SHARD)]


def started(arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "apps.score_many", *arguments],
        env={**os.environ, "PYTHONPATH": str(task_folders.ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def whole_shards(records):
    """Lists the records of whole shards; one that is still being written has another name."""
    return list(records.glob("[0-9]*.json"))


def test_killed_in_the_middle_it_goes_on_and_ends_with_the_same_bytes(arguments, tmp_path, capsys):
    assert score_many.main([*arguments, "--to", "whole"]) == 0
    job = started([*arguments, "--to", "killed"], cwd=tmp_path)
    records = tmp_path / "killed" / ".shards"
    while len(whole_shards(records)) < 5:
        assert job.poll() is None, job.stderr.read()
        time.sleep(0.01)
    os.kill(job.pid, signal.SIGSTOP)
    capsys.readouterr()
    assert score_many.main([*arguments, "--to", "killed"]) == 2
    assert f"is being written by process {job.pid}" in capsys.readouterr().err
    job.kill()
    job.communicate()
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "killed").glob("part-*")}
    whole = len(whole_shards(records))
    assert 5 <= whole < SHARDS
    assert not (tmp_path / "killed" / "_manifest.json").exists()
    (tmp_path / "killed" / ".partial-1-part-00399-of-00400.parquet").write_text("half")
    damaged = max(whole_shards(records))
    damaged.write_text(damaged.read_text()[:20])

    assert score_many.main([*arguments, "--to", "killed", "--keep", "divisor"]) == 2
    assert "was begun with --keep id, not --keep divisor" in capsys.readouterr().err
    assert score_many.main([*arguments, "--to", "killed"]) == 0
    told = re.search(r"(\d+) of 400 shards are whole already", capsys.readouterr().out)
    assert int(told[1]) == whole - 1
    assert content(tmp_path / "killed") == content(tmp_path / "whole")
    after = {file: file.stat().st_mtime_ns for file in before}
    assert sum(after[file] == time for file, time in before.items()) >= whole - 1
    assert not [entry.name for entry in (tmp_path / "killed").iterdir() if "partial" in entry.name]


def test_a_csv_that_is_much_larger_than_its_rows_is_never_in_memory(model, tmp_path):
    with (tmp_path / "a.csv").open("w") as file:
        file.write("text\n")
        file.writelines("x" * 1000 + "\n" for _ in range(120_000))
    arguments = ["--model", str(model), "--input", "a.csv", "--to", "scores"]
    arguments += ["--signature", "describe", "--constant", "times=1", "--outputs", "length"]
    job = started([*arguments, "--rows_per_shard", "1000000"], cwd=tmp_path)
    before = peak = 0.0
    while job.poll() is None:
        peak = megabytes(job.pid) or peak
        if not before and (tmp_path / "scores" / "_job.json").exists():
            before = peak  # the model is there, and the file was counted
        time.sleep(0.02)
    said, complaints = job.communicate()
    assert job.returncode == 0, complaints
    assert "120,000 rows in, 120,000 scored" in said
    assert before > 100
    assert peak - before < 70, (before, peak)  # the file has 120


def megabytes(process):
    """The most memory that a process has had; 0 when it has ended."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def test_processes_that_beam_starts_write_the_same_bytes(arguments, tmp_path):
    shards = ["--rows_per_shard", "2000"]
    assert score_many.main([*arguments, *shards, "--to", "threads"]) == 0
    beam = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    job = started([*arguments, *shards, "--to", "processes", *beam], cwd=tmp_path)
    said, complaints = job.communicate()
    assert job.returncode == 0, complaints
    assert "10,000 rows in, 9,600 scored, 400 set aside" in said
    assert content(tmp_path / "threads") == content(tmp_path / "processes")


def test_ctrl_c_is_one_line_and_the_job_goes_on(arguments, tmp_path, capsys):
    job = started([*arguments, "--to", "scores"], cwd=tmp_path)
    while not whole_shards(tmp_path / "scores" / ".shards"):
        assert job.poll() is None, job.stderr.read()
        time.sleep(0.01)
    job.send_signal(signal.SIGINT)
    _, complaints = job.communicate(timeout=60)
    assert job.returncode == 130, complaints
    assert complaints.startswith("interrupted: ")
    assert complaints.count("\n") == 1
    assert score_many.main([*arguments, "--to", "scores"]) == 0
    assert "whole already" in capsys.readouterr().out
