"""An export scores files and shows a page as it answers; the network is written as ONNX."""

import json

import numpy as np
import pytest
import tensorflow as tf

from apps import score_many
from apps.suite import errors
from apps.suite.export import asking, onnx_file
from apps.suite.texts import tag_schemes
from apps.tagging import data, demo, export, predict, serving
from tests.apps import scoring_job_files as job
from tests.apps.tagging import small_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(small_exports):
    with asking.exports(small_exports / "tagging") as (found,):
        yield found


def test_texts_of_a_csv_get_their_tags_and_spans(small_exports, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = [*small_run.SENTENCES, "", "unheard of (é) words"] * 3
    job.write_csv(tmp_path / "a.csv", ["id", "said"], list(enumerate(texts)))
    version = small_exports / "all" / "tagging" / "1"
    options = ["--model", str(version), "--to", "scores", "--input", "a.csv"]
    assert score_many.main([*options, "--inputs", "text=said", "--rows_per_batch", "4"]) == 0
    found = job.scores(tmp_path / "scores")
    expected = list(predict.answers(model, texts))
    for row, answer in zip(found, expected, strict=True):
        tags = [tag for tag in row["tags"] if tag]
        assert tags == answer.tags
        spans = [text for text in row["span_text"] if text]
        assert spans == [span.text for span in answer.spans]
        assert row["label"] == answer.label


def test_the_page_marks_a_text_and_says_what_it_cannot_use(model):
    answer = demo.marked(model, " play <b> music in new york ")
    shown = demo.page(answer)
    assert "<b> music" not in shown
    assert "&lt;b&gt;" in shown
    assert answer.label in shown
    for span in answer.spans:
        assert span.label in shown
    assert demo.marked(model, demo.example(model)).tokens
    for given, told in ((None, "no text yet"), (" \n", "no text yet"), ("a" * 5_001, "5,000")):
        with pytest.raises(errors.UserError, match=told):
            demo.marked(model, given)


@pytest.mark.parametrize(
    "options", [{"letters": "lstm", "members": 2}, {"output": "softmax", "layer": "gru"}]
)
def test_the_network_is_written_as_onnx_and_decodes_there(tmp_path, options):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    labels = () if "layer" in options else small_run.LABELS
    trained = small_run.write(tmp_path / "run", labels=labels, **options)
    network = export.onnx_network(tmp_path / "run")
    onnx_file.write(network, tmp_path / "tagging.onnx")
    session = runtime.InferenceSession(tmp_path / "tagging.onnx")
    words = tf.constant([["play", "unheard", "of", ""], ["new", "york", "", ""]])
    ids, letters = (each.numpy() for each in data.preprocess(words, trained.vocabulary))
    tags, sure, *others = session.run(None, {"word_ids": ids, "letter_ids": letters})
    expected = serving.ServedTags(trained).words(words)
    assert ((tags >= 0) == (ids > 0)).all()
    for row, told in zip(tags, expected["tags"].numpy(), strict=True):
        names = [trained.tag_names[tag] for tag in row if tag >= 0]
        assert tag_schemes.from_inside(names, "BIOES") == [tag.decode() for tag in told if tag]
    np.testing.assert_allclose(sure, expected["probabilities"], atol=1e-5)
    if labels:
        np.testing.assert_allclose(others[0].max(1), expected["label_probability"], atol=1e-5)
    assert len(others) == bool(labels)


def test_settings_tell_clients_what_the_signatures_do_not(model):
    assert model.setting("scheme") == "BIOES"
    assert model.setting("label_names") == list(small_run.LABELS)
    assert json.loads(model.asset("settings.json"))["kinds"] == sorted(small_run.KINDS)
