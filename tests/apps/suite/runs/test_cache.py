import pytest

from apps.suite import errors
from apps.suite.runs import cache, files


def test_the_environment_says_where(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_TASKS_CACHE", str(tmp_path / "here"))
    assert cache.folder("kind") == tmp_path / "here" / "kind"
    assert (tmp_path / "here" / "kind").is_dir()


def test_it_is_in_the_home_folder_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("LSTM_TASKS_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder("kind") == tmp_path / ".cache" / "lstm_tasks" / "kind"


def test_a_file_in_its_place_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LSTM_TASKS_CACHE", str(tmp_path / "file"))
    with pytest.raises(errors.UserError, match="a file stands where a folder is needed"):
        cache.folder("kind")


def test_a_locked_folder_is_made_and_swept(tmp_path):
    folder = tmp_path / "kind" / "key"
    (folder / f"{files.PARTIAL}folder").mkdir(parents=True)
    (folder / f"{files.PARTIAL}file").touch()
    (folder / "kept").touch()
    with cache.locked(folder):
        assert files.lock(folder / files.LOCK_NAME) is None
        assert sorted(path.name for path in folder.iterdir()) == [files.LOCK_NAME, "kept"]
