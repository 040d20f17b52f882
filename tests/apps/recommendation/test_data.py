import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from apps.recommendation import config as configs
from apps.recommendation import data
from apps.suite import errors
from tests.apps.recommendation import logs


def by_hand(rows, validation_fraction=0.1, test_fraction=0.1):
    """The global split of a log in plain Python: names instead of codes.

    Train histories; and for each part, queries as (history, targets), a target "" where train
    doesn't hold it.
    """
    rows = list(dict.fromkeys(rows))
    times = sorted(row[2] for row in rows)
    borders = [
        times[int(len(times) * (1 - share))]
        for share in (validation_fraction + test_fraction, test_fraction)
    ]
    known = {item for _, item, time in rows if time < borders[0]}
    train, queries = [], {"validation": [], "test": []}
    for user in {row[0] for row in rows}:
        own = sorted((row for row in rows if row[0] == user), key=lambda row: row[2])
        train.append([item for _, item, time in own if time < borders[0]])
        for time in sorted({row[2] for row in own}):
            before = [item for _, item, when in own if when < time]
            now = [item if item in known else "" for _, item, when in own if when == time]
            if time >= borders[0] and before:
                part = "test" if time >= borders[1] else "validation"
                queries[part].append(([item for item in before if item in known], now))
    return sorted(history for history in train if history), {
        part: sorted(found) for part, found in queries.items()
    }


def asked(dataset, queries):
    return sorted(
        (
            logs.names(dataset, queries.items[start:end]),
            logs.names(dataset, queries.targets[slice(*queries.target_starts[at : at + 2])]),
        )
        for at, (start, end) in enumerate(
            zip(queries.history_start, queries.history_end, strict=True)
        )
    )


def test_global_split_is_the_one_made_by_hand(tmp_path):
    # Many items of few events, so that some are cold
    rows = logs.drawn(events=600, items=300)
    dataset = logs.load(logs.write_csv(tmp_path / "log.csv", rows))
    train, queries = by_hand(rows)
    starts = dataset.train.starts
    found = [dataset.train.items[a:b] for a, b in itertools.pairwise(starts)]
    assert sorted(logs.names(dataset, history) for history in found) == train
    assert asked(dataset, dataset.validation) == queries["validation"]
    assert asked(dataset, dataset.test) == queries["test"]
    assert any("" in targets for _, targets in queries["test"])
    assert any(len(targets) > 1 for _, targets in queries["test"])


def test_nothing_of_a_later_part_is_in_train_or_in_the_codes(tmp_path):
    rows = [("u", f"old {at}", at) for at in range(80)] + [
        ("u", f"new {at}", 80 + at) for at in range(20)
    ]
    dataset = logs.load(logs.write_csv(tmp_path / "log.csv", rows))
    assert all(name.startswith("old") for name in dataset.item_names)
    assert dataset.train.times.max() < 80
    assert not dataset.test.targets.any()
    assert dataset.counts["test_cold_targets"] == dataset.counts["test_cold_items"] == 10


