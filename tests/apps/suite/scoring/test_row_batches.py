"""Requests hold rows that need no padding but "", the same ones every time, and not too many."""

import numpy as np

from apps.suite.scoring import row_batches
from apps.suite.scoring.binding import Binding
from apps.suite.scoring.rows import BadRow, Row
from apps.suite.scoring.values import Wanted

FLOAT, TEXT = np.dtype(np.float32), np.dtype(object)


def row(number, **values):
    return Row("a.csv", number, values)


def binding(wanted, constants=None, repeated=None):
    return Binding("serving_default", "rows", wanted, {}, constants or {}, repeated or {}, " ")


def test_numbers_stand_beside_numbers_of_their_own_shape_alone():
    lengths = [3, 1, 3, 3, 0, 1, 3]
    rows = [row(at, x=np.full(length, at, np.float32)) for at, length in enumerate(lengths)]
    found = list(row_batches.batches(rows, 3))
    assert sorted(at for batch in found for at in batch) == list(range(7))
    assert all(len({lengths[at] for at in batch}) == 1 for batch in found)
    assert max(map(len, found)) == 3
    for batch in found:
        request = row_batches.inputs(
            [rows[at] for at in batch], binding({"x": Wanted(FLOAT, (None,))})
        )
        assert request["x"].shape == (len(batch), lengths[batch[0]])
        assert (request["x"] == np.array(batch)[:, None]).all()


def test_texts_of_about_one_length_stand_together():
    lengths = np.random.default_rng(0).permutation(100)
    rows = [row(at, text=b"x" * length) for at, length in enumerate(lengths)]
    found = list(row_batches.batches(rows, 10))
    spreads = [np.ptp(lengths[batch]) for batch in found]
    assert len(found) == 10
    assert max(spreads) < 10


def test_lists_of_texts_are_padded_with_nothing_and_constants_join_them():
    rows = [row(1, names=[b"a"], k=3), row(2, names=[], k=4), row(3, names=[b"b", b"c"], k=5)]
    wanted = {"names": Wanted(TEXT, (None,)), "k": Wanted(np.dtype(np.int32), ())}
    constants, repeated = {"seen": np.bool_(True)}, {"banned": [b"d", b"e"], "one": b"f"}
    found = row_batches.inputs(rows, binding(wanted, constants, repeated))
    assert found["names"].tolist() == [[b"a", b""], [b"", b""], [b"b", b"c"]]
    assert (found["k"].dtype, found["k"].tolist()) == (np.int32, [3, 4, 5])
    assert found["seen"].shape == ()
    assert found["banned"].tolist() == [[b"d", b"e"]] * 3
    assert found["one"].tolist() == [b"f"] * 3
    alone = row_batches.inputs(rows[1:2], binding(wanted, constants, repeated))
    assert alone["names"].shape == (1, 0)


def test_the_clips_of_a_video_are_asked_together_and_answered_as_one():
    drawn = np.random.default_rng(0)
    films = [drawn.integers(0, 255, (clips, 2, 4, 4, 3), np.uint8) for clips in (3, 1)]
    rows = [row(at, frames=film) for at, film in enumerate(films)]
    wanted = {"frames": Wanted(np.dtype(np.uint8), (None, None, None, 3))}
    bound = Binding("serving_default", "frames", wanted, {}, {}, {}, " ")
    asked = row_batches.inputs(rows, bound)["frames"]
    np.testing.assert_array_equal(asked, np.concatenate(films))
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]], np.float32)
    answers = {
        "probabilities": shares,
        "label": np.array([b"dark", b"bright", b"bright", b"bright"], object),
        "label_names": np.array([b"dark", b"bright"], object),
    }
    found = row_batches.averaged(answers, rows, bound)
    np.testing.assert_allclose(found["probabilities"], [[1.4 / 3, 1.6 / 3], [0.1, 0.9]], rtol=1e-6)
    assert found["label"].tolist() == [b"bright", b"bright"]
    assert found["label_names"].tolist() == [b"dark", b"bright"]


def test_rows_that_are_large_are_not_in_memory_together():
    drawn = (row(at, x=np.zeros(5_000_000, np.float32)) for at in range(10))  # 20 MB each
    sizes = [len(good) for good, _ in row_batches.windows(drawn, 64)]
    assert sizes == [3, 3, 3, 1]
    huge = [row(at, x=np.zeros(20_000_000, np.float32)) for at in range(2)]  # 80 MB each
    assert [len(good) for good, _ in row_batches.windows(huge, 64)] == [1, 1]
    assert list(row_batches.batches(huge, 64)) == [[0], [1]]


def test_rows_that_are_set_aside_fill_windows_too():
    bad = [BadRow("a.csv", at, 1, "is empty") for at in range(100)]
    found = list(row_batches.windows(iter([row(0, x=1.0), *bad]), 2))
    assert [(len(good), len(aside)) for good, aside in found] == [
        (1, 32), (0, 32), (0, 32), (0, 4),
    ]  # fmt: skip
