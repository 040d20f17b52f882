"""Refusals of the command before it begins or resumes a job: one line, status 2, no file."""

import resource
import shutil
import subprocess
import sys

import pytest

from apps import score_many
from tests.apps import echo_model, task_folders
from tests.apps.scoring_job_files import scores, write_csv, write_parquet


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return echo_model.write(tmp_path_factory.mktemp("exports"), 3)


@pytest.fixture
def refused(model, tmp_path, monkeypatch, capsys):
    """Runs the command on a folder with some files; returns the one line of its error."""
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "a.csv", ["id", "values", "review"], [[1, "1 2", "good"]])
    write_csv(tmp_path / "b.csv", ["id"], [[1]])
    write_csv(tmp_path / "none.csv", ["values"], [])
    write_csv(tmp_path / "twice.csv", ["values", "values"], [[1, 2]])
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "quote.csv").write_text('values\n1 2\n"1 2\n3\n')
    write_csv(tmp_path / "row.csv", ["row", "values"], [[1, 2]])
    (tmp_path / "bad.parquet").write_text("PAR1")
    (tmp_path / "a.wav").write_text("RIFF")
    (tmp_path / "wide.csv").write_bytes("values\n1\n".encode("utf-16")[:-1])
    (tmp_path / "a.doc").write_text("text")
    write_parquet(tmp_path / "a.parquet", id=[1], values=[[1.0]])

    def refused(*arguments, of=model):
        before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
        arguments = ["--model", of, "--to", "scores", *arguments]
        assert score_many.main([str(each) for each in arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before
        return captured.err.removeprefix("error: ").rstrip()

    return refused


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--input no/*.csv", "--input no/*.csv: matches no file that can be read"),
        ("--input a.doc", "--input a.doc: is not one of .csv"),
        ("--input .", "--input: matches 10 tables and 1 sound; a job reads one kind"),
        ("--input b.csv", "b.csv: no column 'values'; it has id: choose with --inputs values="),
        ("--input a.csv --inputs values=x", "a.csv: no column 'x'; it has id, values, review"),
        (
            "--input a.csv --keep x",
            "no column 'x'; it has id, values, review: choose with --keep",
        ),
        ("--input row.csv --keep row", "row: two columns of the output are called so"),
        ("--input quote.csv", "quote.csv: line 3: a quote is opened and never closed"),
        ("--input a.csv a.parquet --keep id", "a.parquet: id is int64"),
        ("--input none.csv", "--input none.csv: holds no row"),
        ("--input empty.csv", "empty.csv: empty"),
        ("--input wide.csv", "wide.csv: cannot be read: damaged, or cut off"),
        ("--input twice.csv", "twice.csv: two columns are named 'values'"),
        ("--input bad.parquet", "bad.parquet: is not a valid parquet file"),
        ("--input a.csv --signature x", "--signature x: "),
        ("--input a.csv --outputs x", "--outputs x: signature serving_default gives sums"),
        ("--input a.csv --inputs x=id", "--inputs x: signature serving_default takes values"),
        ("--input a.csv --inputs values", "--inputs 'values': has to be NAME=VALUE"),
        ("--input a.csv --constant values=1 --inputs values=id", "give --inputs or --constant"),
        ("--input a.csv --signature describe --inputs text=review", "--constant times=int32"),
        (
            "--input a.csv --signature describe --inputs text=review --constant times=x",
            "--constant times: is 'x', and has to be a whole number",
        ),
        (
            "--input a.csv --signature describe --inputs text=review times=id",
            "--inputs times: is one value for all rows; give --constant",
        ),
        ("--input a.wav", "assets/settings.json lacks the sample rate"),
        (
            "--input a.wav --signature divide",
            "takes divisor (int64[any]), which sounds do not fill",
        ),
        ("--input a.csv --rows_per_batch 0", "--rows_per_batch must be at least 1, is 0"),
        ("--input a.csv -- --no_such_option=1", "--no_such_option: neither this command nor"),
        ("--no_such_option 1 --input a.csv", "--no_such_option: neither this command nor"),
        ("--input a.csv --rows_per_shards 9", "did you mean --rows_per_shard?"),
        ("--input a.csv --direct_num_workers=x", "argument --direct_num_workers: invalid int"),
        ("--input a.csv --runner", "argument --runner: expected one argument"),
        ("--input a.csv --runner=NoSuchRunner", "Unexpected pipeline runner: NoSuchRunner"),
        ("--runner=apps.no_such.Runner --input a.csv", "No module named 'apps.no_such'"),
        ("--input a.csv --format xml", "--format: 'xml' is not one of parquet, jsonl"),
    ],
)
def test_what_does_not_fit_is_one_line(refused, arguments, told):
    assert told in refused(*arguments.split())


def test_what_is_no_export_is_named(refused, model, tmp_path):
    for folder in (model.parent, tmp_path / "no_such_folder"):
        line = refused("--input", "a.csv", of=folder)
        assert f"--model {folder}: not an exported version" in line


def test_a_damaged_export_is_named(refused, model, tmp_path_factory):
    damaged = shutil.copytree(model, tmp_path_factory.mktemp("damaged") / "3")
    (damaged / "saved_model.pb").write_bytes(b"damaged")
    assert "does not load" in refused("--input", "a.csv", of=damaged)


def test_a_folder_with_other_files_is_left_alone(refused, tmp_path):
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "thesis.txt").write_text("mine")
    assert "holds other files; give a new folder" in refused("--input", "a.csv")


@pytest.fixture
def begun(refused, model, tmp_path, capsys):
    """A folder whose job has ended, with what another run of it would be refused for."""
    assert score_many.main(["--model", str(model), "--input", "a.csv", "--to", "scores"]) == 0
    capsys.readouterr()
    return tmp_path / "a.csv"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            "--rows_per_batch 8",
            "its job was begun with --rows_per_batch 64, not --rows_per_batch 8",
        ),
        ("--keep id", "its job was begun with no --keep, not --keep id"),
        ("--inputs values=id", "begun with --inputs values=values, not --inputs values=id"),
        ("--format jsonl", "begun with --format parquet, not --format jsonl"),
    ],
)
def test_another_job_is_refused_by_the_folder_of_one(refused, begun, arguments, told):
    assert told in refused("--input", "a.csv", *arguments.split())


def test_files_that_are_new_gone_or_changed_are_named(refused, begun):
    assert "none.csv is new since its job began" in refused("--input", "a.csv", "none.csv")
    begun.write_text(begun.read_text().replace("1 2", "1 3"))
    assert "a.csv has changed since its job began" in refused("--input", "a.csv")


def test_a_file_that_was_only_touched_counts_as_the_same(begun, model, capsys):
    begun.touch()
    assert score_many.main(["--model", str(model), "--input", "a.csv", "--to", "scores"]) == 0
    assert "ended before" in capsys.readouterr().out


def test_another_model_is_refused_and_a_copy_of_the_same_is_not(
    refused, begun, model, tmp_path_factory, capsys
):
    other = tmp_path_factory.mktemp("exports")
    copy = shutil.copytree(model, other / "copy" / "3")
    assert score_many.main(["--model", str(copy), "--input", "a.csv", "--to", "scores"]) == 0
    capsys.readouterr()
    told = "its job was begun with another model than"
    assert told in refused("--input", "a.csv", of=echo_model.write(other, 4))


def test_scores_below_the_input_folder_are_no_input(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "a.csv", ["values"], [["1 2"]])
    arguments = ["--model", str(model), "--input", ".", "--to", "scores"]
    assert score_many.main(arguments) == 0
    assert len(scores(tmp_path / "scores")) == 1
    assert score_many.main(arguments) == 0
    assert "ended before" in capsys.readouterr().out


def test_help_answers_at_once_and_imports_nothing_heavy():
    program = (
        "import sys; from apps import score_many; status = score_many.main(['--help']);"
        "assert not {'tensorflow', 'apache_beam', 'pyarrow', 'cv2'} & set(sys.modules);"
        "sys.exit(status)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=task_folders.ROOT
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.returncode == 0, ended.stderr
    assert "--rows_per_shard" in ended.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_without_beam_a_line_says_what_to_install(refused, model, tmp_path):
    program = (
        "import sys; sys.modules['apache_beam'] = None; from apps import score_many;"
        "sys.exit(score_many.main(sys.argv[1:]))"
    )
    arguments = ["--model", model, "--input", tmp_path / "a.csv", "--to", tmp_path / "scores"]
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=task_folders.ROOT,
    )
    told = "error: scoring needs apache_beam: pip install '.[beam]'\n"
    assert (ended.returncode, ended.stderr) == (2, told)
    assert not (tmp_path / "scores").exists()
