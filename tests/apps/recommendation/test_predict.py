"""What a person asks for is what is printed; what cannot be is refused in one line."""

import json

import numpy as np
import pytest

from apps.recommendation import config as configs
from apps.recommendation import predict
from tests.apps.recommendation import small_run

# Of Keras, when it saves a model
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES, COUNT = small_run.NAMES, len(small_run.NAMES)
HISTORY = [NAMES[at] for at in (3, 40, 2, 3, 19, 30)]


def ask(capsys, *arguments):
    """Exit status, standard output, standard error."""
    status = predict.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def objects(capsys, *arguments):
    status, out, err = ask(capsys, "--json", *arguments)
    assert (status, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def items(answer):
    return [each["item"] for each in answer["items"]]


@pytest.fixture(params=["--run", "--model"])
def source(request, run, exported):
    """A run, and the export of it: whoever asks gets the same answers."""
    return request.param, {"--run": run, "--model": exported}[request.param]


@pytest.fixture(scope="session")
def scores(run):
    """Keras's scores of HISTORY, by name."""
    trained = small_run.built(small_run.config())
    codes = np.array([[NAMES.index(name) + 1 for name in HISTORY]], np.int32)
    return dict(zip(NAMES, trained(codes).numpy()[0], strict=True))


def test_the_best_items_by_name_with_titles_and_scores(capsys, source, scores):
    (answer,) = objects(capsys, *source, *HISTORY, "--k", COUNT)
    assert answer["history"] == HISTORY
    assert answer["unknown"] == []
    assert items(answer) == sorted(scores, key=scores.__getitem__, reverse=True)
    for each in answer["items"]:
        assert each["score"] == pytest.approx(scores[each["item"]], abs=1e-4)
        assert each.get("title", "") == small_run.TITLES[NAMES.index(each["item"])]


def test_a_table_names_item_title_and_score(capsys, source, scores):
    status, out, _ = ask(capsys, *source, *HISTORY, "--k", 3)
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:3]
    heading, header, *rows = out.removesuffix("\n").split("\n")
    assert status == 0
    assert heading == "after " + ", ".join(HISTORY)
    assert header.split() == ["rank", "item", "title", "score"]
    assert len(rows) == 3
    for rank, (name, row) in enumerate(zip(best, rows, strict=True), 1):
        assert row.split()[0] == str(rank)
        assert name in row
        assert row.endswith(f"{scores[name]:.3f}")


def test_unknown_names_are_told_and_change_nothing(capsys, source):
    (plain,) = objects(capsys, *source, *HISTORY)
    (answer,) = objects(capsys, *source, "nobody", *HISTORY, "no one", "nobody")
    assert answer["unknown"] == ["nobody", "no one"]
    assert items(answer) == items(plain)
    _, out, _ = ask(capsys, *source, "nobody", *HISTORY)
    assert "1 unknown and ignored: 'nobody'" in out


@pytest.mark.parametrize("history", [[], ["nobody"]])
def test_without_a_known_item_the_answer_is_popularity(capsys, source, history):
    (answer,) = objects(capsys, *source, *history, "--k", COUNT)
    assert items(answer) == list(NAMES)


def test_the_choice_can_be_limited(capsys, source, scores):
    chosen = ["müsli", "007", "7", "🥛", "item 5", "nobody"]
    options = ["--include", *chosen, "--exclude", "7", "no one"]
    (answer,) = objects(capsys, *source, *HISTORY, *options)
    wanted = {name: scores[name] for name in ("müsli", "007", "🥛", "item 5")}
    assert items(answer) == sorted(wanted, key=wanted.__getitem__, reverse=True)
    (answer,) = objects(capsys, *source, *HISTORY, *options, "--exclude_seen")
    assert set(items(answer)) == set(wanted) - set(HISTORY)
    (answer,) = objects(capsys, *source, *HISTORY, "--include", "nobody")
    assert answer["items"] == []


def test_a_name_that_looks_like_an_option_comes_after_two_dashes(capsys, source):
    (answer,) = objects(capsys, *source, "--k", 2, "--", "-1", "two words")
    assert answer["history"] == ["-1", "two words"]
    assert answer["unknown"] == []


def test_a_file_of_users_is_answered_in_the_order_of_names(capsys, source, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text(
        'user,item,time\nzoe,"a ""quoted"" one",20\nada,牛乳,2\n'
        + "zoe,two words,10\nada,nobody,3\nada,it's,1\n",
        encoding="utf-8",
    )
    ada, zoe = objects(capsys, *source, "--file", file, "--k", 4)
    assert (ada["user"], ada["history"]) == ("ada", ["it's", "牛乳", "nobody"])
    assert (zoe["user"], zoe["history"]) == ("zoe", ["two words", 'a "quoted" one'])
    assert ada["unknown"] == ["nobody"]
    for each in (ada, zoe):
        (alone,) = objects(capsys, *source, "--k", 4, "--", *each["history"])
        assert items(alone) == items(each)
    _, out, _ = ask(capsys, *source, "--file", file, "--k", 1)
    assert out.count("rank") == 2
    assert "\nzoe, after two words" in out


def test_many_users_are_answered_as_each_alone(capsys, source, tmp_path):
    file = tmp_path / "users.txt"
    draw = np.random.default_rng(0)
    histories = {
        f"user{at:03}": [f"item-{number}" for number in draw.integers(40, size=1 + at % 9)]
        for at in range(150)
    }
    lines = [" ".join([user, *names]) for user, names in histories.items()]
    file.write_text("\n".join(lines))
    together = objects(capsys, *source, "--file", file, "--k", 3)
    assert [each["user"] for each in together] == sorted(histories)
    assert all(each["history"] == histories[each["user"]] for each in together)


def test_other_columns_of_a_file_can_be_named(capsys, source, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text("who,what\nada,7\n")
    columns = ["--columns.user", "who", "--columns.item", "what", "--columns.time", "when"]
    status, out, err = ask(capsys, *source, "--file", file, *columns)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "'when'" in err
    file.write_text("who,what,when\nada,7,1\n")
    (answer,) = objects(capsys, *source, "--file", file, *columns)
    assert answer["history"] == ["7"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["x", "--k", 0], "--k must be at least 1"),
        (["x", "--k", 2**31], "--k must be at least 1 and below 2^31"),
        (["x", "--file", "users.csv"], "not both"),
        (["--file", "/no/such/users.csv"], "/no/such/users.csv: no such file"),
        (["bad \udcff"], "UTF-8"),
        (["x", "--include", "bad \udcff"], "UTF-8"),
        (["x", "--run", "/no/such/run"], "/no/such/run"),
        (["x", "--model", "/no/such/version"], "not an exported version"),
    ],
)
def test_what_cannot_be_is_one_line(capsys, run, arguments, told):
    before = [] if "--run" in arguments else ["--run", run]
    status, out, err = ask(capsys, *before, *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_of_several_sessions_the_latest_is_asked(tmp_path):
    file = tmp_path / "clicks.csv"
    rows = ["ada,a,100000", "ada,b,100060", "bob,x,5", "ada,c,1", "ada,d,30", "bob,y,9000"]
    file.write_text("\n".join(["user,item,time", *rows]))
    by_gap = configs.SessionsConfig(by="gap", gap_minutes=2)
    users, histories = predict._of_file(file, configs.ColumnsConfig(), by_gap)
    assert (users, histories) == (["ada", "bob"], [("a", "b"), ("y",)])
    _, whole = predict._of_file(file, configs.ColumnsConfig(), configs.SessionsConfig())
    assert whole == [("c", "d", "a", "b"), ("x", "y")]
