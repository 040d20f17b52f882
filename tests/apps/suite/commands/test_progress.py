"""Long work says that it goes on: in plain lines in a pipe, in one line on a terminal."""

import sys
import time

import pytest

from apps.suite.commands import progress


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(progress, "_REDRAWN_SECONDS", 0.05)
    monkeypatch.setattr(progress, "_LATER_SECONDS", 0.02)


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
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with progress.working("counting"):
        time.sleep(0.2)
    printed = capsys.readouterr().out
    assert "\n" not in printed
    assert "counting: 0 s so far" in printed
    assert printed.endswith("\r\x1b[2K")


def test_a_silent_command_says_after_which_line_it_still_works(capsys):
    with progress.never_silent():
        print("training the baselines")
        time.sleep(0.4)
        print("done")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "training the baselines"
    assert printed[-1] == "done"
    assert len(printed) > 3
    assert set(printed[1:-1]) == {"still working, 0 s after “training the baselines”"}
    time.sleep(0.2)
    print("after the block")
    assert capsys.readouterr().out == "after the block\n"


def test_output_for_others_stays_as_it_is_and_the_silence_before_it_is_told_on_stderr(
    capsys, monkeypatch
):
    with progress.never_silent_at_first():
        time.sleep(0.2)
    assert capsys.readouterr().err == "", "nobody waits"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.never_silent_at_first():
        time.sleep(0.4)
        print('{"a": 1}')
        time.sleep(0.4)
    printed = capsys.readouterr()
    assert printed.out == '{"a": 1}\n'
    told = printed.err.splitlines()
    assert told
    assert set(told) == {"still working, 0 s after the start"}
    with progress.never_silent_at_first():
        print("at once")
        time.sleep(0.4)
    assert capsys.readouterr().err == ""


def test_a_command_that_speaks_is_left_alone(capsys, monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 30.0)
    with progress.never_silent():
        print("a line")
        time.sleep(0.2)
    assert capsys.readouterr().out == "a line\n"


def test_a_silence_on_a_terminal_is_a_line_that_the_next_one_replaces(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with progress.never_silent():
        print("reading")
        time.sleep(0.3)
        print("read")
    printed = capsys.readouterr().out
    assert printed.count("\n") == 2
    assert "\r\x1b[2Kstill working, 0 s after “reading”" in printed
    assert printed.endswith("\r\x1b[2Kread\n")


def test_a_silence_is_broken_while_the_output_of_a_library_is_held_back(capsys):
    import contextlib
    import io

    with progress.never_silent():
        print("preparing a set")
        with contextlib.redirect_stdout(io.StringIO()):
            time.sleep(0.3)
    assert "still working" in capsys.readouterr().out


def test_a_line_that_is_rewritten_for_hours_is_kept_once_and_told_without_its_codes(capsys):
    with progress.never_silent():
        for step in range(100):
            print(f"\r\x1b[2Kstep {step}", end="")
        print("\r\x1b[2Kstep 100 done")
        assert len(sys.stdout._begun) < 20
        time.sleep(0.2)
    assert "still working, 0 s after “step 100 done”" in capsys.readouterr().out


def test_a_stream_that_does_not_say_how_much_it_wrote_is_written_to(capsys, monkeypatch):
    class Forwarding:
        """As the stream that a Ray worker's lines go through."""

        def write(self, text):
            stream.write(text)

        def flush(self):
            stream.flush()

        def isatty(self):
            return False

    stream = sys.stdout
    monkeypatch.setattr(sys, "stdout", Forwarding())
    with progress.never_silent():
        print("training", flush=True)
        assert sys.stdout.write("on 2 workers\n") == len("on 2 workers\n")
    assert capsys.readouterr().out == "training\non 2 workers\n"
