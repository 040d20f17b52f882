import numpy as np
import pytest
from apps.suite import errors
from apps.suite.runs import files


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
