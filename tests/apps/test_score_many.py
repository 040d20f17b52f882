"""A small export scores tables: what is answered, what is set aside, what is refused."""

import json
import resource

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from apps import score_many
from tests.apps import echo_model
from tests.apps.scoring_job_files import (
    bad_rows,
    content,
    manifest,
    scores,
    write_csv,
    write_parquet,
)

GOOD_DIVISORS = ("7", "5", "4", "25")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The echo model as version 3: it adds 3 to the sum of `values`."""
    return echo_model.write(tmp_path_factory.mktemp("exports"), 3)


@pytest.fixture
def run(model, tmp_path, monkeypatch):
    """Runs the command in a folder of its own; returns its status."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, of=model):
        return score_many.main(["--model", str(of), "--to", "scores", *map(str, arguments)])

    return run


def lists(count, seed=0):
    drawn = np.random.default_rng(seed)
    return [drawn.integers(-99, 99, drawn.integers(0, 7)).tolist() for _ in range(count)]


def test_every_row_of_a_csv_is_answered_as_the_export_answers_it(run, tmp_path, capsys):
    rows = lists(230)
    write_csv(tmp_path / "a.csv", ["id", "values"],
              [(at, " ".join(map(str, row))) for at, row in enumerate(rows)])  # fmt: skip
    assert run("--input", "a.csv", "--keep", "id", "--rows_per_shard", 100) == 0
    found = scores(tmp_path / "scores")
    assert [row["sums"] for row in found] == [sum(row) + 3 for row in rows]
    assert [row["row"] for row in found] == list(range(1, 231))
    assert [row["id"] for row in found] == [str(at) for at in range(230)]
    assert {row["file"] for row in found} == {"a.csv"}
    assert len(list((tmp_path / "scores").glob("part-*-of-00003.parquet"))) == 3
    assert pyarrow.parquet.read_table(tmp_path / "scores").to_pylist() == found
    assert "230 rows in, 230 scored, 0 set aside" in capsys.readouterr().out
    assert not (tmp_path / "scores" / ".shards").exists()


def test_columns_constants_and_lines_of_json(run, tmp_path):
    texts = ["one", 'two, "2"\nlines', "", "für"]
    write_csv(tmp_path / "a.csv", ["review"], [[text] for text in texts])
    arguments = ("--inputs", "text=review", "--constant", "times=2", "--format", "jsonl")
    # An empty line of a single column is no row to any reader of csv: quotes make it one
    (tmp_path / "a.csv").write_text('review\none\n"two, ""2""\nlines"\n""\nfür\n', "utf-8")
    assert run("--input", "a.csv", "--signature", "describe", *arguments) == 0
    found = scores(tmp_path / "scores")
    assert [row["length"] for row in found] == [2 * len(text.encode()) for text in texts]
    assert found[0]["raw_bytes"] == {"b64": "b25l"}
    assert "kinds" not in found[0]
    assert manifest(tmp_path / "scores")["once"] == {"kinds": ["short", "long", "?"]}


def test_a_parquet_file_with_lists_and_types_of_its_own(run, tmp_path):
    rows = lists(2500)
    when = pyarrow.array([86_400 * at for at in range(2500)], pyarrow.timestamp("s"))
    write_parquet(tmp_path / "a.parquet", numbers=rows, when=when, other=["x"] * 2500)
    arguments = ("--inputs", "values=numbers", "--keep", "when", "--rows_per_shard", 700)
    assert run("--input", "a.parquet", *arguments) == 0
    found = scores(tmp_path / "scores")
    assert [row["sums"] for row in found] == [sum(row) + 3 for row in rows]
    assert [row["when"] for row in found] == when.to_pylist()


def test_an_input_of_several_columns_and_files_of_a_folder_in_order(run, tmp_path):
    (tmp_path / "in" / "b").mkdir(parents=True)
    write_csv(tmp_path / "in" / "b" / "2.csv", ["y", "x"], [[1, 2], [3, 4]])
    write_csv(tmp_path / "in" / "1.csv", ["x", "y"], [[10, 20]])
    (tmp_path / "in" / "notes.txt").write_text("no table")
    assert run("--input", "in", "--inputs", "values=x,y") == 0
    found = [(row["file"], row["row"], row["sums"]) for row in scores(tmp_path / "scores")]
    assert found == [("in/1.csv", 1, 33), ("in/b/2.csv", 1, 6), ("in/b/2.csv", 2, 10)]


