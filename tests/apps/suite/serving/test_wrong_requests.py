"""Requests that lie, never end or lead nowhere cost the development server little, and are told."""

import contextlib
import json
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import grpc
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from apps.suite.serving import models as served_models
from apps.suite.serving import rest_service, warmup_requests
from apps.suite.serving import server as model_server
from tests.apps import echo_model, task_folders

LARGEST = 1_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    echo_model.write(models, 3)
    options = model_server.Options(
        models=models, rest_port=0, grpc_port=0, largest_request_bytes=LARGEST
    )
    with model_server.serving(options) as serving:
        yield serving


def ask(server, path, body=None, method=None):
    address = f"http://127.0.0.1:{server.rest_port}{path}"
    request = urllib.request.Request(address, body, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def tensor(kind=tf.float32, sides=(2, 2), **fields):
    made = tensor_pb2.TensorProto(dtype=int(getattr(kind, "as_datatype_enum", kind)), **fields)
    for side in sides:
        made.tensor_shape.dim.add(size=side)
    return made


LIES = {
    "a value that fills a gigabyte": tensor(sides=(1, 2**28), float_val=[1.0]),
    "no value that fills a gigabyte": tensor(sides=(2**14, 2**14)),
    "more than can be counted": tensor(sides=(2**62, 2**62), float_val=[1.0]),
    "a negative side": tensor(sides=(-1, 4), float_val=[1.0]),
    "two negative sides": tensor(sides=(-2, -2), float_val=[1.0] * 4),
    "a dtype that there is not": tensor(kind=999, float_val=[1.0] * 4),
    "no dtype": tensor(kind=0, float_val=[1.0] * 4),
    "a dtype of no numbers": tensor(kind=tf.resource, float_val=[1.0] * 4),
    "another dtype": tensor(kind=tf.float64, double_val=[1.0] * 4),
    "text": tensor(kind=tf.string, string_val=[b"a"] * 4),
    "content that is too short": tensor(tensor_content=b"abcd"),
    "content that is too long": tensor(tensor_content=b"a" * 32),
    "more values than the shape": tensor(float_val=[1.0] * 9),
    "another rank": tensor(sides=(4,), float_val=[1.0] * 4),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_tensor_that_lies_is_an_invalid_argument_and_takes_no_memory(server, lie):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "echo"
    request.inputs["values"].CopyFrom(LIES[lie])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request, timeout=60)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "values" in caught.value.details()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_a_single_value_may_fill_a_shape_as_clients_in_other_languages_send_it(server):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "echo"
    request.inputs["values"].CopyFrom(tensor(sides=(2, 3), float_val=[2.0]))
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request)
    assert tf.make_ndarray(answer.outputs["sums"]).tolist() == [9.0, 9.0]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"[" * 900_000, "nested too deeply"),
        (b'{"inputs": ' + b"[" * 900_000, "nested too deeply"),
        (b'{"inputs": ' + b"[" * 300 + b"1" + b"]" * 300 + b"}", "values"),
        (b'{"inputs": [[1e39]]}', "values: beyond float32"),
        (b'{"inputs": [[' + b"9" * 5_000 + b"]]}", "not JSON"),
        (b'{"inputs": [[' + b"9" * 400 + b"]]}", "values"),
        (b"\xff\xfe", "not JSON"),
        (b'{"signature_name": "describe", "inputs": {"text": ["\\ud800"], "times": 1}}', "text"),
    ],
)
def test_json_that_cannot_be_read_is_told(server, body, told):
    status, answer = ask(server, "/v1/models/echo:predict", body)
    assert (status, told in answer["error"]) == (400, True), answer


def test_texts_that_are_nested_deeply_are_told(server):
    deep = b"[" * 900 + b'"a"' + b"]" * 900
    body = b'{"signature_name": "describe", "inputs": {"times": 1, "text": ' + deep + b"}}"
    status, answer = ask(server, "/v1/models/echo:predict", body)
    assert (status, "error" in answer) == (400, True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/models", 404),
        ("POST", "/v1/models/echo:classify", 405),
        ("POST", "/v2/models/echo/infer", 404),
        ("GET", "/v1/models/echo:predict", 404),
        ("DELETE", "/v1/models/echo", 405),
        ("GET", "/v1/models/echo/versions/" + "9" * 5_000, 400),
    ],
)
def test_a_path_that_leads_nowhere_is_told_in_json(server, method, path, status):
    given, answer = ask(server, path, b"{}" if method == "POST" else None, method)
    assert (given, list(answer)) == (status, ["error"])


