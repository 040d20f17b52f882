import subprocess
import sys
from pathlib import Path

import pytest

from apps.suite import errors
from apps.suite.data import named_sets


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path


def test_own_set_is_prepared_quietly_where_tfds_keeps_its_data(data_folder, capfd):
    builder = named_sets.prepare("king_james_bible")
    assert builder.data_path == data_folder / "king_james_bible" / "1.0.0"
    output = capfd.readouterr()
    assert "Downloading" not in output.out + output.err
    first = next(named_sets.load("king_james_bible", "train").as_numpy_iterator())
    assert first["book"] == b"Genesis"


def test_a_set_of_videos_is_read_without_the_notes_of_tfds_on_itself(data_folder):
    # In a process of its own: TFDS says each of its notes once
    program = (
        "from apps.suite.data import named_sets as n; n.load('drifting_digits/small', 'train')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "deprecated" not in ended.stdout + ended.stderr
    assert (data_folder / "drifting_digits").is_dir()


def test_prepared_set_is_used_and_not_made_again(data_folder):
    folder = named_sets.prepare("king_james_bible").data_path
    record = Path(folder) / "dataset_info.json"
    before = record.stat().st_mtime_ns
    named_sets.prepare("king_james_bible")
    assert record.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tiny_shakespear", "did you mean tiny_shakespeare"),
        ("king_james_bibel", "did you mean king_james_bible"),
        ("qqqqqqqq", "give the path of your own data"),
        ("king_james_bible:9.9.9", "only: 1.0.0"),
        ("king_james_bible/french", "french not found"),
        ("two words", "two words"),
    ],
)
def test_unknown_name_is_refused_in_one_line(data_folder, name, message):
    with pytest.raises(errors.UserError, match=message) as caught:
        named_sets.prepare(name)
    assert "\n" not in str(caught.value)
    assert not list(data_folder.iterdir())


@pytest.mark.slow
def test_two_processes_may_prepare_the_same_set_at_once(data_folder):
    program = (
        "from apps.suite.data import named_sets as d; "
        "print(d.prepare('king_james_bible').info.name)"
    )
    root = Path(named_sets.__file__).parents[3]
    running = [
        subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert all(b"king_james_bible" in output for output in outputs)


def test_a_name_with_a_version_is_that_of_a_set_and_one_with_an_ending_that_of_a_file(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert named_sets.own_path("spoken_commands:1.0.0") is None
    assert named_sets.own_path("movielens/1m-ratings") is None
    for name in ("words.csv", "talks.jsonl", "./words", "~/nowhere/words"):
        with pytest.raises(errors.UserError, match="no such file"):
            named_sets.own_path(name)
    (tmp_path / "words").mkdir()
    assert named_sets.own_path("words") == Path("words")
