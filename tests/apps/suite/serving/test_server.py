"""The development server answers as TensorFlow Serving does, while versions come and go."""

import base64
import contextlib
import json
import shutil
import threading
import time
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from apps.suite.serving import grpc_service
from apps.suite.serving import server as model_server
from apps.suite.serving.models import Refusal
from tests.apps import echo_model

LARGEST = 100_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    echo_model.write(models, 3)
    options = model_server.Options(
        models=models,
        rest_port=0,
        grpc_port=0,
        poll_seconds=0.05,
        largest_request_bytes=LARGEST,
    )
    with model_server.serving(options) as serving:
        yield serving


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        yield channel


def rest(server, path, body=None):
    """HTTP status and the parsed answer of a GET, or of a POST where there is a body."""
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    address = f"http://127.0.0.1:{server.rest_port}/v1/models/{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, content)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def ask(server, body, path="echo:predict"):
    status, answer = rest(server, path, body)
    assert status == 200, answer
    return answer


def predict(channel, inputs, model="echo", signature="", **options):
    request = predict_pb2.PredictRequest(**options)
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    return stub.Predict(request, timeout=20)


def refused(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def test_rows_are_answered_as_predictions(server):
    assert ask(server, {"instances": [[1, 2.5], [0, -1]]}) == {"predictions": [6.5, 2.0]}
    named = {"instances": [{"values": [1, 2.5]}, {"values": [0, -1]}]}
    assert ask(server, named) == {"predictions": [6.5, 2.0]}
    rows = {"signature_name": "divide", "instances": [7, 30]}
    expected = [{"quotient": 14, "rest": 2}, {"quotient": 3, "rest": 10}]
    assert ask(server, rows, "echo/versions/3:predict") == {"predictions": expected}


def test_columns_are_answered_as_outputs(server):
    assert ask(server, {"inputs": [[1, 2.5]]}) == {"outputs": [6.5]}
    assert ask(server, {"inputs": {"values": []} | {"values": [[]]}}) == {"outputs": [3.0]}
    binary = b"\xff\x00abc"
    coded = {"b64": base64.b64encode(binary).decode()}
    columns = {"text": [coded, "caf\u00e9"], "times": 2}
    answer = ask(server, {"signature_name": "describe", "inputs": columns})["outputs"]
    assert answer["length"] == [10, 10]
    assert answer["kinds"] == ["short", "long", "?"]
    assert [base64.b64decode(each["b64"]) for each in answer["raw_bytes"]] == [
        binary,
        "caf\u00e9".encode(),
    ]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"{", 400, "not JSON"),
        (b"[1]", 400, '"instances"'),
        ({"instances": [[1]], "inputs": [[1]]}, 400, '"instances"'),
        ({"instances": []}, 400, "at least one row"),
        ({"instances": [[1, 2], [3]]}, 400, "values: rows of different lengths"),
        ({"instances": [["a"]]}, 400, "values: needs float32"),
        ({"instances": [1, 2]}, 400, "needs [any, any]"),
        ({"instances": [{"values": [1]}, {"value": [1]}]}, 400, "different inputs"),
        ({"inputs": {"value": [[1]]}}, 400, "unknown input value"),
        ({"inputs": {}}, 400, "missing input values"),
        ({"signature_name": "none", "inputs": [[1]]}, 400, "there is describe, divide"),
        ({"signature_name": "divide", "inputs": [2**63]}, 400, "divisor: "),
        ({"signature_name": "divide", "inputs": [1.5]}, 400, "divisor: needs int64"),
        ({"signature_name": "divide", "inputs": [0]}, 400, "divisor: has to be above 0"),
        ({"signature_name": "describe", "inputs": {"text": [1], "times": 1}}, 400, "needs texts"),
        (
            {"signature_name": "describe", "inputs": {"text": [{"b64": "?"}], "times": 1}},
            400,
            "base64",
        ),
        (
            {"signature_name": "describe", "instances": [{"text": "a", "times": 1}]},
            400,
            "times has shape [1], and needs []",
        ),
        (b'{"inputs": "' + b"x" * LARGEST + b'"}', 413, "at most 100000 bytes"),
    ],
)
def test_a_request_that_does_not_fit_is_told_what_would(server, body, status, told):
    given, answer = rest(server, "echo:predict", body)
    assert (given, told in answer["error"]) == (status, True), answer


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("nobody:predict", 404, "served: echo"),
        ("echo/versions/4:predict", 404, "version 3 is"),
        ("echo/versions/x:predict", 400, "a version is a number"),
    ],
)
def test_what_is_not_served_is_not_found(server, path, status, told):
    given, answer = rest(server, path, {"inputs": [[1]]})
    assert (given, told in answer["error"]) == (status, True), answer


def test_status_and_signatures_over_rest(server):
    _, answer = rest(server, "echo")
    (status,) = (each for each in answer["model_version_status"] if each["version"] == "3")
    assert status["state"] == "AVAILABLE"
    _, answer = rest(server, "echo/metadata")
    described = answer["metadata"]["signature_def"]["signature_def"]["divide"]
    assert described["inputs"]["divisor"]["dtype"] == "DT_INT64"


