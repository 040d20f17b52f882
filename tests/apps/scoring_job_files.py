"""Inputs of scoring jobs, and what a job has written, for the tests."""

import csv
import json

import pyarrow
import pyarrow.parquet


def write_csv(file, columns, rows):
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(columns)
        writer.writerows(rows)
    return file


def write_parquet(file, **columns):
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file


def scores(folder):
    """All rows of a job, in order."""
    found = []
    for part in sorted(folder.glob("part-*")):
        if part.suffix == ".parquet":
            found += pyarrow.parquet.read_table(part).to_pylist()
        else:
            found += [json.loads(line) for line in part.read_text("utf-8").splitlines()]
    return found


def bad_rows(folder):
    """(row, reason) of what was set aside."""
    lines = (folder / "_bad_rows.jsonl").read_text("utf-8").splitlines()
    return [(row["row"], row["reason"]) for row in map(json.loads, lines)]


def manifest(folder):
    return json.loads((folder / "_manifest.json").read_text("utf-8"))


def content(folder):
    """The bytes of all that a job has written and that another run of it has to write alike."""
    return {
        file.name: file.read_bytes()
        for file in sorted(folder.iterdir())
        if file.is_file() and file.name[0] != "." and file.name != "_job.json"
    }
