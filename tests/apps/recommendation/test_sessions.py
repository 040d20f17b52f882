import pytest

from apps.recommendation import config as configs
from apps.recommendation import division
from apps.recommendation import log as own_data
from apps.suite import errors
from tests.apps.recommendation import logs


def histories(file, columns=None, **settings):
    settings = configs.SessionsConfig(**settings)
    log = own_data.read(file, columns or configs.ColumnsConfig(), settings)
    found = division.histories_of(log, settings)
    made: dict[int, list] = {}
    for session, user, item, time in zip(
        found.sessions, found.users, found.items, found.times, strict=True
    ):
        event = (found.user_names[user], found.item_names[item], int(time))
        made.setdefault(int(session), []).append(event)
    return list(made.values()), found


def test_histories_of_users_are_in_the_order_of_time_then_of_the_log(tmp_path):
    rows = logs.drawn()
    wanted: dict[str, list] = {}
    for row in sorted(dict.fromkeys(rows), key=lambda row: row[2]):  # stable, none twice
        wanted.setdefault(row[0], []).append(row)
    found, interactions = histories(logs.write_csv(tmp_path / "log.csv", rows))
    assert sorted(found) == sorted(wanted.values())
    assert interactions.duplicates == len(rows) - len(set(rows)) > 0


def test_the_same_item_at_another_time_is_no_duplicate(tmp_path):
    rows = [("u", "a", 1), ("u", "b", 1), ("u", "a", 2), ("u", "a", 1), ("v", "a", 1)]
    found, interactions = histories(logs.write_csv(tmp_path / "log.csv", rows))
    assert found == [[("u", "a", 1), ("u", "b", 1), ("u", "a", 2)], [("v", "a", 1)]]
    assert interactions.duplicates == 1


def test_a_gap_longer_than_the_minutes_begins_a_session(tmp_path):
    rows = [("u", "a", 0), ("u", "b", 600), ("u", "c", 1201), ("v", "a", 1202), ("u", "d", 1801)]
    found, _ = histories(logs.write_csv(tmp_path / "log.csv", rows), by="gap", gap_minutes=10.0)
    assert [[event[1] for event in each] for each in found] == [["a", "b"], ["c", "d"], ["a"]]


def test_a_column_makes_sessions_that_may_interleave(tmp_path):
    rows = [("u", "a", 1, "x"), ("u", "b", 2, "y"), ("u", "c", 3, "x")]
    file = logs.write_csv(tmp_path / "log.csv", rows, header=("user", "item", "time", "visit"))
    columns = configs.ColumnsConfig(session="visit")
    found, _ = histories(file, columns, by="column")
    assert [[event[1] for event in each] for each in found] == [["a", "c"], ["b"]]


def test_a_session_of_two_users_is_refused(tmp_path):
    rows = [("u", "a", 1, "x"), ("v", "b", 2, "x")]
    file = logs.write_csv(tmp_path / "log.csv", rows, header=("user", "item", "time", "visit"))
    with pytest.raises(errors.UserError, match="session 'x' has events of two users"):
        histories(file, configs.ColumnsConfig(session="visit"), by="column")


def test_sessions_that_a_log_cannot_have_are_refused(tmp_path):
    file = tmp_path / "log.txt"
    file.write_text("u a b c\n")
    with pytest.raises(errors.UserError, match=r"has no times, and sessions.by gap needs them"):
        histories(file, by="gap")
    with pytest.raises(errors.UserError, match=r"has no sessions; use --sessions.by user"):
        histories(file, configs.ColumnsConfig(session="visit"), by="column")
