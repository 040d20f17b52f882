import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.runs import files


def partial_path(path):
    return path.with_name(f"{files.PARTIAL}{os.getpid()}-{path.name}")


def test_text_and_bytes_replace_what_was_there(tmp_path):
    file = tmp_path / "file"
    files.write_atomically(file, "käse")
    assert file.read_bytes() == "käse".encode()
    files.write_atomically(file, b"\x00\xff")
    assert file.read_bytes() == b"\x00\xff"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's always-full device")
def test_a_full_disk_keeps_the_old_file_and_says_so(tmp_path):
    file = tmp_path / "history.csv"
    file.write_text("old")
    partial_path(file).symlink_to("/dev/full")  # the write that follows meets a real ENOSPC
    with pytest.raises(errors.UserError) as caught:
        files.write_atomically(file, "new")
    expected = f"{file} cannot be written: the disk is full; nothing finished was lost"
    assert str(caught.value) == expected
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_an_error_of_the_writer_leaves_no_part(tmp_path):
    file = tmp_path / "model.keras"

    def write():
        with files.replacing(file) as partial:
            assert partial.suffix == ".keras"
            partial.write_text("half")
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_kill_in_the_middle_leaves_the_old_file_and_a_part_that_is_swept(tmp_path):
    file = tmp_path / "checkpoints" / "10.npz"
    file.parent.mkdir()
    file.write_text("old")
    program = (
        "import os, pathlib, signal, sys; from apps.suite.runs import files\n"
        "with files.replacing(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(file)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert file.read_text() == "old"
    assert len(list(file.parent.iterdir())) == 2
    files.remove_partial(tmp_path)
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_named(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(errors.UserError, match="permission denied"):
            files.write_atomically(tmp_path / "file", "new")
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UserError, match="a file stands where a folder is needed"):
        files.make_folder(tmp_path / "file" / "run")


def test_numpy_numbers_are_written_as_numbers(tmp_path):
    file = tmp_path / "metrics.json"
    files.write_json(file, {"a": np.float32(0.5), "b": [np.int64(3)], "c": {"d": (1, "ß")}})
    assert files.read_json(file) == {"a": 0.5, "b": [3], "c": {"d": [1, "ß"]}}


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf")])
def test_a_number_that_is_not_finite_is_refused_by_its_place(tmp_path, value):
    file = tmp_path / "metrics.json"
    with pytest.raises(errors.UserError, match=r"test\.loss\[1\] is (nan|inf)"):
        files.write_json(file, {"test": {"loss": [0.0, value]}})
    assert not file.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"a": ', "damaged"), (b"[]", "not an object"), (b"\xff\xfe", "damaged"), (None, "missing")],
)
def test_a_damaged_file_is_named(tmp_path, content, message):
    file = tmp_path / "config.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(errors.UserError, match=message) as caught:
        files.read_json(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_lock_of_a_file_or_a_folder_has_one_holder(tmp_path):
    for place in (tmp_path, tmp_path / "lock"):
        held = files.lock(place)
        assert files.lock(place) is None
        os.close(held)
        os.close(files.lock(place, wait=True))


def test_another_process_waits_for_a_lock(tmp_path):
    held = files.lock(tmp_path / "lock")
    program = (
        "import pathlib, sys; from apps.suite.runs import files\n"
        "print('waits', flush=True); files.lock(pathlib.Path(sys.argv[1]), wait=True); print('has')"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "lock")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "waits\n"
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.3)
        os.close(held)
        assert other.stdout.readline() == "has\n"


def test_the_writer_of_a_folder_is_named(tmp_path):
    lock = files.WriterLock(tmp_path)
    with pytest.raises(errors.UserError, match=f"{tmp_path}.*process {os.getpid()}"):
        files.WriterLock(tmp_path)
    lock.release()
    files.WriterLock(tmp_path)