def test_grpc_answers_as_rest_does(channel):
    answer = predict(channel, {"values": np.array([[1, 2.5], [0, -1]], np.float32)})
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["sums"]), [6.5, 2.0])
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("echo", 3)
    inputs = {"text": np.array([b"\xff\x00", b""], object), "times": np.int32(3)}
    answer = predict(channel, inputs, signature="describe", output_filter=["length", "raw_bytes"])
    assert answer.outputs.keys() == {"length", "raw_bytes"}
    assert tf.make_ndarray(answer.outputs["length"]).tolist() == [6, 0]
    assert tf.make_ndarray(answer.outputs["raw_bytes"]).tolist() == [b"\xff\x00", b""]


def test_grpc_refuses_with_the_right_status(channel):
    values = np.ones((1, 1), np.float32)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    code, told = refused(lambda: predict(channel, {"values": values}, model="nobody"))
    assert (code, "served: echo" in told) == (grpc.StatusCode.NOT_FOUND, True)
    code, told = refused(lambda: predict(channel, {"values": values.astype(np.float64)}))
    assert (code, "has to be float32" in told) == (invalid, True)
    code, told = refused(lambda: predict(channel, {"values": values}, output_filter=["none"]))
    assert (code, told) == (invalid, "no output none")
    code, _ = refused(lambda: predict(channel, {"values": np.ones((1, LARGEST), np.float32)}))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_status_and_signatures_over_grpc(channel):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "echo"
    answer = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request)
    states = {each.version: each.state for each in answer.model_version_status}
    assert states[3] == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "echo"
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    described = get_model_metadata_pb2.SignatureDefMap()
    assert stub.GetModelMetadata(asked).metadata["signature_def"].Unpack(described)
    assert described.signature_def["divide"].inputs["divisor"].dtype == tf.int64.as_datatype_enum


def until(happened, seconds=30):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_versions_change_under_load_without_a_failed_request(tmp_path):
    echo_model.write(tmp_path, 1)
    options = model_server.Options(models=tmp_path, rest_port=0, grpc_port=0, poll_seconds=0.05)
    seen, failed, done = [], [], threading.Event()
    with model_server.serving(options) as server:

        def keep_asking():
            while not done.is_set():
                status, answer = rest(server, "echo:predict", {"inputs": [[0]]})
                (seen if status == 200 else failed).append(answer)

        clients = [threading.Thread(target=keep_asking) for _ in range(3)]
        for client in clients:
            client.start()
        until(lambda: {"outputs": [1.0]} in seen)
        broken = tmp_path / "echo" / "3"
        echo_model.write(tmp_path, 2)
        until(lambda: {"outputs": [2.0]} in seen)
        shutil.copytree(tmp_path / "echo" / "2", tmp_path / "3")
        (tmp_path / "3" / "variables" / "variables.index").unlink()
        (tmp_path / "3").rename(broken)
        until(lambda: rest(server, "echo")[1]["model_version_status"][0]["version"] == "3")
        until(lambda: rest(server, "echo")[1]["model_version_status"][0]["state"] == "END")
        states = rest(server, "echo")[1]["model_version_status"]
        assert [each["state"] for each in states] == ["END", "AVAILABLE", "END"]
        assert states[0]["status"]["error_message"]
        echo_model.write(tmp_path, 4)
        until(lambda: {"outputs": [4.0]} in seen)
        done.set()
        for client in clients:
            client.join()
        assert failed == []
        shutil.rmtree(tmp_path / "echo")
        until(lambda: rest(server, "echo:predict", {"inputs": [[0]]})[0] == 404)


def test_what_goes_beyond_those_who_work_and_wait_is_refused():
    admission, entered, leave = model_server.Admission(2, 1), [], threading.Event()

    def work():
        with admission():
            entered.append(1)
            leave.wait(10)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    while admission._left > 0:  # all three have come
        pass
    with pytest.raises(Refusal, match="ask later") as caught, admission():
        pass
    assert caught.value.code == "RESOURCE_EXHAUSTED"
    assert len(entered) <= 2
    leave.set()
    for worker in workers:
        worker.join()
    assert len(entered) == 3
    with admission(), admission():
        pass


def test_a_request_that_fails_gives_its_place_back():
    admission = model_server.Admission(1, 0)
    for _ in range(3):
        with pytest.raises(KeyError), admission():
            raise KeyError


def test_large_grpc_requests_that_wait_take_a_bounded_memory():
    """Four of the largest at most, however many may wait; a place is free again after each."""
    messages = grpc_service.Messages(400)
    with contextlib.ExitStack() as waiting:
        for _ in range(4):
            waiting.enter_context(messages.holding(100))
        with pytest.raises(Refusal, match="ask later") as caught, messages.holding(1):
            pass
        assert caught.value.code == "RESOURCE_EXHAUSTED"
    with pytest.raises(Refusal), messages.holding(401):
        pass
    with messages.holding(400):
        pass


def test_a_grpc_request_that_no_longer_fits_is_refused(channel, monkeypatch):
    """The bound is lowered to nothing, as if others took it; then it is as it was."""
    values = {"values": np.ones((1, 1), np.float32)}
    with monkeypatch.context() as lowered:
        lowered.setattr(grpc_service.Messages, "holding", _refusing)
        code, told = refused(lambda: predict(channel, values))
        assert (code, told) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "ask later")
    predict(channel, values)


@contextlib.contextmanager
def _refusing(messages, size_bytes):
    assert size_bytes > 4
    raise Refusal("RESOURCE_EXHAUSTED", "ask later")
    yield
