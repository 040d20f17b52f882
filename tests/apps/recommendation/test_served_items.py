"""What the export answers: by name, as Keras does, in any batch, at any k, with any lists."""

import json

import numpy as np
import pytest
import tensorflow as tf

from apps.recommendation import serving
from apps.suite.export import check, saved_model
from tests.apps.recommendation import small_run

NAMES, COUNT = small_run.NAMES, len(small_run.NAMES)
AWKWARD_HALF = small_run.AWKWARD[::2]
HISTORY = [NAMES[at] for at in (3, 40, 2, 3, 19, 30)]


@pytest.fixture(scope="module")
def trained():
    return small_run.built(small_run.config())


@pytest.fixture(scope="module")
def signatures(exported):
    loaded = tf.saved_model.load(str(exported))
    yield loaded.signatures
    del loaded  # the signatures hold no reference to the variables


def served(trained, titles=small_run.TITLES):
    counts = small_run.COUNTS
    return serving.ServedItems(trained, NAMES, titles, counts, small_run.HISTORY_ITEMS)


def table(rows):
    return tf.constant(serving.padded_histories(rows), tf.string)


def ask(signatures, *rows, k=10, exclude_seen=False, **lists):
    """Items and scores of each row without the places that have no item; and what was ignored."""
    name = "candidates" if lists else "serving_default"
    if lists:
        lists = {each: table(lists.get(each, [[]] * len(rows))) for each in ("include", "exclude")}
    answer = signatures[name](
        history=table(rows),
        k=tf.constant(k, tf.int32),
        exclude_seen=tf.constant(exclude_seen),
        **lists,
    )
    items, scores = answer["items"].numpy(), answer["scores"].numpy()
    assert ((items == b"") == (scores == serving.LEFT_OUT)).all()
    assert (np.diff(scores, axis=1) <= 0).all()
    return [[item.decode() for item in row if item] for row in items], scores, answer


def keras_scores(trained, history):
    codes = [NAMES.index(name) + 1 for name in history][-small_run.HISTORY_ITEMS :]
    return trained(np.array([codes], np.int32)).numpy()[0]


