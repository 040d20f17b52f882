"""Answers depend on the sentence alone, are told in the data's scheme, and with their places."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.export import asking
from apps.suite.texts import tag_schemes, word_spans
from apps.tagging import data, export, predict, scoring, serving
from tests.apps.tagging import small_run

TEXT = "  fly\tto new  york (é!), O'Hara’s  "


@pytest.fixture(params=[("IOB1", "crf", 2), ("BILOU", "softmax", 1), ("plain", "crf", 1)])
def trained(request):
    scheme, output, members = request.param
    return small_run.trained(scheme=scheme, output=output, tokenizer="signs", members=members)


def test_padding_and_other_rows_change_nothing(trained):
    rows = [text.split() for text in (*small_run.SENTENCES, "unheard of words")]
    ask = serving.ServedTags(trained).words
    table = np.full((len(rows), 11), "", object)
    for at, row in enumerate(rows):
        table[at, 1 : 1 + len(row)] = row  # padded on both sides
    together = {name: value.numpy() for name, value in ask(tf.constant(table)).items()}
    for at, row in enumerate(rows):
        alone = {name: value.numpy()[0] for name, value in ask(tf.constant([row])).items()}
        part = slice(1, 1 + len(row))
        assert together["tags"][at, part].tolist() == alone["tags"].tolist()
        np.testing.assert_allclose(
            together["probabilities"][at, part], alone["probabilities"], atol=1e-5
        )
        assert together["label"][at] == alone["label"]
        spans = together["span_end"][at] >= 0
        its_own = alone["span_start"][alone["span_end"] >= 0]
        assert (together["span_start"][at][spans] - 1).tolist() == its_own.tolist()
    assert set(together["tags"][:, 0]) == {b""}


def test_spans_and_tags_tell_the_same_and_follow_the_scheme(trained):
    model = asking.of_served("tagging", serving.ServedTags(trained))
    texts = [*small_run.SENTENCES, TEXT, ""]
    found = list(predict.answers(model, texts))
    assert sum(len(answer.spans) for answer in found) > 3
    for text, answer in zip(texts, found, strict=True):
        assert tag_schemes.violation(answer.tags, trained.scheme) is None
        words, starts, ends = word_spans.cut_one(text, "signs") if text else ([], [], [])
        assert answer.tokens == words
        spans = tag_schemes.read(answer.tags, trained.scheme)
        assert [(each.label, each.start, each.end) for each in answer.spans] == [
            (kind, starts[first], ends[last - 1]) for first, last, kind in spans
        ]
        for each, span in zip(answer.spans, spans, strict=True):
            assert each.text == text[each.start : each.end]
            sure = min(answer.probabilities[span.start : span.end])
            assert each.probability == pytest.approx(sure)
        assert answer.label in small_run.LABELS
        by_words = next(predict.answers(model, [" ".join(words)], cut=True))
        assert (by_words.tags, by_words.tokens) == (answer.tags, words) or not words


def test_bulk_answers_are_those_of_the_signature(trained):
    sentences = [
        data.Sentence(tuple(text.split()), ("O",) * len(text.split()), "flight")
        for text in small_run.SENTENCES
    ]
    corpus = data.Corpus("", "", "", "", trained.scheme, sentences, sentences, sentences)
    encoded = data.encode(sentences, corpus, trained.vocabulary)
    answers = scoring.answers(trained, encoded)
    ask = serving.ServedTags(trained).words
    for at, sentence in enumerate(sentences):
        one = {name: value.numpy()[0] for name, value in ask(tf.constant([sentence.words])).items()}
        assert answers.tags[at] == [tag.decode() for tag in one["tags"]]
        np.testing.assert_allclose(answers.probabilities[at], one["probabilities"], atol=1e-5)
        label = small_run.LABELS[answers.labels[at].argmax()]
        assert label == one["label"].decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"scheme": "IOB1"},
        {"scheme": "plain", "labels": ()},
        {"scheme": "BIOES", "output": "softmax", "layer": "gru"},
    ],
)
def test_every_kind_is_exported_and_checked(tmp_path, options):
    small_run.write(tmp_path / "run", **options)
    version = export.export(tmp_path / "run", tmp_path)
    assert (version / "saved_model.pb").is_file()


@pytest.mark.slow
def test_texts_are_printed_marked_as_columns_and_as_json(tmp_path, capsys, monkeypatch):
    import io
    import json

    small_run.write(tmp_path / "run", scheme="IOB2")
    run = ["--run", str(tmp_path / "run")]
    assert predict.main([*run, "new york", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {field.name for field in dataclasses.fields(predict.Answer)}
    assert len(answer["tags"]) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("play some\n\nnew york\n"))
    assert predict.main([*run, "--columns"]) == 0
    lines = [line.split("\t")[0] for line in capsys.readouterr().out.split("\n")]
    assert lines == ["play", "some", "", "", "new", "york", "", ""]
    assert predict.main([*run, "--tokens", "flights from new york"]) == 0
    shown = capsys.readouterr().out
    assert any(label in shown for label in small_run.LABELS)
    for word in ("flights", "from", "new", "york"):
        assert word in shown
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert predict.main(run) == 2
    assert "standard input: is empty" in capsys.readouterr().err