def test_bad_rows_are_set_aside_with_their_reason_and_all_others_answered(run, tmp_path, capsys):
    cells = ["7", "-1", "x", "5", "", "-3", "9" * 30, "1.5", *["4"] * 200, "-9", "25"]
    lines = ["divisor,note", *(f"{cell},n" for cell in cells), "3", "2,b,c"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    assert run("--input", "a.csv", "--signature", "divide") == 0
    found = {row["row"]: row["quotient"] for row in scores(tmp_path / "scores")}
    good = {at: 100 // int(cell) for at, cell in enumerate(cells, 1) if cell in GOOD_DIVISORS}
    assert found == good
    reasons = dict(bad_rows(tmp_path / "scores"))
    assert set(reasons) == {*range(1, len(cells) + 3)} - set(good)
    assert list(reasons) == sorted(reasons)
    for row in (2, 6, 209):
        assert reasons[row].startswith("divisor: has to be above 0")
    assert reasons[3] == "divisor: is 'x', and has to be a whole number"
    assert reasons[5] == "divisor: is empty"
    assert reasons[7].endswith("and has to fit into int64")
    assert reasons[len(cells) + 1] == "has 1 cells, and there are 2 columns"
    told = f"{len(cells) + 2:,} rows in, {len(good):,} scored, {len(reasons):,} set aside"
    assert told in capsys.readouterr().out


def test_numbers_that_are_none_and_text_that_is_no_text_are_set_aside(run, tmp_path):
    rows = [[1.0], [float("nan")], [float("inf")], None, [2.0, None], [3.0]]
    write_parquet(tmp_path / "a.parquet", values=rows)
    assert run("--input", "a.parquet") == 0
    assert [row["row"] for row in scores(tmp_path / "scores")] == [1, 6]
    assert [row for row, _ in bad_rows(tmp_path / "scores")] == [2, 3, 4, 5]
    (tmp_path / "b.csv").write_bytes(b"text\ngood\nb\xffd\n")
    arguments = ("--signature", "describe", "--constant", "times=1", "--to", "others")
    assert run("--input", "b.csv", *arguments) == 0
    assert bad_rows(tmp_path / "others") == [(2, "text: is not UTF-8")]


def test_where_no_row_is_answered_the_status_says_so(run, tmp_path, capsys):
    write_csv(tmp_path / "a.csv", ["divisor"], [[0], [-1]])
    assert run("--input", "a.csv", "--signature", "divide") == 1
    assert capsys.readouterr().err == "no row was scored\n"
    assert manifest(tmp_path / "scores")["bad_rows"] == 2


def test_the_size_of_requests_and_the_number_of_workers_change_no_answer(run, tmp_path):
    rows = [(" ".join(map(str, row)),) for row in lists(150, seed=1)]
    write_csv(tmp_path / "a.csv", ["values"], rows)
    jobs = {"one": (1, 1), "seven": (7, 1), "many": (64, 1), "workers": (64, 2)}
    for to, (batch, workers) in jobs.items():
        arguments = ("--rows_per_batch", batch, "--workers", workers, "--rows_per_shard", 40)
        assert run("--input", "a.csv", "--to", to, *arguments) == 0
    assert scores(tmp_path / "one") == scores(tmp_path / "seven") == scores(tmp_path / "many")
    assert content(tmp_path / "many") == content(tmp_path / "workers")


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_full_disk_is_one_line_and_the_job_goes_on_when_there_is_room(
    run, tmp_path, capsys, form
):
    notes = np.random.default_rng(0).bytes(80_000).hex()  # which no compression makes small
    rows = [(at + 1, notes[at * 40 : at * 40 + 40]) for at in range(4000)]
    write_csv(tmp_path / "a.csv", ["divisor", "note"], rows)
    named = ("--input", "a.csv", "--signature", "divide", "--keep", "note", "--format", form)
    arguments = (*named, "--rows_per_shard", 2000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        assert run(*arguments) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot be written: the file would be larger than the limit" in said
    assert not list((tmp_path / "scores").glob("part-*"))
    assert run(*arguments) == 0
    assert "4,000 rows in, 4,000 scored" in capsys.readouterr().out


def test_a_job_that_has_ended_is_told_again_and_not_run_again(run, tmp_path, capsys):
    write_csv(tmp_path / "a.csv", ["divisor"], [[1], [2], [0]])
    arguments = ("--input", "a.csv", "--signature", "divide")
    assert run(*arguments) == 0
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "scores").iterdir()}
    capsys.readouterr()
    assert run(*arguments) == 0
    assert "ended before:\n3 rows in, 2 scored, 1 set aside" in capsys.readouterr().out
    after = {file: file.stat().st_mtime_ns for file in (tmp_path / "scores").iterdir()}
    assert after == before


def test_a_part_that_was_changed_after_the_end_is_named(run, tmp_path, capsys):
    write_csv(tmp_path / "a.csv", ["divisor"], [[1]])
    arguments = ("--input", "a.csv", "--signature", "divide", "--format", "jsonl")
    assert run(*arguments) == 0
    part = tmp_path / "scores" / "part-00000-of-00001.jsonl"
    part.write_text(part.read_text().replace("100", "101"))
    assert run(*arguments) == 2
    assert "part-00000-of-00001.jsonl is missing or was changed" in capsys.readouterr().err


def test_job_json_says_what_the_scores_are_made_from(run, tmp_path):
    write_csv(tmp_path / "a.csv", ["divisor"], [[1]])
    assert run("--input", "a.csv", "--signature", "divide") == 0
    job = json.loads((tmp_path / "scores" / "_job.json").read_text())
    assert job["files"][0][0] == "a.csv"
    assert len(job["files"][0][3]) == len(job["model_sha256"]) == 64
    assert job["inputs"] == {"divisor": "divisor"}


def test_a_runner_that_does_not_start_is_one_line_and_another_one_resumes(run, tmp_path, capsys):
    write_csv(tmp_path / "a.csv", ["divisor"], [[1], [2]])
    arguments = ("--input", "a.csv", "--signature", "divide")
    assert run(*arguments, "--runner=FlinkRunner", "--flink_job_server_jar=/no/such.jar") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: FlinkRunner: ")
    assert said.count("\n") == 1
    assert run(*arguments, "--direct_num_workers", 1) == 0
    assert len(scores(tmp_path / "scores")) == 2


def test_the_embedded_portable_runner_writes_the_same_bytes(run, tmp_path):
    write_csv(tmp_path / "a.csv", ["divisor"], [[at % 5 or -1] for at in range(100)])
    arguments = ("--input", "a.csv", "--signature", "divide", "--rows_per_shard", 20)
    assert run(*arguments) == 0
    portable = ("--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK")
    assert run(*arguments, "--to", "portable", *portable) == 0
    assert content(tmp_path / "portable") == content(tmp_path / "scores")
