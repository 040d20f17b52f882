"""Answers depend on their own row, are told in the normal form's terms, and bounds hold."""

import numpy as np
import pytest
import tensorflow as tf

from apps import score_many
from apps.suite import errors
from apps.suite.demo import asked_text
from apps.suite.export import asking, onnx_file
from apps.suite.networks import encoder_decoder
from apps.suite.texts import subwords
from apps.translation import data, demo, export, predict, serving
from tests.apps import scoring_job_files as job
from tests.apps.translation import small_run

TEXTS = [*(pair[0] for pair in small_run.PAIRS), "", "ß"]


@pytest.fixture(scope="module")
def trained():
    return small_run.trained()


@pytest.fixture(scope="module")
def served(trained):
    return serving.ServedTranslations(trained).signatures()


def best(served, texts, width=3, penalty=0.6):
    found = served["serving_default"](
        tf.constant(texts, tf.string), tf.constant(width), tf.constant(penalty)
    )
    return found["translation"].numpy().tolist(), found["score"].numpy()


def test_a_row_is_answered_alike_alone_and_among_others(served):
    texts, scores = best(served, TEXTS)
    for at, text in enumerate(TEXTS):
        alone, score = best(served, [text])
        assert alone == texts[at : at + 1]
        np.testing.assert_allclose(score, scores[at : at + 1], rtol=1e-5, atol=1e-5)
    assert best(served, [])[0] == []
    assert (texts[3], scores[3]) == (b"", 0.0)


def test_forms_of_one_text_have_one_answer(served):
    texts, _ = best(served, ["Don't  you?", "Don\u2019t\u00a0you?", " Don't you?\n"])
    assert len(set(texts)) == 1


def test_a_width_of_1_is_greedy(trained, served):
    """The most probable token is taken at each step, up to the end or the longest length."""
    text = tf.constant(TEXTS[:1])
    source = data.preprocess(text, trained.source).to_tensor()
    longest = int(np.ceil(np.float32(small_run.RATIO) * source.shape[1])) + 8
    tokens = [subwords.START]
    while len(tokens) <= longest:
        outputs = trained.model({"source": source, "target": tf.constant([tokens])})
        logits = np.array(outputs["logits"][0, -1])
        logits[[subwords.PADDING, subwords.START]] = -np.inf
        if logits.argmax() == subwords.END:
            break
        tokens.append(int(logits.argmax()))
    wanted = trained.target.decode(tf.constant([tokens[1:]])).numpy().tolist()
    assert best(served, TEXTS[:1], width=1)[0] == wanted


def test_alternatives_are_sorted_and_the_score_is_that_of_their_pieces(trained, served):
    found = served["alternatives"](tf.constant(TEXTS[:1]), tf.constant(4), tf.constant(0.0))
    texts, scores = (found[name].numpy()[0] for name in ("translations", "scores"))
    assert len(set(texts.tolist())) > 1
    assert (np.diff(scores) <= 0).all()
    source = data.preprocess(tf.constant(TEXTS[:1]), trained.source).to_tensor()
    for text, score in zip(texts, scores, strict=True):
        following = data.preprocess(tf.constant([text]), trained.target).to_tensor()
        if following.shape[1] > small_run.RATIO * source.shape[1] + 8:
            continue  # it may be cut otherwise than it was written
        shifted = np.r_[subwords.START, following[0, :-1].numpy()][None]
        outputs = trained.model({"source": source, "target": tf.constant(shifted, tf.int32)})
        log_p = encoder_decoder.log_likelihood(outputs, source, following)
        total = float(tf.reduce_sum(log_p))
        assert score == pytest.approx(total, rel=1e-4) or score > total


