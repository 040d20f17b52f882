"""Long work says that it goes on: in plain lines in a pipe, in one line on a terminal."""

import time

import pytest

from apps.suite.commands import progress


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(progress, "_REDRAWN_SECONDS", 0.05)


def test_long_work_prints_lines_until_it_ends(capsys):
    with progress.working("counting"):
        time.sleep(0.3)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) >= 2
    assert set(printed) == {"counting: 0 s so far"}
    time.sleep(0.1)
    assert not capsys.readouterr().out


def test_quick_work_prints_nothing(capsys, monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 10.0)
    began = time.monotonic()
    with progress.working("counting"):
        pass
    assert list(progress.watched("abc", "letters", 3)) == [*"abc"]
    assert time.monotonic() - began < 1.0
    assert not capsys.readouterr().out


def test_items_are_counted(capsys):
    for _ in progress.watched(range(4), "numbers", 4):
        time.sleep(0.12)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "numbers: 0 s so far"
    assert any(line.startswith("numbers: 50%") for line in printed)
    assert "\x1b" not in "".join(printed)


def test_an_error_ends_the_lines(capsys):
    def failing():
        yield 1
        raise RuntimeError("defect")

    with pytest.raises(RuntimeError):
        list(progress.watched(failing(), "numbers", 2))
    capsys.readouterr()
    time.sleep(0.15)
    assert not capsys.readouterr().out


def test_a_terminal_has_one_line_which_is_gone_at_the_end(capsys, monkeypatch):
    import sys

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with progress.working("counting"):
        time.sleep(0.2)
    printed = capsys.readouterr().out
    assert "\n" not in printed
    assert "counting: 0 s so far" in printed
    assert printed.endswith("\r\x1b[2K")
