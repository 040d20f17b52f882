"""Files of a user are read by every layout, and refused with file, line and what to do."""

import dataclasses
import gzip
import json

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.sequences import pair_batches
from apps.suite.texts import subwords
from apps.suite.texts.pair_files import Pair
from apps.summarization import article_files, data
from apps.summarization import config as configs
from tests.apps.summarization import small_run

PAIRS = [(f"The text number {n} tells of {n} things and no more.", f"Text {n}") for n in range(40)]


def config(path, **changes):
    made = dataclasses.replace(small_run.config(), data=str(path))
    return dataclasses.replace(made, data_format=configs.DataFormatConfig(**changes))


def json_lines(path, **more):
    rows = [{"text": text, "summary": summary, **more} for text, summary in PAIRS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write(folder, layout):
    """The pairs by a layout; returns what --data is given."""
    texts, summaries = (list(each) for each in zip(*PAIRS, strict=True))
    if layout == "json lines":
        return json_lines(folder / "pairs.jsonl")
    if layout == "json array":
        rows = [{"text": text, "summary": summary} for text, summary in PAIRS]
        (folder / "pairs.json").write_text(json.dumps(rows, indent=2))
        return folder / "pairs.json"
    if layout == "compressed":
        packed = folder / "pairs.jsonl.gz"
        packed.write_bytes(gzip.compress(json_lines(folder / "a").read_bytes()))
        return packed
    if layout in ("csv", "tsv"):
        separator = {"csv": ",", "tsv": "\t"}[layout]
        lines = [f'"{text}"{separator}{summary}' for text, summary in PAIRS]
        file = folder / f"pairs.{layout}"
        file.write_text("\n".join([f"text{separator}summary", *lines]) + "\n")
        return file
    if layout == "two files":
        for name, values in (("a.source", texts), ("a.target", summaries)):
            (folder / name).write_text("\n".join(values) + "\n")
        return folder / "a.source"
    for number, (text, summary) in enumerate(PAIRS):
        if layout == "txt":
            (folder / f"{number:02}.txt").write_text(f"{text}\n")
            (folder / f"{number:02}.summary.txt").write_text(f"{summary}\n")
        else:
            (folder / f"{number:02}.story").write_text(f"{text}\n\n@highlight\n\n{summary}\n")
    return folder


@pytest.mark.parametrize(
    "layout", ["json lines", "json array", "compressed", "csv", "tsv", "two files", "txt", "story"]
)
def test_every_layout_gives_the_same_pairs_in_three_parts(layout, tmp_path):
    corpus = data.load(config(write(tmp_path, layout), test_fraction=0.25))
    found = [pair for part in corpus.parts.values() for pair in part]
    clean = {(" ".join(pair.source.split()), pair.target.strip().rstrip(".")) for pair in found}
    assert clean == set(PAIRS)
    assert len(corpus.test) == 10
    assert any("are few" in note for note in corpus.notes)


def test_parts_come_from_fields_and_from_names_of_files_and_folders(tmp_path):
    for part in ("train", "valid", "test"):
        json_lines(tmp_path / f"news.{part}.jsonl")
    by_files = data.load(config(tmp_path))
    assert [len(part) for part in by_files.parts.values()] == [40, 40, 40]
    assert by_files.split == "the parts that the data name"
    whole = tmp_path / "whole.jsonl"
    rows = [
        {"text": text, "summary": summary, "part": part}
        for part, (text, summary) in zip(("train", "dev", "test"), PAIRS, strict=False)
    ]
    whole.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [len(part) for part in data.load(config(whole)).parts.values()] == [1, 1, 1]


def test_groups_and_equal_texts_stay_on_one_side(tmp_path):
    file = tmp_path / "pairs.jsonl"
    rows = [
        {"text": text, "summary": summary, "group": f"g{number % 8}"}
        for number, (text, summary) in enumerate(PAIRS)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    parts = data.load(config(file, test_fraction=0.3)).parts
    groups = [{pair.group for pair in part} for part in parts.values()]
    assert sum(map(len, groups)) == 8
    doubled = [{"text": text.upper(), "summary": summary} for text, summary in PAIRS]
    doubled += [{"text": text, "summary": f"{summary} again"} for text, summary in PAIRS]
    file.write_text("".join(json.dumps(row) + "\n" for row in doubled))
    parts = data.load(config(file)).parts
    texts = [{pair.source.lower() for pair in part} for part in parts.values()]
    assert sum(map(len, texts)) == 40


def test_other_field_names_and_a_title_are_read(tmp_path):
    file = tmp_path / "mail.jsonl"
    row = {"body": "A long mail about the meeting.", "subject": "Meeting", "from": "Ann"}
    file.write_text((json.dumps(row) + "\n") * 3)
    names = {"text_field": "body", "summary_field": "subject", "title_field": "from"}
    pair, *_ = article_files.read(file, configs.DataFormatConfig(**names))
    assert data.joined(pair, True) == "Ann : A long mail about the meeting."
    assert data.joined(pair, False) == pair.source


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", '{"text": "a b", "summary": "a"}\nno json', "a.jsonl:2: is not JSON"),
        ("a.jsonl", "[1]", "a.jsonl: entry 1: is not a JSON object"),
        ("a.json", '[{"text": "a"}]', "a.json: entry 1: has no text 'summary'"),
        (
            "a.jsonl",
            '{"body": "a", "summary": "b"}',
            "1: has no text 'text'; it has 'body'",
        ),
        ("a.jsonl", '{"text": "a", "summary": 3}', "a.jsonl:1: summary is 3"),
        ("a.jsonl", '{"text": "a\\ud800", "summary": "b"}', "a.jsonl:1: text holds"),
        ("a.jsonl", '{"text": "a", "summary": "b", "title": ["c"]}', "a.jsonl:1: title is ['c']"),
        ("a.jsonl", '{"text": " ", "summary": "b"}', "a.jsonl:1: the text is empty"),
        ("a.jsonl", '{"text": "a", "summary": ""}', "a.jsonl:1: the summary is empty"),
        ("a.jsonl", '{"text": "a", "summary": "b", "part": "x"}', "a.jsonl:1: part is 'x'"),
        ("a.csv", "body,summary\nx,y\n", "a.csv: has no column text; there are body, summary"),
        ("a.txt", "a text", "there is no a.summary.txt"),
        ("a.target", "a", "give the file of the texts, that ends in .source"),
        ("a.source", "a", "there is no a.target"),
        ("a.story", "a text", "has no line @highlight"),
        ("a.story", "a text\n@highlight\n", "the summary is empty"),
        ("a.docx", "a", "not of a known kind"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(name, content, told, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(errors.UserError) as caught:
        data.load(config(tmp_path / name))
    assert told in str(caught.value)


def test_files_of_unequal_length_are_refused_with_both_counts(tmp_path):
    (tmp_path / "a.source").write_text("one\ntwo\nthree\n")
    (tmp_path / "a.target").write_text("1\n2\n")
    with pytest.raises(errors.UserError, match=r"a\.source has 3 lines and .*a\.target 2"):
        data.load(config(tmp_path / "a.source"))


def test_what_a_folder_holds_beside_pairs_is_refused_where_it_would_be_lost(tmp_path):
    (tmp_path / "README.txt").write_text("What this is.")
    with pytest.raises(errors.UserError, match="holds no text with a summary; give files that end"):
        data.load(config(tmp_path))
    json_lines(tmp_path / "a.jsonl")
    assert data.load(config(tmp_path)).train
    (tmp_path / "b.txt").write_text("A text.")
    (tmp_path / "b.summary.txt").write_text("Text.")
    with pytest.raises(errors.UserError, match=r"README\.txt: there is no README\.summary\.txt"):
        data.load(config(tmp_path))
    (tmp_path / "train").mkdir()
    (tmp_path / "stories").mkdir()
    with pytest.raises(errors.UserError, match="stories: is beside folders of parts"):
        data.load(config(tmp_path))


def test_a_group_may_be_the_number_0_and_a_part_in_capitals(tmp_path):
    rows = [
        {"text": text, "summary": summary, "group": at % 3, "part": part}
        for at, ((text, summary), part) in enumerate(
            zip(PAIRS, ("Train", "DEV", "Test"), strict=False)
        )
    ]
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = data.load(config(file)).parts
    assert [pair.group for part in found.values() for pair in part] == ["0", "1", "2"]


def test_groups_or_parts_of_some_rows_are_refused(tmp_path):
    file = tmp_path / "a.jsonl"
    for field in ("group", "part"):
        rows = [{"text": "a b", "summary": "a", field: "train"}, {"text": "c d", "summary": "c"}]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        with pytest.raises(errors.UserError, match=f"a.jsonl:2: has no {field}, others have"):
            data.load(config(file))


def test_what_might_surprise_is_told(tmp_path):
    file = tmp_path / "a.jsonl"
    rows = [{"text": f"<p>text {n}</p>", "summary": "the same long summary"} for n in range(20)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    notes = " ".join(data.load(config(file)).notes)
    for told in ("20 of 20 pairs have the summary 'the same", "20 summaries are longer", "HTML"):
        assert told in notes


def test_test_texts_that_are_learned_from_are_told(tmp_path):
    for part, first in (("train", 0), ("valid", 20), ("test", 18)):
        rows = [
            {"text": text.upper() if part == "test" else text, "summary": summary}
            for text, summary in PAIRS[first : first + 20]
        ]
        file = tmp_path / f"{part}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    notes = " ".join(data.load(config(tmp_path)).notes)
    assert "2 of 20 test texts stand in the train part, the first at" in notes
    assert "test.jsonl:1;" in notes


def test_pairs_become_numbers_with_start_and_end_and_long_ones_are_cut():
    vocabulary = subwords.learn(small_run.TEXTS, 120)
    settings = configs.TextConfig(most_text_pieces=6, most_summary_pieces=4)
    pairs = [
        Pair("sum", "sum"),
        Pair(small_run.TEXTS[0], small_run.TEXTS[1]),
    ]
    encoded = data.encode(pairs, vocabulary, settings)
    source, target, following = pair_batches.padded(encoded, np.arange(2))
    assert (source.shape[1], target.shape, encoded.left_out) == (6, following.shape, 1)
    assert target[:, 0].tolist() == [subwords.START] * 2
    for row in range(2):
        count = (target[row] != 0).sum()
        np.testing.assert_array_equal(target[row, 1:count], following[row, : count - 1])
    assert subwords.END in following[0]
    assert subwords.END not in following[1]  # its end was cut off, and is not known
    assert (following != 0).sum(axis=1)[1] == 4
