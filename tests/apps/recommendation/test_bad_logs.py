"""Logs as people have them: what cannot be learned is one line, what is merely odd is learned."""

import pytest

from apps.recommendation import config as configs
from apps.recommendation import data, log, report, train
from apps.suite import errors

HEADER = "user,item,time"
QUICK = ["--preset", "tiny"]


def good_rows(users=12, events=8):
    """user, item, seconds: everyone takes some of nine items, a day between two events."""
    return [
        (f"user {user}", f"item {(user + step * step) % 9}", 86_400 * step + user)
        for user in range(users)
        for step in range(events)
    ]


def lines(rows):
    return [",".join(map(str, row)) for row in rows]


def csv_file(folder, rows, header=HEADER, name="log.csv"):
    file = folder / name
    file.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return file


def refusal(capsys, folder, file, *options):
    """The one line that a training says before anything is written."""
    status = train.main([*QUICK, "--data", str(file), "--run", str(folder / "run"), *options])
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert not (folder / "run").exists()
    return captured.err


def loaded(file, **groups):
    return data.load(configs.Config(preset="tiny", data=str(file), **groups))


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("customer,item,time", ["'user'", "'customer'", "--columns.user"]),
        ("user,product,time", ["'item'", "'product'", "--columns.item"]),
        ("user,item,date", ["'time'", "'date'", "--columns.time"]),
        ("User,Item,Time", ["'user'", "'User'"]),
    ],
)
def test_a_missing_column_is_named_with_those_that_are_there(capsys, tmp_path, header, told):
    file = csv_file(tmp_path, lines(good_rows()), header)
    line = refusal(capsys, tmp_path, file)
    assert str(file) in line
    assert all(word in line for word in told)


def test_other_names_of_the_columns_can_be_given(tmp_path):
    file = csv_file(tmp_path, lines(good_rows()), "customer,sku,bought at")
    columns = configs.ColumnsConfig(user="customer", item="sku", time="bought at")
    assert loaded(file, columns=columns).counts["users"] == 12


@pytest.mark.parametrize("time", ["yesterday", "2024-13-45", "12:30"])
def test_a_time_that_cannot_be_read_is_shown_with_its_row(capsys, tmp_path, time):
    rows = lines(good_rows())
    rows[4] = f"user 0,item 1,{time}"
    line = refusal(capsys, tmp_path, csv_file(tmp_path, rows))
    assert "time" in line
    assert time in line
    assert "line 6" in line


def test_an_empty_field_is_named_with_its_row(capsys, tmp_path):
    for field, row in (("user", ",item 1,5"), ("item", "user 1,,5"), ("time", "user 1,item 1,")):
        rows = lines(good_rows())
        rows[2] = row
        line = refusal(capsys, tmp_path, csv_file(tmp_path, rows))
        assert field in line
        assert "line 4" in line


def test_one_item_alone_cannot_be_ranked(capsys, tmp_path):
    rows = lines((user, "milk", time) for user, _, time in good_rows())
    assert "1 item" in refusal(capsys, tmp_path, csv_file(tmp_path, rows))


def test_users_with_one_event_each_ask_nothing(capsys, tmp_path):
    rows = lines((f"user {at}", f"item {at % 7}", at) for at in range(60))
    for options in ([], ["--split.kind", "leave_last_out"]):
        line = refusal(capsys, tmp_path, csv_file(tmp_path, rows), *options)
        assert "longer histories" in line


def test_users_with_one_event_among_others_are_counted(tmp_path):
    single = [(f"visitor {at}", f"item {at % 9}", 86_400 * (at % 8)) for at in range(20)]
    found = loaded(csv_file(tmp_path, lines([*good_rows(), *single])))
    assert found.counts["users"] == 32
    assert found.counts["test_unasked_events"] > 0
    assert found.counts["test_cold_users"] > 0


def test_a_constant_time_cannot_be_cut_in_time_but_in_order(capsys, tmp_path):
    file = csv_file(tmp_path, lines((user, item, 7) for user, item, _ in good_rows()))
    line = refusal(capsys, tmp_path, file)
    assert "leave_last_out" in line
    found = loaded(file, split=configs.SplitConfig(kind="leave_last_out"))
    assert len(found.test) == 12


