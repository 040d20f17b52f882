"""`python -m apps.demo` starts, ends and refuses as a command of the house does."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from apps import demo
from tests.apps import echo_model, task_folders


def command(*arguments, program=("-m", "apps.demo")):
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=task_folders.ROOT,
    )


def test_help_is_there_before_anything_heavy_is_imported():
    program = (
        "import sys; from apps import demo; assert demo.main(['--help']) == 0\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'gradio', 'fastapi', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    ended = command(program=("-c", program))
    assert ended.returncode == 0, ended.stderr
    for option in ("--models", "--server", "--host", "--port"):
        assert option in ended.stdout


def refused(capsys, *arguments):
    assert demo.main(list(map(str, arguments))) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_bad_options_are_told_in_a_line(tmp_path, capsys):
    assert "unknown option --share" in refused(capsys, "--share")
    assert "export a run there first" in refused(capsys, "--models", tmp_path)
    assert "none" in refused(capsys, "--models", tmp_path / "none")
    assert "port must lie" in refused(capsys, "--port", 70_000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "echo" / "1").mkdir(parents=True)
        (tmp_path / "echo" / "1" / "saved_model.pb").touch()
        told = refused(capsys, "--models", tmp_path, "--port", port)
    assert f"--port: nothing can listen at 127.0.0.1:{port}" in told
    assert "--port 0" in told


def test_a_missing_extra_is_told_with_how_to_install_it(tmp_path):
    program = (
        "import sys; sys.modules['gradio'] = None\n"  # as if it were not there
        "from apps import demo; sys.exit(demo.main(['--port', '0', '--models', sys.argv[1]]))"
    )
    echo_model.write(tmp_path, 1)
    ended = command(tmp_path, program=("-c", program))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: the page needs gradio: pip install '.[demo]'\n"


@pytest.mark.slow
def test_it_shows_the_page_until_it_is_told_to_end_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "temporary").mkdir()
    echo_model.write(tmp_path / "models", 1)
    arguments = ["--models", str(tmp_path / "models"), "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "apps.demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=task_folders.ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    ) as process:
        loaded, shown = (process.stdout.readline() for _ in range(2))
        address = re.search(r"http://\S+", shown).group()
        with urllib.request.urlopen(address) as answer:
            page = answer.read().decode()
            policy = answer.headers["content-security-policy"]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert loaded == "echo: version 1 is served\n"
    assert "Try the models" in page
    assert "default-src 'self'" in policy
    assert (process.returncode, out, err) == (0, "ended\n", "")
    assert not list((tmp_path / "temporary").iterdir())
