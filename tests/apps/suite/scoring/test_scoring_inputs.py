"""Files are found by name, folder and pattern, and known again by their content."""

import os

import pytest

from apps.suite import errors
from apps.suite.scoring import inputs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    base = tmp_path / ".cache" / "data"
    for name in ("b.csv", "a.CSV", "deep/c.tsv", "deep/er/d.parquet", ".hidden/e.csv", ".f.csv",
                 "notes.txt", "scores/part-0.parquet", "[1].csv"):  # fmt: skip
        file = base / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    monkeypatch.chdir(base)
    return base


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["."], ["[1].csv", "a.CSV", "b.csv", "deep/c.tsv", "deep/er/d.parquet"]),
        (["deep"], ["deep/c.tsv", "deep/er/d.parquet"]),
        (["*.csv"], ["[1].csv", "b.csv"]),
        (["[1].csv"], ["[1].csv"]),
        (["**/*.tsv", "b.csv", "b.csv"], ["b.csv", "deep/c.tsv"]),
        (["../data/b*"], ["../data/b.csv"]),
        ([".f.csv"], [".f.csv"]),
    ],
)
def test_what_is_meant(folder, patterns, found):
    kind, paths = inputs.find(patterns, folder / "scores")
    assert (kind, paths) == ("table", found)


def test_files_that_are_not_read_are_named(folder, capsys):
    inputs.find(["."], folder / "scores")
    assert capsys.readouterr().err == "note: --input: not read: 1 file: notes.txt\n"
    inputs.find(["*.csv"], folder / "scores")
    assert not capsys.readouterr().err


def test_every_sound_that_is_read_is_scored(tmp_path):
    from apps.suite.sounds import sound_files

    for suffix in sound_files.SUFFIXES:
        (tmp_path / f"a{suffix}").touch()
    kind, paths = inputs.find([str(tmp_path)], tmp_path / "scores")
    assert (kind, len(paths)) == ("sound", len(sound_files.SUFFIXES))


def test_absolute_patterns_below_a_hidden_folder(folder):
    _, paths = inputs.find([f"{folder}/*.csv"], folder / "scores")
    assert paths == [f"{folder}/[1].csv", f"{folder}/b.csv"]


def test_a_pattern_without_a_file_is_named(folder):
    with pytest.raises(errors.UserError, match=r"--input no\*: matches no file that can be read"):
        inputs.find(["b.csv", "no*"], folder / "scores")


def test_content_is_read_again_where_size_or_time_are_others(folder):
    before = inputs.described("b.csv")
    assert inputs.described("b.csv", before) is before
    os.utime("b.csv", ns=(0, 0))
    touched = inputs.described("b.csv", before)
    assert (touched.sha256, touched.modified_ns) == (before.sha256, 0)
    inputs.check_unchanged(before)
    (folder / "b.csv").write_text("c.csv")
    with pytest.raises(errors.UserError, match="has changed since the job began"):
        inputs.check_unchanged(before)


def test_a_fingerprint_is_of_names_and_content(folder):
    first = inputs.fingerprint(folder / "deep")
    assert inputs.fingerprint(folder / "deep") == first
    (folder / "deep" / "c.tsv").rename(folder / "deep" / "d.tsv")
    second = inputs.fingerprint(folder / "deep")
    (folder / "deep" / "d.tsv").write_text("other")
    assert len({first, second, inputs.fingerprint(folder / "deep")}) == 3
