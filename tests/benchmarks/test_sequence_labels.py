"""Sentences of a SNIPS folder become a table of texts with their parts."""

import csv

from benchmarks import sequence_labels


def test_the_sentences_of_all_parts_are_written_with_labels(tmp_path):
    for part, texts in {"train": ["play it, now", "rain ?"], "valid": ["a"], "test": ["b"]}.items():
        folder = tmp_path / "snips" / part
        folder.mkdir(parents=True)
        (folder / "seq.in").write_text("".join(f"{text} \n" for text in texts))
        (folder / "label").write_text("Intent\n" * len(texts))
    file = sequence_labels.intents(tmp_path / "snips", tmp_path)
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["text"] for row in rows] == ["play it, now", "rain ?", "a", "b"]
    assert [row["part"] for row in rows] == ["train", "train", "validation", "test"]
    assert {row["label"] for row in rows} == {"Intent"}