def test_events_of_one_moment_never_stand_in_two_parts_or_in_each_others_history(tmp_path):
    rows = [(f"u{at % 3}", f"i{at % 7}", at // 10) for at in range(200)]
    dataset = logs.load(logs.write_csv(tmp_path / "log.csv", rows))
    assert set(dataset.train.times) == set(range(16))
    for queries in (dataset.validation, dataset.test):
        assert len(queries) == 2 * 3  # two moments of three users each


def test_codes_go_by_events_in_train_then_by_name(tmp_path):
    rows = logs.drawn()
    dataset = logs.load(logs.write_csv(tmp_path / "log.csv", rows))
    counted = dict.fromkeys(dataset.item_names, 0)
    for code in dataset.train.items:
        counted[dataset.item_names[code - 1]] += 1
    assert list(counted.values()) == dataset.item_counts.tolist()
    assert sorted(counted, key=lambda name: (-counted[name], name)) == list(dataset.item_names)


def test_counts_tell_who_is_new_and_what_is_asked(tmp_path):
    old = [(user, item, at) for at, item in enumerate("ababab") for user in ("u", "v")]
    rows = [
        *old, *((f"filler {at}", "a", 6) for at in range(4)),
        ("u", "b", 7), ("w", "a", 7),  # validation, w is new and cannot be asked
        ("w", "new", 8), ("x", "b", 8),  # test
    ]  # fmt: skip
    dataset = logs.load(
        logs.write_csv(tmp_path / "log.csv", rows),
        split=configs.SplitConfig(validation_fraction=0.1, test_fraction=0.1),
    )
    counts = dataset.counts
    assert (counts["events"], counts["users"], counts["items"]) == (20, 8, 3)
    assert (counts["train_events"], counts["train_users"], counts["train_items"]) == (16, 6, 2)
    assert (counts["validation_targets"], counts["validation_unasked_events"]) == (1, 1)
    assert (counts["test_targets"], counts["test_unasked_events"]) == (1, 1)
    assert (counts["test_cold_targets"], counts["test_cold_users"]) == (1, 2)
    assert asked(dataset, dataset.test) == [(["a"], [""])]


def test_items_that_are_rare_in_train_count_as_never_seen(tmp_path):
    rows = logs.drawn(items=400)
    dataset = logs.load(
        logs.write_csv(tmp_path / "log.csv", rows),
        split=configs.SplitConfig(minimum_item_events=3),
    )
    assert dataset.item_counts.min() == 3
    assert dataset.counts["rare_items"] > 0
    assert dataset.train.items.min() == 1
    assert dataset.train.items.max() == len(dataset.item_names)
    assert (np.bincount(dataset.train.items)[1:] == dataset.item_counts).all()


def test_leave_last_out_asks_for_the_last_two_of_long_enough_histories(tmp_path):
    file = tmp_path / "log.txt"
    file.write_text("u a b c d\nv c b\nw b a a\nx d\n")
    dataset = logs.load(file, split=logs.LEAVE_LAST_OUT)
    assert asked(dataset, dataset.test) == [(["a", "b", "c"], ["d"]), (["b", "a"], ["a"])]
    assert asked(dataset, dataset.validation) == [(["a", "b"], ["c"]), (["b"], ["a"])]
    assert dataset.train.times is None
    assert dataset.counts["train_events"] == 2 + 2 + 1 + 1


def test_titles_follow_the_items_into_their_codes(tmp_path):
    rows = [(user, item, at, f"Title of {item}") for at, (user, item, _) in enumerate(logs.drawn())]
    file = logs.write_csv(tmp_path / "log.csv", rows, header=("user", "item", "time", "label"))
    dataset = logs.load(file, columns=configs.ColumnsConfig(title="label"))
    assert list(dataset.titles) == [f"Title of {name}" for name in dataset.item_names]


def test_fingerprint_is_of_the_events_and_their_division_and_not_of_the_rows_order(tmp_path):
    rows = [(user, item, at) for at, (user, item, _) in enumerate(logs.drawn())]
    once = logs.load(logs.write_csv(tmp_path / "a.csv", rows))
    moved = logs.load(logs.write_csv(tmp_path / "b.csv", [*rows[:1], *rows[:0:-1]]))
    other = logs.load(logs.write_csv(tmp_path / "c.csv", [*rows[:-1], ("user 1", "item 1", 5)]))
    divided = logs.load(
        tmp_path / "a.csv", split=configs.SplitConfig(validation_fraction=0.2, test_fraction=0.1)
    )
    assert once.fingerprint != other.fingerprint
    assert once.fingerprint != divided.fingerprint
    assert (once.item_names, once.item_counts.tolist()) == (
        moved.item_names,
        moved.item_counts.tolist(),
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("u", f"i{at}", 5) for at in range(50)], "too few and alike.*leave_last_out"),
        ([(f"u{at % 5}", "only", at) for at in range(50)], "1 items with 1 events or more"),
        ([(f"u{at}", f"i{at % 3}", at) for at in range(50)], "no event of the validation part has"),
    ],
    ids=["constant time", "one item", "users with one event"],
)
def test_logs_that_cannot_be_learned_are_refused(tmp_path, rows, message):
    with pytest.raises(errors.UserError, match=message):
        logs.load(logs.write_csv(tmp_path / "log.csv", rows))


