"""A version runs through the C API as in TensorFlow, in a process that has no Python TensorFlow."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.export import c_session

KINDS = (
    "float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
    "uint64", "bool", "complex64", "complex128",
)  # fmt: skip


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """Signatures that give back what they get, for every kind of number, and for strings."""
    folder = tmp_path_factory.mktemp("echo") / "1"
    module = tf.Module()
    module.two = tf.Variable(2.0)

    def echo(kind):
        spec = tf.TensorSpec(None, kind, "values")
        return tf.function(lambda values: {"values": tf.identity(values)}, input_signature=[spec])

    signatures = {kind: echo(kind) for kind in (*KINDS, "string")}
    signatures["joined"] = tf.function(
        lambda left, right: {
            "both": tf.strings.join([left, right]),
            "length": tf.strings.length(left) * tf.cast(module.two, tf.int32),
        },
        input_signature=[tf.TensorSpec([None], tf.string, name) for name in ("left", "right")],
    )
    tf.saved_model.save(module, str(folder), signatures)
    return folder


def ask(version, tmp_path, requests):
    """The answers of a clean process to (signature, inputs); names in the graph as TensorFlow's."""
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session() as session:
        described = tf.compat.v1.saved_model.load(session, ["serve"], str(version)).signature_def
    order = {"folder": str(version), "feeds": [], "fetches": []}
    for name, inputs in requests:
        signature = described[name]
        feeds = {signature.inputs[each].name: value for each, value in inputs.items()}
        order["feeds"].append(feeds)
        order["fetches"].append(
            [signature.outputs[each].name for each in sorted(signature.outputs)]
        )
    (tmp_path / "order").write_bytes(pickle.dumps(order))
    program = [sys.executable, "-I", c_session.__file__]
    files = [str(tmp_path / "order"), str(tmp_path / "answers")]
    ended = subprocess.run([*program, *files], capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    return pickle.loads((tmp_path / "answers").read_bytes())


def test_numbers_of_every_kind_and_shape_come_back_as_they_went(version, tmp_path):
    draw = np.random.default_rng(0)
    requests = [
        (kind, {"values": draw.uniform(0, 100, shape).astype(kind)})
        for kind in KINDS
        for shape in ((), (3,), (0, 2), (2, 3, 4))
    ]
    for (kind, sent), (got,) in zip(requests, ask(version, tmp_path, requests), strict=True):
        assert got.dtype == kind
        np.testing.assert_array_equal(got, sent["values"])


def test_strings_short_and_long_come_back_as_they_went(version, tmp_path):
    texts = np.array([[b"", b"a\x00b"], ["\u00e9\u4e2d".encode(), b"x" * 100_000]], object)
    requests = [
        ("string", {"values": texts}),
        ("string", {"values": np.array([], object)}),
        ("joined", {"left": np.array([b"ab"], object), "right": np.array([b"c"], object)}),
    ]
    (both,), (none,), (joined, length) = ask(version, tmp_path, requests)
    assert both.tolist() == texts.tolist()
    assert none.shape == (0,)
    assert (joined.tolist(), length.tolist()) == ([b"abc"], [4])


def test_one_request_that_fails_leaves_the_others_their_answers(version, tmp_path):
    sides = {"left": np.array([b"a", b"b", b"c"], object), "right": np.array([b"d"] * 2, object)}
    good = {"values": np.float32(3)}
    failed, (given,) = ask(version, tmp_path, [("joined", sides), ("float32", good)])
    assert "shape" in failed.lower()
    assert given == 3


def test_python_s_tensorflow_is_not_imported(version):
    program = (
        "import runpy, sys\n"
        f"module = runpy.run_path({c_session.__file__!r})\n"
        f"module['CSession']({str(version)!r})\n"
        "assert not [name for name in sys.modules if name.startswith('tensorflow')]\n"
    )
    ended = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_a_folder_that_does_not_load_is_told_in_a_line(tmp_path):
    (tmp_path / "order").write_bytes(pickle.dumps({"folder": str(tmp_path / "none")}))
    program = [sys.executable, "-I", c_session.__file__, str(tmp_path / "order"), "answers"]
    ended = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 1
    assert "none" in ended.stderr.splitlines()[-1]
