"""A version appears whole and checked, or not at all."""

import fcntl
import os
import resource
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.suite import errors
from apps.suite.export import check, saved_model
from apps.suite.serving import warmup_requests


class Doubler(tf.Module):
    """A variable, a table from a file, a string: what exports are made of."""

    def __init__(self, folder, size=3):
        super().__init__()
        self.factor = tf.Variable(np.full(size, 2.0, np.float32))
        file = Path(folder) / "labels.txt"
        file.write_text("no\nyes\n")
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        self.labels = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(file), tf.int64, number, tf.string, line), "?"
        )

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "values")])
    def double(self, values):
        doubled = values * self.factor
        positive = tf.cast(tf.reduce_sum(doubled, axis=1) > 0, tf.int64)
        return {"doubled": doubled, "label": self.labels.lookup(positive)}

    def request(self, rows=2):
        values = np.linspace(-1, 2, rows * self.factor.shape[0]).astype(np.float32)
        inputs = {"values": values.reshape(rows, -1)}
        answers = {name: value.numpy() for name, value in self.double(**inputs).items()}
        return warmup_requests.Request("serving_default", inputs, answers)


def write(module, destination, requests=None, **signatures):
    return saved_model.write(
        module,
        signatures or {"serving_default": module.double},
        requests or [module.request(1), module.request(5)],
        destination,
        "doubling",
    )


@pytest.fixture
def module(tmp_path):
    return Doubler(tmp_path)


def left(destination):
    folder = destination / "doubling"
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def test_a_version_gets_the_next_number_and_what_a_killed_export_left_is_gone(module, tmp_path):
    for name in ("9", "10.tmp", "notes", ".partial-10"):
        (tmp_path / "doubling" / name).mkdir(parents=True)
    (tmp_path / "doubling" / ".partial-10" / "saved_model.pb").write_bytes(b"half")
    version = write(module, tmp_path)
    assert version == tmp_path / "doubling" / "10"
    assert left(tmp_path) == ["10", "10.tmp", "9", "notes"]
    assert (version / "assets" / "labels.txt").read_text() == "no\nyes\n"
    requests = list(warmup_requests.read(version / "assets.extra" / "tf_serving_warmup_requests"))
    assert [len(request.inputs["values"]) for request in requests] == [1, 5]
    answers = tf.saved_model.load(str(version)).signatures["serving_default"](
        values=tf.constant([[1.0, 1.0, 1.0]])
    )
    assert answers["label"].numpy().tolist() == [b"yes"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"label": np.array([b"yes", b"no"], object)}, "label, value 1, is b'no', not b'yes'"),
        ({"label": np.array([b"yes"], object)}, "label is object[1], not object[2]"),
        ({"count": np.array([[1, 3]])}, "count, value 1, is np.int64(3), not np.int64(2)"),
        ({"count": np.array([[1.0, 2.0]])}, "count is float64[1, 2], not int64[1, 2]"),
        ({"score": np.array([0.0, 100.002])}, "score by up to 0.002"),
        ({"score": np.array([0.00002, 100.0])}, "score by up to 2e-05"),
        ({"score": np.array([np.nan, 100.0])}, "score by up to nan"),
        ({"score": np.array([0.000009, 100.0009])}, ""),
        ({"more": np.zeros(1)}, "outputs count, label, more, score instead of count, label, score"),
    ],
)
def test_only_rounding_of_floats_is_no_difference(given, told):
    expected = {
        "label": np.array([b"yes", b"yes"], object),
        "count": np.array([[1, 2]]),
        "score": np.array([0.0, 100.0]),
    }
    assert check.difference(expected, {**expected, **given}) == told
    assert check.difference(expected, expected) == ""


def test_variables_that_a_session_does_not_restore_leave_no_version(module, tmp_path):
    # As Keras's variables are, where a model is saved as it is; Python alone would find them.
    layer = keras.layers.Dense(2)
    layer.build([None, 3])
    module.layer = layer

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "values")])
    def dense(values):
        return {"products": layer(values)}

    values = np.ones((2, 3), np.float32)
    asked = warmup_requests.Request(
        "serving_default", {"values": values}, {"products": dense(values)["products"].numpy()}
    )
    with pytest.raises(RuntimeError, match="Could not find variable"):
        write(module, tmp_path, [asked], serving_default=dense)
    assert left(tmp_path) == []


@pytest.mark.parametrize("call", [tf.numpy_function, tf.py_function])
def test_python_in_the_graph_is_refused(module, tmp_path, call):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "values")])
    def python(values):
        return {"doubled": call(lambda given: 2 * given, [values], tf.float32)}

    with pytest.raises(RuntimeError, match="PyFunc calls Python"):
        write(module, tmp_path, serving_default=python)
    assert left(tmp_path) == []


def test_a_function_that_needs_xla_is_refused(module, tmp_path):
    @tf.function(jit_compile=True)
    def compiled(values):
        return 2 * values

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "values")])
    def calls(values):
        return {"doubled": compiled(values)}

    with pytest.raises(RuntimeError, match="compiled by XLA"):
        write(module, tmp_path, serving_default=calls)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("operation", "told"),
    [("CudnnRNNV3", "needs a GPU"), ("MyOwnMul", "is not one of stock TensorFlow")],
)
def test_operations_that_a_stock_server_lacks_are_refused(module, tmp_path, operation, told):
    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": module.double})
    assert not list(check.refusals(tmp_path / "1"))
    file = tmp_path / "1" / "saved_model.pb"
    content = check.saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for function in content.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "Mul":
                node.op = operation
    file.write_bytes(content.SerializeToString())
    (line,) = check.refusals(tmp_path / "1")
    assert line.startswith(f"operation {operation} {told}")


def test_every_signature_needs_a_request(module, tmp_path):
    with pytest.raises(RuntimeError, match="no warm-up request for other"):
        write(module, tmp_path, serving_default=module.double, other=module.double)
    assert left(tmp_path) == []


def test_a_file_where_the_folder_should_be(module, tmp_path):
    (tmp_path / "doubling").write_text("")
    with pytest.raises(errors.UserError, match="doubling"):
        write(module, tmp_path)
    with pytest.raises(errors.UserError, match=r"labels\.txt"):
        write(module, tmp_path / "labels.txt")


def test_a_full_disk_leaves_no_version(tmp_path):
    module = Doubler(tmp_path, size=200_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(
            errors.UserError, match="doubling cannot be written: File too large; no version"
        ):
            write(module, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert left(tmp_path) == []


def test_two_exports_at_once(module, tmp_path):
    (tmp_path / "doubling").mkdir()
    other = os.open(tmp_path / "doubling", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    try:
        with pytest.raises(errors.UserError, match="another export"):
            write(module, tmp_path)
    finally:
        os.close(other)
    assert left(tmp_path) == []
