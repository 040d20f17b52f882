import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
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