@contextlib.contextmanager
def unfinished(port, sent, claimed):
    """A request whose body is sent in part only."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        head = (
            f"POST /v1/models/echo:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {claimed}\r\n\r\n"
        )
        connection.sendall(head.encode())
        with contextlib.suppress(ConnectionError):  # refused before its end
            connection.sendall(b" " * sent)
        yield connection


def status_of(connection):
    return int(connection.recv(1_000).split()[1])


def test_bodies_that_never_end_take_a_bounded_memory_and_are_given_up(server, monkeypatch):
    monkeypatch.setattr(rest_service, "_STALLED_SECONDS", 2.0)
    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(unfinished(server.rest_port, LARGEST - 1, LARGEST))
            for _ in range(20)
        ]
        answers = [status_of(connection) for connection in connections]
    assert set(answers) == {408, 503}
    assert answers.count(408) <= 4
    status, _ = ask(server, "/v1/models/echo:predict", b'{"inputs": [[1]]}')
    assert status == 200


def other_records(file):
    with tf.io.TFRecordWriter(str(file)) as writer:
        writer.write(b"not a log of predictions")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / warmup_requests.FILE).write_bytes(b"text, not records"),
        lambda folder: other_records(folder / warmup_requests.FILE),
        lambda folder: (folder / "saved_model.pb").write_bytes(b"no model"),
        lambda folder: (folder / "variables" / "variables.index").unlink(),
    ],
)
def test_a_version_with_a_fault_is_told_and_the_next_is_followed(tmp_path, spoil):
    echo_model.write(tmp_path / "elsewhere", 2)
    spoil(tmp_path / "elsewhere" / "echo" / "2")
    echo_model.write(tmp_path / "models", 1)
    options = model_server.Options(
        models=tmp_path / "models", rest_port=0, grpc_port=0, poll_seconds=0.05
    )
    with model_server.serving(options) as serving:
        (tmp_path / "elsewhere" / "echo" / "2").rename(tmp_path / "models" / "echo" / "2")
        assert wait_for(lambda: len(serving.models.states("echo")) == 2)
        assert wait_for(lambda: serving.models.states("echo")[0].state == "END")
        assert serving.models.states("echo")[0].error
        with serving.models.using("echo") as served:
            assert served.number == 1
        echo_model.write(tmp_path / "models", 3)
        assert wait_for(lambda: serving.models.states("echo")[0].state == "AVAILABLE")
        with serving.models.using("echo") as served:
            assert served.number == 3


def test_a_version_that_has_vanished_since_it_was_found_is_told(tmp_path):
    echo_model.write(tmp_path, 1)
    models = served_models.ServedModels(tmp_path)
    models.look()
    (told,) = models._load("echo", 2)
    assert "does not load" in told
    with models.using("echo") as served:
        assert served.number == 1
    models.close()


def test_each_model_is_told_of_as_soon_as_it_is_loaded(tmp_path):
    echo_model.write(tmp_path / "one", 1)
    for name in ("a", "b"):
        (tmp_path / "two" / name).mkdir(parents=True)
        (tmp_path / "two" / name / "1").symlink_to(tmp_path / "one" / "echo" / "1")
    models, seen = served_models.ServedModels(tmp_path / "two"), []
    told = models.look(lambda line: seen.append((line, models.names())))
    assert [names for _, names in seen] == [["a"], ["a", "b"]]
    assert [line for line, _ in seen] == told
    models.close()


def wait_for(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_within_its_grace_though_a_body_has_not_ended(tmp_path, number):
    echo_model.write(tmp_path, 1)
    ports = ["--rest_port", "0", "--grpc_port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "apps.serve", "--models", str(tmp_path), *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=task_folders.ROOT,
    ) as process:
        _, rest, _ = (process.stdout.readline() for _ in range(3))
        port = int(rest.partition("127.0.0.1:")[2].partition("/")[0])
        with unfinished(port, 10, 20):
            process.send_signal(number)
            begun = time.monotonic()
            out, err = process.communicate(timeout=90)
    assert (process.returncode, out, err) == (0, "ended\n", "")
    assert time.monotonic() - begun < model_server.GRACE_SECONDS + 15
