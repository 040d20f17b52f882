"""`python -m apps.serve` starts, ends and refuses as a command of the house does."""

import signal
import socket
import subprocess
import sys

from apps import serve
from tests.apps import echo_model


def test_the_command_starts_and_ends_cleanly(tmp_path):
    echo_model.write(tmp_path, 1)
    ports = ["--rest_port", "0", "--grpc_port", "0"]
    command = [sys.executable, "-m", "apps.serve", "--models", str(tmp_path), *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        lines = [process.stdout.readline().decode() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert lines[0] == "echo: version 1 is served\n"
    assert "http://127.0.0.1:" in lines[1]
    assert (process.returncode, out, err) == (0, b"ended\n", b"")


def test_bad_options_are_told_in_a_line(tmp_path, capsys):
    assert serve.main(["--models", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert serve.main(["--models", str(tmp_path), "--rest_port", port]) == 2
        assert f"127.0.0.1:{port}" in capsys.readouterr().err
        given = ["--models", str(tmp_path), "--rest_port", "0", "--grpc_port", port]
        assert serve.main(given) == 2
        assert "--grpc_port" in capsys.readouterr().err
    assert serve.main(["--requests_at_once", "0"]) == 2
    assert "requests_at_once" in capsys.readouterr().err