def test_all_items_by_name_in_the_order_of_keras_s_scores(signatures, trained):
    wanted = keras_scores(trained, HISTORY)
    (items,), scores, _ = ask(signatures, HISTORY, k=COUNT)
    assert items == [NAMES[at] for at in np.argsort(-wanted, kind="stable")]
    np.testing.assert_allclose(scores[0], np.sort(wanted)[::-1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_read_and_written_as_it_is(signatures, name):
    (items,), _, answer = ask(signatures, [name], k=COUNT)
    assert name in items
    assert answer["unknown"].numpy().tolist() == [0]
    assert ask(signatures, [name], k=COUNT, exclude_seen=True)[0] == [
        [each for each in items if each != name]
    ]


def test_padding_and_unknown_names_anywhere_change_nothing_but_their_count(signatures):
    plain = ask(signatures, HISTORY)
    for row, unknown in (
        (["", "", *HISTORY], 0),
        ([*HISTORY, ""], 0),
        ([each for name in HISTORY for each in ("", name)], 0),
        (["Müsli", *HISTORY[:2], "two  words", "", *HISTORY[2:], " 7"], 3),
        ([each for name in HISTORY for each in ("?", name)], 6),
    ):
        items, scores, answer = ask(signatures, row)
        assert items == plain[0]
        np.testing.assert_allclose(scores, plain[1], rtol=1e-5, atol=1e-5)
        assert answer["unknown"].numpy().tolist() == [unknown]


def test_only_the_most_recent_items_are_read_and_all_are_excluded(signatures, trained):
    older = [NAMES[at] for at in (5, 50, 51)]
    assert ask(signatures, [*older, *HISTORY], k=COUNT)[0] == ask(signatures, HISTORY, k=COUNT)[0]
    (items,), _, _ = ask(signatures, [*older, *HISTORY], k=COUNT, exclude_seen=True)
    assert set(items) == set(NAMES) - set(older) - set(HISTORY)
    assert len(items) == len(set(items))


@pytest.mark.parametrize("history", [[], [""], ["nobody has this", ""]])
def test_without_a_known_item_the_answer_is_popularity(signatures, history):
    (items,), scores, _ = ask(signatures, history, k=COUNT)
    assert items == list(NAMES)  # codes go by popularity
    np.testing.assert_allclose(scores[0], np.log1p(small_run.COUNTS), rtol=1e-6)


def test_a_row_is_answered_alike_whatever_stands_beside_it(signatures):
    rows = [HISTORY, [], HISTORY[:1], ["nobody"], HISTORY * 3]
    together, scores, answer = ask(signatures, *rows)
    assert answer["unknown"].numpy().tolist() == [0, 0, 0, 1, 0]
    for at, row in enumerate(rows):
        alone = ask(signatures, row)
        assert alone[0] == [together[at]]
        np.testing.assert_allclose(alone[1][0], scores[at], rtol=1e-5, atol=1e-5)


def test_blocks_of_rows_answer_as_the_whole(trained, signatures, monkeypatch):
    rows = [HISTORY[at:] for at in range(6)] + [[]]
    included = [[NAMES[at], NAMES[at + 1]] if at % 2 else [] for at in range(7)]
    whole = ask(signatures, *rows, k=9, include=included, exclude=[[NAMES[0]]] * 7)
    monkeypatch.setattr(serving, "_SCORES_AT_ONCE", 3 * COUNT)
    parts = ask(
        served(trained).signatures(), *rows, k=9, include=included, exclude=[[NAMES[0]]] * 7
    )
    assert parts[0] == whole[0]
    np.testing.assert_allclose(parts[1], whole[1], rtol=1e-5, atol=1e-5)


def test_k_and_exclude_seen_are_scalars_or_values_of_the_rows(signatures):
    rows = [HISTORY, HISTORY[:2], []]
    items, scores, _ = ask(signatures, *rows, k=[2, 5, 1], exclude_seen=[True, False, True])
    assert scores.shape == (3, 5)
    assert items == [
        ask(signatures, rows[0], k=2, exclude_seen=True)[0][0],
        ask(signatures, rows[1], k=5)[0][0],
        ask(signatures, rows[2], k=1)[0][0],
    ]


def test_k_beyond_the_items_gives_all_of_them(signatures):
    items, scores, _ = ask(signatures, HISTORY, k=2**31 - 1)
    assert sorted(items[0]) == sorted(NAMES)
    assert scores.shape == (1, COUNT)


@pytest.mark.parametrize("k", [0, -1, [3, 0]])
def test_k_below_one_is_refused_by_its_name(signatures, k):
    with pytest.raises(tf.errors.InvalidArgumentError, match="k: has to be at least 1"):
        ask(signatures, HISTORY, HISTORY, k=k)


def test_an_empty_batch_is_answered(signatures):
    none = tf.zeros([0, 3], tf.string)
    answer = signatures["serving_default"](
        history=none, k=tf.constant(4), exclude_seen=tf.constant(True)
    )
    assert answer["items"].shape[0] == answer["scores"].shape[0] == 0
    assert answer["unknown"].shape == (0,)


def test_candidates_without_lists_are_the_default(signatures):
    for exclude_seen in (False, True):
        wanted = ask(signatures, HISTORY, [], exclude_seen=exclude_seen)
        given = ask(signatures, HISTORY, [], exclude_seen=exclude_seen, include=[[""], []])
        assert given[0] == wanted[0]
        np.testing.assert_array_equal(given[1], wanted[1])


def test_include_exclude_and_seen_together(signatures):
    order = ask(signatures, HISTORY, k=COUNT)[0][0]
    include, exclude = [*AWKWARD_HALF, "nobody"], [AWKWARD_HALF[0], "no one", NAMES[55]]
    (items,), _, answer = ask(
        signatures, HISTORY, k=COUNT, exclude_seen=True, include=[include], exclude=[exclude]
    )
    kept = set(AWKWARD_HALF[1:]) - set(HISTORY)
    assert items == [name for name in order if name in kept]
    assert answer["unknown"].numpy().tolist() == [0]
    assert answer["unknown_candidates"].numpy().tolist() == [2]


def test_include_of_unknown_names_alone_leaves_nothing(signatures):
    items, _, answer = ask(signatures, HISTORY, HISTORY, k=4, include=[["nobody"], []])
    assert (len(items[0]), len(items[1])) == (0, 4)
    assert answer["unknown_candidates"].numpy().tolist() == [1, 0]


def test_including_an_item_twice_recommends_it_once(signatures):
    (items,), _, _ = ask(signatures, HISTORY, include=[[NAMES[8]] * 3])
    assert items == [NAMES[8]]


@pytest.mark.parametrize(
    "sizes",
    [
        {"layer": "lstm", "layer_count": 1, "embedding_units": 11},
        {"layer": "peephole_lstm", "layer_norm": False},
        {"layer": "gru", "layer_count": 3, "history_items": 1},
        {"repeats": False, "transitions": 0},
        {"repeats": True, "layer_count": 1, "history_items": 3},
    ],
)
def test_other_networks_answer_as_keras_does(sizes):
    made = small_run.config(**sizes)
    trained = small_run.built(made)
    history_items = made.model.history_items
    signatures = serving.ServedItems(
        trained, NAMES, None, small_run.COUNTS, history_items
    ).signatures()
    for request in serving.requests(trained, NAMES, small_run.COUNTS, history_items):
        inputs = {name: tf.constant(value) for name, value in request.inputs.items()}
        answers = {
            name: each.numpy() for name, each in signatures[request.signature](**inputs).items()
        }
        assert not check.difference(request.answers, answers)


@pytest.mark.slow
def test_other_weights_than_those_that_answered_leave_no_version(trained, tmp_path):
    requests = serving.requests(trained, NAMES, small_run.COUNTS, 6)
    made, bias = served(trained), trained.get_layer("items").bias
    before = bias.numpy()
    try:
        bias.assign(before + np.linspace(0, 1e-2, COUNT))
        with pytest.raises(RuntimeError, match="differs from Keras"):
            saved_model.write(made.saved, made.signatures(), requests, tmp_path, "task")
    finally:
        bias.assign(before)
    assert not list((tmp_path / "task").iterdir())


def test_the_assets_are_the_names_and_titles_in_the_order_of_popularity(exported, trained):
    lines = (exported / "assets" / "items.txt").read_bytes().decode().split("\n")
    assert lines == [*NAMES, ""]
    titles = (exported / "assets" / "titles.json").read_text("utf-8")
    assert json.loads(titles) == list(small_run.TITLES)
    assert not hasattr(served(trained, titles=None).saved, "titles")


@pytest.mark.parametrize(
    ("rows", "options", "told"),
    [
        (40_000, {"k": COUNT}, "k: rows times k"),
        (2**22 // 2 + 1, {"k": 1}, "history: rows"),
        (2, {"k": [1, 0]}, "k: has to be at least 1"),
    ],
)
def test_more_than_the_bounds_is_refused(signatures, rows, options, told):
    history = tf.fill([rows, 2], NAMES[0])
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        signatures["serving_default"](
            history=history,
            k=tf.constant(options["k"], tf.int32),
            exclude_seen=tf.constant(False),
        )


@pytest.mark.parametrize("name", ["include", "exclude"])
@pytest.mark.parametrize("rows", [1, 3])
def test_lists_for_other_rows_than_the_histories_are_refused(signatures, name, rows):
    lists = {"include": table([[]] * 2), "exclude": table([[]] * 2)}
    lists[name] = table([[NAMES[3]]] * rows)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}: needs a row"):
        signatures["candidates"](
            history=table([HISTORY] * 2),
            k=tf.constant(3),
            exclude_seen=tf.constant(False),
            **lists,
        )


def test_histories_are_read_in_blocks_that_fit_and_answered_as_alone(trained, monkeypatch):
    rows = [HISTORY, [], HISTORY[:2], ["never seen"], HISTORY[3:]]
    monkeypatch.setattr(serving, "_STEPS_AT_ONCE", 2 * small_run.HISTORY_ITEMS)
    kept = served(trained)  # the signatures hold no reference to the variables
    blocks = kept.signatures()
    whole, *alone = (ask(blocks, *asked) for asked in (rows, *([row] for row in rows)))
    assert whole[0] == [items for found, _, _ in alone for items in found]