def test_splits_that_a_log_cannot_have_are_refused(tmp_path):
    file = tmp_path / "log.txt"
    file.write_text("u a b c\n")
    with pytest.raises(errors.UserError, match=r"has no times.*leave_last_out"):
        logs.load(file)
    file.write_text("u a b\nv c\n")
    with pytest.raises(errors.UserError, match="no history has three events"):
        logs.load(file, split=logs.LEAVE_LAST_OUT)


def test_names_become_codes_and_unknown_ones_are_dropped_and_counted(tmp_path):
    vocabulary = tmp_path / "items.txt"
    names = ("two words", 'a "quoted" one', "牛乳", "007", "line\u2028separator", " blanks ")
    vocabulary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    table = data.item_table(vocabulary)
    rows = tf.constant([["", "牛乳", "7", "two words"], [*names[3:], "two  words"]])
    assert data.preprocess(rows, table).numpy().tolist() == [[3, 1, 0, 0], [4, 5, 6, 0]]
    assert data.unknown(rows, table).numpy().tolist() == [1, 1]
    empty = tf.zeros([2, 0], tf.string)
    assert data.preprocess(empty, table).shape == (2, 0)


def test_recent_histories_are_the_last_items_at_the_rows_beginning(tmp_path):
    dataset = logs.load(logs.write_csv(tmp_path / "log.csv", logs.drawn()))
    queries = dataset.test
    found = queries.recent(slice(None), 7)
    for at, row in enumerate(found):
        history = queries.items[queries.history_start[at] : queries.history_end[at]][-7:]
        assert row.tolist() == history.tolist() + [0] * (7 - len(history))


def test_some_of_the_queries_are_those_of_all(tmp_path):
    dataset = logs.load(logs.write_csv(tmp_path / "log.csv", logs.drawn()))
    queries = dataset.test
    chosen = np.array([5, 0, len(queries) - 1])
    some = queries.take(chosen)
    assert some.recent(slice(None), 9).tolist() == queries.recent(chosen, 9).tolist()
    wanted = [queries.targets[slice(*queries.target_starts[at : at + 2])].tolist() for at in chosen]
    assert [
        some.targets[slice(*some.target_starts[at : at + 2])].tolist() for at in range(3)
    ] == wanted
    assert some.target_queries.tolist() == np.repeat(range(3), list(map(len, wanted))).tolist()
    rows, codes = some.seen(np.array([2, 0]))
    for row, at in enumerate((chosen[2], chosen[0])):
        history = queries.items[queries.history_start[at] : queries.history_end[at]]
        assert codes[rows == row].tolist() == history.tolist()
    assert asked(dataset, queries.sample(10, 3)) == asked(dataset, queries.sample(10, 3))
    assert len(queries.sample(10, 3)) == 10
    assert queries.sample(10**6, 3) is queries


def test_of_very_many_test_queries_some_are_drawn_and_it_is_said(tmp_path, monkeypatch):
    file = logs.write_csv(tmp_path / "log.csv", logs.drawn())
    whole = logs.load(file)
    monkeypatch.setattr(data, "MOST_TEST_QUERIES", 20)
    some = logs.load(file)
    assert len(some.test) == 20 < len(whole.test) == some.counts["test_queries"]
    assert some.notes == (
        *whole.notes,
        f"of {len(whole.test)} test queries 20 are asked, drawn at random",
    )
    assert some.fingerprint == whole.fingerprint
    every = asked(whole, whole.test)
    assert all(query in every for query in asked(some, some.test))


@pytest.mark.parametrize("name", ["none/such.csv", "./missing", "missing.inter"])
def test_a_path_that_is_not_there_is_never_looked_for_among_the_sets(name):
    with pytest.raises(errors.UserError, match="no such file"):
        data.load(dataclasses.replace(configs.PRESETS["tiny"], data=name))
