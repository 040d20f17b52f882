"""A checkpoint gives back what it was given, or says that it is damaged."""

import math

import keras
import ml_dtypes
import numpy as np
import pytest

from apps.suite.training import checkpoints

TREE = {
    "arrays": [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array([1.5, -2.0], ml_dtypes.bfloat16),
        np.array(7, np.int64),
        np.array([2**32 - 1], np.uint32),
        np.array([True, False]),
        np.empty((0, 3), np.float16),
        np.arange(6).reshape(2, 3).T,
    ],
    "scalar": np.float32(0.1),
    "tuple": (1, "two", None),
    "best": -math.inf,
    "operation": keras.ops.less,
}


def test_every_kind_of_value_comes_back(tmp_path):
    checkpoints.write(tmp_path, 3, TREE)
    tree = checkpoints.read(checkpoints.file_of(tmp_path, 3))
    for given, got in zip(TREE["arrays"], tree["arrays"], strict=True):
        assert (got.dtype, got.shape) == (given.dtype, given.shape)
        assert got.tobytes() == given.tobytes()
        assert got.flags.writeable
    assert isinstance(tree["scalar"], np.float32)
    assert {**tree, "arrays": ()} == {**TREE, "arrays": ()}


@pytest.mark.parametrize("value", [object(), {1: "number as key"}, {"@array": 0}, [math.sin]])
def test_what_it_cannot_give_back_it_does_not_take(value, tmp_path):
    assert not checkpoints.can_hold(value)
    with pytest.raises(TypeError):
        checkpoints.write(tmp_path, 1, value)
    assert not list(tmp_path.iterdir())


def test_any_cut_and_any_changed_byte_is_noticed(tmp_path):
    checkpoints.write(tmp_path, 1, TREE)
    path = checkpoints.file_of(tmp_path, 1)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place])
        with pytest.raises(checkpoints.DamagedCheckpoint):
            checkpoints.read(path)
        changed = bytearray(whole)
        changed[place] ^= 4
        path.write_bytes(changed)
        with pytest.raises(checkpoints.DamagedCheckpoint):
            checkpoints.read(path)


def test_the_two_newest_are_kept_and_other_files_left_alone(tmp_path):
    (tmp_path / "notes.checkpoint").touch()
    for step in (5, 10, 100):
        checkpoints.write(tmp_path, step, step)
    assert checkpoints.steps(tmp_path) == [100, 10]
    assert (tmp_path / "notes.checkpoint").exists()


def test_damaged_ones_are_passed_over_with_a_line_each(tmp_path, capsys):
    for step in (1, 2):
        checkpoints.write(tmp_path, step, {"step": step})
    first, second = (checkpoints.file_of(tmp_path, step) for step in (1, 2))
    second.write_bytes(b"")
    assert checkpoints.newest(tmp_path) == (first, {"step": 1})
    first.write_bytes(first.read_bytes()[:-1])
    assert checkpoints.newest(tmp_path) is None
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{path} is damaged: going back to the checkpoint before it"
        for path in (second, second, first)
    ]


def test_an_earlier_step_written_again_does_not_remove_later_ones(tmp_path):
    for step in (4, 8, 4):
        checkpoints.write(tmp_path, step, step)
    assert checkpoints.steps(tmp_path) == [8, 4]


def test_without_a_folder_there_is_none(tmp_path):
    assert checkpoints.newest(tmp_path / "missing") is None
