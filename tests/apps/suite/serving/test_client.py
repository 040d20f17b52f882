"""Over gRPC and over REST a client gets what the model answers, or a line that says why not."""

import http.server
import socket
import threading

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.serving import client as prediction_client
from apps.suite.serving import server as model_server
from tests.apps import echo_model


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    echo_model.write(models, 5)
    with model_server.serving(
        model_server.Options(models=models, rest_port=0, grpc_port=0)
    ) as serving:
        yield serving


@pytest.fixture(params=["grpc", "rest"])
def client(server, request):
    rest = f"http://127.0.0.1:{server.rest_port}/"
    address = rest if request.param == "rest" else f"127.0.0.1:{server.grpc_port}"
    with prediction_client.connect(address, deadline_seconds=20) as made:
        yield made


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def test_numbers_take_the_type_that_the_signature_wants(client):
    answer = client.predict("echo", {"values": [[1, 2], [3, 4]]})
    assert answer["sums"].dtype == np.float32
    assert answer["sums"].tolist() == [8, 12]
    wide = client.predict("echo", {"values": np.ones((1, 3))}, version=5)
    assert wide["sums"].tolist() == [8]


def test_a_missing_number_is_sent_and_comes_back(client):
    answer = client.predict("echo", {"values": [[1.0, np.nan], [3, 4]]})
    np.testing.assert_array_equal(answer["sums"], [np.nan, 12])


def test_texts_and_bytes_come_back_as_bytes(client):
    texts = np.array([b"\xff\x00", "caf\u00e9".encode()], object)
    answer = client.predict("echo", {"text": texts, "times": 3}, "describe")
    assert answer["raw_bytes"].tolist() == texts.tolist()
    assert answer["length"].tolist() == [6, 15]
    assert answer["kinds"].tolist() == [b"short", b"long", b"?"]


def test_the_signatures_of_a_served_model_are_described(client):
    found = client.signatures("echo")
    assert found["divide"].inputs["divisor"].described() == "int64[any]"
    assert found["describe"].outputs["kinds"].described() == "string[3]"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"model": "nobody", "inputs": {}}, "served: echo"),
        ({"model": "echo", "inputs": {"values": [[1]]}, "version": 9}, "version 5 is"),
        ({"model": "echo", "inputs": {"value": [[1]]}}, "takes values, not value"),
        ({"model": "echo", "inputs": {}, "signature": "none"}, "it has describe, divide"),
        ({"model": "echo", "inputs": {"divisor": [0]}, "signature": "divide"}, "above 0"),
    ],
)
def test_a_refusal_is_a_line_with_the_server_s_reason(client, asked, told):
    with pytest.raises(errors.UserError, match=told) as caught:
        client.predict(**asked)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["", "http://"])
def test_nobody_there(kind):
    with (
        prediction_client.connect(f"{kind}127.0.0.1:{unused_port()}", 2) as client,
        pytest.raises(errors.UserError, match="is the server running"),
    ):
        client.predict("echo", {})


@pytest.mark.parametrize("kind", ["", "http://"])
def test_a_server_that_never_answers(kind):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{kind}127.0.0.1:{silent.getsockname()[1]}"
        with (
            prediction_client.connect(address, 0.5) as client,
            pytest.raises(errors.UserError, match=r"no answer in 0\.5 seconds"),
        ):
            client.predict("echo", {})


@pytest.mark.parametrize("address", ["localhost", "http://localhost", ":8500", "localhost:x", ""])
def test_what_is_no_address(address):
    with pytest.raises(errors.UserError, match="needs HOST:PORT"):
        prediction_client.connect(address)


def test_a_server_without_room_is_asked_again():
    asked = []

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            busy = len(asked) < 3
            self.send_response(503 if busy else 404)
            self.end_headers()
            self.wfile.write(b'{"error": "too many" }' if busy else b'{"error": "gone"}')

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with (
            prediction_client.connect(address, 10) as client,
            pytest.raises(errors.UserError, match=r"refuses \(404\): gone"),
        ):
            client.predict("echo", {})
        server.shutdown()
    assert len(asked) == 3