def test_attention_falls_on_pieces_and_scores_are_means_of_nats(served):
    pairs = small_run.PAIRS
    text, translation = (tf.constant([pair[side] for pair in pairs]) for side in (0, 1))
    found = {name: value.numpy() for name, value in served["align"](text, translation).items()}
    for row, pair in enumerate(pairs):
        source, target, attention = (
            found[name][row] for name in ("source_pieces", "target_pieces", "attention")
        )
        assert b"".join(source).decode().strip() == pair[0]
        assert b"".join(target).decode().strip() == pair[1]
        steps, times = (np.count_nonzero(pieces != b"") + 1 for pieces in (source, target))
        np.testing.assert_allclose(attention[:times, :steps].sum(axis=1), 1.0, rtol=1e-5)
        assert not attention[times:].any()
        assert not attention[:, steps:].any()
    nats = served["score"](text, translation)["nats_per_token"].numpy()
    for row in range(len(pairs)):
        alone = served["score"](text[row : row + 1], translation[row : row + 1])
        np.testing.assert_allclose(alone["nats_per_token"], nats[row : row + 1], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": 0}, "beam_width: has to be from 1 to 16"),
        ({"width": 17}, "beam_width: has to be from 1 to 16"),
        ({"penalty": float("nan")}, "length_penalty: holds a value that is not a finite"),
        ({"penalty": -1.0}, "length_penalty: has to be from 0 to 10"),
        ({"texts": ["a " * 200]}, "text: pieces of the longest one"),
        ({"texts": ["a" * 9_000]}, "text: bytes of the longest one"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(served, options, told):
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        best(served, options.pop("texts", ["a"]), **options)


@pytest.mark.slow
def test_predict_writes_files_and_pictures_and_names_what_is_wrong(tmp_path, capsys):
    small_run.write(tmp_path / "run")
    asked = ["--run", str(tmp_path / "run")]
    (tmp_path / "in.txt").write_text("She sees.\n\nDo they see?\n")
    more = ["--input", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out.txt")]
    assert predict.main([*asked, *more, "--attention", str(tmp_path / "a.png")]) == 0
    first, empty, last = (tmp_path / "out.txt").read_text().split("\n")[:3]
    assert (bool(first), empty, bool(last)) == (True, "", True)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    more = ["--output", str(tmp_path / "new" / "out.txt"), "--attention", str(tmp_path / "b.png")]
    assert predict.main([*asked, *more, ""]) == 0
    assert (tmp_path / "new" / "out.txt").read_text() == "\n"
    assert "b.png is not drawn" in capsys.readouterr().err
    assert not (tmp_path / "b.png").exists()
    for wrong, told in (
        (["--output", str(tmp_path), "a"], "is a folder"),
        (["--attention", str(tmp_path / "in.txt" / "a.png"), "a"], "in.txt"),
        (["--nbest", "17", "a"], "nbest must be less than or equal to 16"),
        (["--beam_width", "-1", "a"], "beam_width"),
        (["--attention", "a.jpg", "a"], "ends in .png"),
        (["--input", str(tmp_path / "none.txt")], "none.txt: cannot be read"),
        (["--input", "a", "b"], "--input and texts"),
        (["a " * 200], "pieces of the longest one: at most 60"),
    ):
        assert predict.main([*asked, *wrong]) == 2
        err = capsys.readouterr().err
        assert told in err
        assert err.count("\n") == 1
        assert "Graph" not in err
        assert "[" not in err


@pytest.fixture(scope="module")
def model(small_exports):
    with asking.exports(small_exports / "translation") as (found,):
        yield found


@pytest.mark.slow
def test_texts_of_a_csv_are_translated(small_exports, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job.write_csv(tmp_path / "a.csv", ["id", "said"], list(enumerate(TEXTS * 3)))
    version = small_exports / "all" / "translation" / "1"
    options = ["--model", str(version), "--to", "scores", "--input", "a.csv"]
    options += ["--inputs", "text=said", "--constant", "beam_width=3", "length_penalty=0.6"]
    assert score_many.main([*options, "--rows_per_batch", "4"]) == 0
    expected = list(predict.answers(model, TEXTS * 3))
    for row, answer in zip(job.scores(tmp_path / "scores"), expected, strict=True):
        assert row["translation"] == answer.translation
        assert row["score"] == pytest.approx(answer.score, rel=1e-4, abs=1e-4)


@pytest.mark.slow
def test_the_page_translates_a_text_and_says_what_it_cannot_use(model):
    shown = demo.page(model, demo.translated(model, " She <b> sees "))
    assert "She <b>" not in shown
    assert "data:image/png" in shown
    assert demo.translated(model, asked_text.example(model, "hello")).text
    for given, told in ((None, "no text yet"), (" \n", "no text yet"), ("a" * 401, "400")):
        with pytest.raises(errors.UserError, match=told):
            demo.translated(model, given)


@pytest.mark.slow
def test_the_network_is_written_as_onnx(tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    small_run.write(tmp_path / "run", attention="additive")
    onnx_file.write(export.onnx_network(tmp_path / "run"), tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").stat().st_size > 1_000
