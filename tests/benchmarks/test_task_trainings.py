"""Benchmarks of pairs divide them without leaks, and show the model above its baselines."""

import csv
import gzip
import json
import re

import pytest

from benchmarks import summarization, task_trainings, translation


def debian(folder, pairs):
    lines = "".join(f"{one}\t{other}\n" for one, other in pairs)
    (folder / "parallel.en-fr.tsv.gz").write_bytes(gzip.compress(lines.encode()))
    return folder


def test_blocks_of_neighbouring_lines_are_in_one_part_and_no_source_in_two(tmp_path):
    pairs = [(f"text {at}", f"texte {at}") for at in range(3_000)]
    pairs[::10] = [("the same in many packages", f"le même {at}") for at in range(300)]
    pairs += [("long " * 21, "court"), ("short", "long " * 21)]
    file = translation.blocks(debian(tmp_path, pairs), "fr", tmp_path / "runs")
    with file.open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened, delimiter="\t"))
    assert {row["part"] for row in rows} == {"train", "validation", "test"}
    part_of = {}
    for row in rows:
        number = re.fullmatch(r"text (\d+)", row["source"])
        block = int(number[1]) // translation.BLOCK if number else row["source"]
        assert part_of.setdefault(block, row["part"]) == row["part"]
    assert len(part_of) == 3_000 // translation.BLOCK + 1
    assert not any("long" in row["source"] or "long" in row["target"] for row in rows)
    with pytest.raises(SystemExit, match=r"no parallel\.en-de\.tsv\.gz"):
        translation.blocks(tmp_path, "de", tmp_path / "runs")


@pytest.mark.parametrize(
    ("package", "told"),
    [
        ("0ad-data", "0ad"),
        ("python3-numpy-doc", "numpy"),
        ("libnumpy2", "numpy"),
        ("golang-github-spf13-cobra-dev", "spf13"),
        ("librust-serde+derive-dev", "serde"),
        ("lib", "lib"),
    ],
)
def test_packages_of_a_family_begin_with_one_word(package, told):
    assert summarization.family(package) == told


def test_families_and_equal_texts_are_in_one_part_alone(tmp_path):
    text = "words " * summarization.LEAST_WORDS
    rows = [
        {"package": f"family{at // 3:04d}x-{at % 3}", "text": f"{text}{at}", "summary": f"{at}"}
        for at in range(6_000)
    ]
    rows[0]["text"] = rows[4_000]["text"] = f"{text}shared"
    rows.append({"package": "brief", "text": "few words", "summary": "gone"})
    packed = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (tmp_path / "descriptions.en.jsonl.gz").write_bytes(gzip.compress(packed))
    file = summarization.write(tmp_path, tmp_path / "runs")
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(found) == len(rows) - 1
    parts = [row["part"] for row in found]
    for at in range(0, len(found), 3):
        assert len({*parts[at : at + 3]}) == 1
    assert parts[0] == parts[4_000]
    for part in ("test", "validation"):
        assert summarization.HELD_OUT <= parts.count(part) <= summarization.HELD_OUT + 6


def test_a_finished_run_is_shown_and_not_trained_again(tmp_path):
    found = {
        "test": {"bleu": 40.0, "exact": 0.25},
        "baselines": {"copy of the source": {"bleu": 0.3, "exact": 0.0}},
        "data": {"examples": {"train": 1_000, "validation": 10, "test": 20}},
        "train_seconds": 61.2,
    }
    (tmp_path / "metrics.json").write_text(json.dumps(found))
    metrics = task_trainings.metrics("translation", tmp_path, {"no.such_option": 1})
    lines = task_trainings.table(metrics, translation.COLUMNS).splitlines()
    for name in translation.COLUMNS:
        assert f" {name.replace('_', ' ')}" in lines[0]
    assert lines[1].split() == ["this", "model", "40.0", "25.0"]
    assert lines[2].split()[-2:] == ["0.3", "0.0"]
    assert lines[3] == "1,000 train, 10 validation, 20 test; 61 s of training"


def test_a_training_that_is_refused_ends_the_benchmark(tmp_path):
    with pytest.raises(SystemExit) as raised:
        task_trainings.metrics("translation", tmp_path / "run", {"preset": "nothing"})
    assert raised.value.code == 2


def test_options_may_stand_before_what_is_given(capsys):
    options, more = translation.options_of(["speed", "--model", "exports/1", "a text"])
    assert (str(options.model), options.given, more) == ("exports/1", "a text", [])
    options, more = translation.options_of(["tatoeba", "folder", "--training.steps", "10"])
    assert (options.given, more) == ("folder", ["--training.steps", "10"])
    for wrong, told in ((["debian"], "give a folder"), (["speed", "a"], "give --model")):
        with pytest.raises(SystemExit):
            translation.options_of(wrong)
        assert told in capsys.readouterr().err
