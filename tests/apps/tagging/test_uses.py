"""An export scores files and shows a page as it answers; the network is written as ONNX."""

import json

import pytest

from apps import score_many
from apps.suite import errors
from apps.suite.export import asking, onnx_file
from apps.tagging import demo, export, predict
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


@pytest.mark.parametrize("options", [{"labels": ()}, {"output": "softmax", "layer": "gru"}])
def test_the_network_is_written_as_onnx(tmp_path, options):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    small_run.write(tmp_path / "run", **options)
    onnx_file.write(export.onnx_network(tmp_path / "run"), tmp_path / "tagging.onnx")
    assert (tmp_path / "tagging.onnx").stat().st_size > 1_000


def test_settings_tell_clients_what_the_signatures_do_not(model):
    assert model.setting("scheme") == "BIOES"
    assert model.setting("label_names") == list(small_run.LABELS)
    assert json.loads(model.asset("settings.json"))["kinds"] == sorted(small_run.KINDS)