def test_duplicate_events_are_one_event_and_counted(tmp_path):
    rows = lines(good_rows())
    once = loaded(csv_file(tmp_path, rows))
    twice = loaded(csv_file(tmp_path, [row for row in rows for _ in range(2)], name="twice.csv"))
    assert (once.counts["duplicate_rows"], twice.counts["duplicate_rows"]) == (0, len(rows))
    assert twice.fingerprint == once.fingerprint


def test_names_with_blanks_quotes_and_other_scripts_stay_as_they_are(tmp_path):
    names = [
        "two words",
        'a "quoted" one',
        "it's",
        "牛乳",
        "хлеб",
        "لبن",
        " x ",
        "a,b",
        "🥛",
        "NULL",
    ]
    rows = [
        (user, '"' + names[int(item.split()[1])].replace('"', '""') + '"', time)
        for user, item, time in good_rows()
    ]
    found = loaded(csv_file(tmp_path, lines(rows)))
    assert set(found.item_names) <= set(names)
    assert len(found.item_names) >= 8


def test_a_name_with_a_line_break_is_refused(capsys, tmp_path):
    rows = [*lines(good_rows()), '"user 1","two\nlines",99']
    line = refusal(capsys, tmp_path, csv_file(tmp_path, rows))
    assert "line break" in line
    assert "item" in line


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("log.csv", b"", "empty"),
        ("log.csv", b"user,item,time\n", "no events"),
        ("log.csv", b"user,item,time\na,b\n", "line 2"),
        ("log.csv", "user,item,time\nä,b,1\n".encode("latin-1"), "UTF-8"),
        ("log.txt", b"", "empty"),
        ("log.txt", b"user1 a b c\nuser2\n", "user2"),
        ("log.parquet", b"PAR1 damaged", "log.parquet"),
        ("log.inter", b"user:token\titem:token\ttime:float\na\tb\t1\n", "user_id"),
        ("log.xlsx", b"PK", ".csv"),
    ],
)
def test_a_file_that_is_no_log_is_one_line(capsys, tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    line = refusal(capsys, tmp_path, tmp_path / name)
    assert name in line
    assert told in line


def test_lines_without_times_cannot_be_cut_in_time(capsys, tmp_path):
    file = tmp_path / "histories.txt"
    file.write_text("\n".join(f"user{user} a b c d" for user in range(9)))
    assert "leave_last_out" in refusal(capsys, tmp_path, file)


def test_a_folder_is_refused(capsys, tmp_path):
    (tmp_path / "logs").mkdir()
    assert "folder" in refusal(capsys, tmp_path, tmp_path / "logs")


def test_a_log_that_is_too_short_to_cut_is_one_line(capsys, tmp_path):
    for rows in (good_rows(1, 1), good_rows(1, 2), good_rows(2, 1)):
        file = csv_file(tmp_path, lines(rows))
        for kind in ("global_time", "leave_last_out"):
            refusal(capsys, tmp_path, file, "--split.kind", kind)


TABLES_CALLED_TXT = {
    "names of columns": "SessionId\tItemId\tTime\n1\t4\t1700000000.5\n1\t5\t1700000900.5\n",
    "names between blanks": "user item time\na x 1700000000\nb y 1700000001\n",
    "names of pairs": "user item\na x\nb y\n",
    "times": "a\tx\t1700000000\na\ty\t1700000900\n",
    "dates": "a,x,2024-01-01 10:00\na,y,2024-01-01 11:00\n",
    "commas": "a,x\na,y\n",
}


@pytest.mark.parametrize("kind", TABLES_CALLED_TXT)
def test_a_table_called_txt_is_not_read_as_histories(capsys, tmp_path, kind):
    file = tmp_path / "log.TXT"
    file.write_text(TABLES_CALLED_TXT[kind])
    line = refusal(capsys, tmp_path, file, "--split.kind", "leave_last_out")
    assert "line 1" in line
    assert any(word in line for word in ("log.tsv", "called .csv", "remove it"))


def test_histories_and_pairs_of_any_names_are_still_read(tmp_path):
    for text in ("1 2 3\n2 5 1700000000\n", "ann tea milk bread\nbob time user\n", "a x\na y\n"):
        file = tmp_path / "log.txt"
        file.write_text(text)
        found = log.read(file, configs.ColumnsConfig(), configs.SessionsConfig())
        assert len(found.items) == sum(len(line.split()) - 1 for line in text.splitlines())


@pytest.mark.parametrize("name", ["ratings.dat", "ratings.DAT", "ratings.txt"])
def test_fields_parted_by_double_colons_are_users_items_and_times(tmp_path, name):
    file = tmp_path / name
    for form in ("{}::{}::4::{}", "{}::{}::{}"):
        rows = [form.format(*row) for row in good_rows()]
        file.write_text("\n".join(rows))
        found = log.read(file, configs.ColumnsConfig(), configs.SessionsConfig())
        assert found.items.to_pylist() == [item for _, item, _ in good_rows()]
        assert found.times.tolist() == [time for _, _, time in good_rows()]
    file.write_text("1::2\n")
    with pytest.raises(errors.UserError, match="2 fields parted by ::"):
        log.read(file, configs.ColumnsConfig(), configs.SessionsConfig())


def test_dates_of_a_country_are_refused_by_the_option_that_reads_them(capsys, tmp_path):
    rows = [f"{user},{item},{1 + time // 86400}/14/2023 22:13" for user, item, time in good_rows()]
    file = csv_file(tmp_path, rows)
    line = refusal(capsys, tmp_path, file)
    assert '--columns.time_format "%m/%d/%Y %H:%M"' in line
    columns = configs.ColumnsConfig(time_format="%m/%d/%Y %H:%M", time_zone="America/New_York")
    found = log.read(file, columns, configs.SessionsConfig())
    assert found.times[0] == 1673752380  # 2023-01-15 03:13 UTC
    assert "of the form %m/%d/%Y" in found.notes[0]


def test_seconds_and_milliseconds_in_one_log_are_refused_by_the_row(capsys, tmp_path):
    rows = [f"{user},{item},{1_700_000_000 + time}" for user, item, time in good_rows()]
    rows[50] += "000"
    assert "line 52: time is" in refusal(capsys, tmp_path, csv_file(tmp_path, rows))


def test_a_user_without_a_name_is_not_one_giant_history(capsys, tmp_path):
    rows = lines(good_rows())
    for at in (10, 11, 12):
        rows[at] = "NA," + rows[at].partition(",")[2]
    file = csv_file(tmp_path, rows)
    line = refusal(capsys, tmp_path, file)
    assert "line 12: user is 'NA'" in line
    found = loaded(file, columns=configs.ColumnsConfig(placeholders="drop"))
    assert found.counts["events"] == len(rows) - 3
    assert loaded(file, columns=configs.ColumnsConfig(placeholders="keep")).counts["users"] == 13


def test_what_was_understood_is_told(tmp_path):
    rows = [f"{line},x" for line in lines(good_rows())]
    found = loaded(csv_file(tmp_path, rows, HEADER + ",comment"))
    assert found.understood[:4] == (
        "columns user: user, item: item, time: time (numbers, read as seconds); not read: comment",
        "times: 0 to 604811",
        "events: 96 of 12 users and 9 items in 12 histories",
        "parts: train 76, validation 10, test 10",
    )


def test_a_test_part_of_new_items_alone_is_told_and_has_a_report(tmp_path):
    rows = lines((user, f"deal {time // 86_400}", time) for user, _, time in good_rows(users=20))
    dataset = loaded(csv_file(tmp_path, rows))
    assert dataset.counts["test_cold_targets"] == len(dataset.test.targets) > 0
    assert "no right item of the test part is in the train part" in dataset.understood[-2]
    (block,) = report._by_popularity(None, dataset, {}, None)
    assert "none of the right items" in block.text
