"""Searches, lengths, copies and scores of a summarizer, in a graph as when it is served."""

import numpy as np
import pytest
import tensorflow as tf

from apps.suite import errors
from apps.suite.export import asking
from apps.summarization import data, pieces, predict, scoring, serving
from tests.apps.summarization import small_run, written_out

TEXTS = [text.encode() for text in small_run.TEXTS]


@pytest.fixture(scope="module", params=[True, False], ids=["copying", "without"])
def trained(request):
    return small_run.trained(copying=request.param)


@pytest.fixture(scope="module")
def model(trained):
    return asking.of_served("summarization", serving.ServedSummaries(trained))


def asked(texts=TEXTS, max_words=8, min_words=1, beam_width=3):
    numbers = {"max_words": max_words, "min_words": min_words, "beam_width": beam_width}
    return {
        "text": np.array(texts, object),
        **{name: np.array(value, np.int32) for name, value in numbers.items()},
    }


def test_a_text_is_summed_up_alike_alone_and_among_others(model):
    together = model.ask(**asked([*TEXTS, b"", b"   "]))
    for row, text in enumerate(TEXTS):
        alone = model.ask(**asked([text]))
        assert alone["summary"][0] == together["summary"][row]
        np.testing.assert_allclose(alone["score"][0], together["score"][row], rtol=1e-4)
    assert together["summary"][3:].tolist() == [b"", b""]
    assert together["score"][3:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("least", "most"), [(1, 1), (2, 3), (4, 4)])
def test_summaries_keep_to_their_number_of_words(model, trained, least, most):
    found = model.ask("explain", **asked(min_words=least, max_words=most))
    for summary, written in zip(found["summary"], found["pieces"], strict=True):
        assert len(summary.split()) <= most
        # Words of many pieces may use up the longest length before there are enough of them
        is_longest = sum(piece != b"" for piece in written) == 10
        assert len(summary.split()) >= least or is_longest


def test_rows_may_have_limits_of_their_own(model):
    limits = {"max_words": [2, 8, 5], "min_words": [1, 2, 1]}
    together = model.ask(**asked(**limits))["summary"]
    for row in range(3):
        own = {name: values[row] for name, values in limits.items()}
        assert model.ask(**asked([TEXTS[row]], **own))["summary"][0] == together[row]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"max_words": 0}, "max_words must be at least 1"),
        ({"min_words": 5, "max_words": 3}, "min_words is greater"),
        ({"min_words": [1, 2]}, "one value for all rows, or one for each"),
        ({"beam_width": 17}, "beam_width must be from 1 to 16"),
        ({"beam_width": 0}, "beam_width must be from 1 to 16"),
    ],
)
def test_options_out_of_range_are_refused(model, changes, told):
    with pytest.raises(Exception, match=told):
        model.ask(**asked(**changes))


def test_pieces_of_an_explanation_are_the_summary_and_their_words_hold_them(model, trained):
    found = model.ask("explain", **asked())
    copied = 0
    for row, text in enumerate(small_run.TEXTS):
        shares, words = found["copied"][row], found["source_word"][row]
        written = [piece.decode() for piece in found["pieces"][row] if piece]
        assert "".join(written).strip() == found["summary"][row].decode()
        assert ((shares >= 0) & (shares <= 1)).all()
        for piece, share, word in zip(written, shares, words, strict=False):
            assert (share >= 0.5) == (word >= 0)
            if word >= 0:
                assert piece.strip() in text.split()[word]
                copied += 1
        assert (words[len(written) :] == -1).all()
    assert (copied > 0) == trained.config.model.copying


def test_a_score_is_that_of_the_whole_network_and_empty_texts_have_one(model, trained):
    summaries = [b"Returns the last row.", b"", b"plays sounds"]
    found = model.ask(
        "score", text=np.array([*TEXTS[:2], b""], object), summary=np.array(summaries, object)
    )["nats_per_word"]
    for row, (text, summary) in enumerate(zip([*TEXTS[:2], b""], summaries, strict=True)):
        expected = written_out.nats(trained, text.decode(), summary.decode())
        assert found[row] == pytest.approx(expected, rel=1e-4)


def test_a_greedy_summary_is_written_piece_by_piece_by_the_best_piece(model, trained):
    found = model.ask(**asked(beam_width=1, max_words=6))["summary"]
    for row, text in enumerate(small_run.TEXTS):
        ids, _ = written_out.greedy(trained, text, 1, 6)
        assert written_out.text(trained, ids) == found[row].decode()


def test_no_run_of_pieces_comes_twice(trained):
    summarizer = scoring.Summarizer(trained)
    source = data.preprocess(tf.constant(TEXTS), trained.vocabulary, trained.config.text)
    found = summarizer.search(source, scoring.Options(4, 1, 8))
    for row, beam in np.ndindex(*found.lengths.shape):
        ids = found.tokens[row, beam, : found.lengths[row, beam]].numpy().tolist()
        runs = [tuple(ids[at : at + 3]) for at in range(len(ids) - 2)]
        assert len(set(runs)) == len(runs)
        assert not {*ids} & {*pieces.FORBIDDEN}


def test_the_page_marks_copied_words_and_escapes_the_text(model):
    asked_text = "<b>Returns</b> the last row & the first"
    (answer,) = predict.answers(model, [asked_text], explained=True)
    page = predict.marked(answer)
    assert "<b>Returns</b>" not in page.replace("<b>&lt;b&gt;Returns&lt;/b&gt;</b>", "")
    assert "&amp;" in page
    assert f"{answer.summary.split()[0]}" in "".join(piece.text for piece in answer.pieces)


def test_an_answer_has_pieces_where_they_are_asked_for_and_one_limit_moves_the_other(model):
    texts = list(small_run.TEXTS)
    plain, told = (
        list(predict.answers(model, texts, max_words=4, explained=asked_for))
        for asked_for in (False, True)
    )
    assert [answer.summary for answer in plain] == [answer.summary for answer in told]
    assert not any(answer.pieces for answer in plain)
    assert all(answer.pieces for answer in told)
    assert list(predict.answers(model, texts[:1], min_words=9))  # above the default of max_words
    with pytest.raises(errors.UserError, match="--min_words 3: is more than --max_words 2"):
        list(predict.answers(model, texts, max_words=2, min_words=3))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--marked", "."], "is a folder"),
        (["--beam_width", "17"], "beam_width must be less than or equal to 16, is 17"),
        (["--max_words", "few"], "--max_words: 'few' is not a whole number"),
    ],
)
def test_what_a_command_cannot_use_is_one_line_before_a_model_is_opened(options, told, capsys):
    assert predict.main([*options, "a text"]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
