"""The warm-up file is in the server's own format, byte for byte."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from apps.suite.serving import warmup_requests

REQUEST = warmup_requests.Request(
    "serving_default",
    {"prompt": np.array([b"\xc3\xa9", b""], object), "length": np.int32(3)},
    {"text": np.array([[0.5, -1.0]], np.float32)},
)


def test_a_request_is_the_protobuf_message_of_the_server():
    # tensorflow.serving.PredictionLog as protoc's own classes write it, the tensor cut out.
    tensor = tensor_pb2.TensorProto(dtype=3, int_val=[7])
    tensor.tensor_shape.SetInParent()
    body = tensor.SerializeToString()
    inputs = b"\n\x01k\x12" + bytes([len(body)]) + body
    sent = b"\n\x06\n\x01m\x1a\x01s" + b"\x12" + bytes([len(inputs)]) + inputs
    log = b"\n" + bytes([len(sent)]) + sent
    expected = b"2" + bytes([len(log)]) + log
    request = warmup_requests.Request("s", {"k": np.int32(7)})
    assert warmup_requests.encode("m", request) == expected


def test_what_is_read_is_what_was_written(tmp_path):
    long = warmup_requests.Request("s", {"x": np.arange(70_000)}, {"y": np.zeros((0, 3), np.int64)})
    warmup_requests.write(tmp_path / "file", "model", [REQUEST, long])
    read = list(warmup_requests.read(tmp_path / "file"))
    for written, found in zip([REQUEST, long], read, strict=True):
        assert found.signature == written.signature
        for one, other in ((written.inputs, found.inputs), (written.answers, found.answers)):
            assert one.keys() == other.keys()
            for name, values in one.items():
                assert other[name].dtype == values.dtype
                np.testing.assert_array_equal(other[name], values)


def test_other_messages_are_refused():
    with pytest.raises(ValueError, match="field 2 is not length-delimited"):
        warmup_requests.decode(b"\x10\x01")


def test_answers_of_rows_become_arrays_with_what_is_asked_for_after_shorter_ones():
    rows = [
        {"text": b"one", "score": np.float32(0.5), "pieces": np.array([b"o", b"ne"], object),
         "places": np.array([3, 4], np.int32), "attention": np.ones((1, 2), np.float32)},
        {"text": b"", "score": np.float32(0.0), "pieces": np.array([b""], object),
         "places": np.array([7], np.int32), "attention": np.ones((2, 1), np.float32)},
    ]  # fmt: skip
    found = warmup_requests.stacked(rows, places=-1)
    assert found["text"].tolist() == [b"one", b""]
    assert found["score"].tolist() == [0.5, 0.0]
    assert found["pieces"].tolist() == [[b"o", b"ne"], [b"", b""]]
    assert found["places"].tolist() == [[3, 4], [7, -1]]
    assert found["attention"].tolist() == [[[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]]
    assert [found[name].dtype.kind for name in found] == ["O", "f", "O", "i", "f"]


def test_each_row_of_a_request_is_answered_by_itself_with_the_scalars_of_all():
    asked = []

    def answer(text, count):
        asked.append(text.shape[0])
        pieces = tf.repeat(text[:, None], count + tf.strings.length(text[0]), axis=1)
        return {"pieces": pieces, "places": tf.fill(tf.shape(pieces), count)}

    inputs = {"text": np.array([b"ab", b""], object), "count": np.int32(1)}
    found = warmup_requests.answered("explain", answer, inputs, places=-1)
    assert asked == [1, 1]
    assert (found.signature, found.inputs) == ("explain", inputs)
    assert found.answers["pieces"].tolist() == [[b"ab"] * 3, [b"", b"", b""]]
    assert found.answers["places"].tolist() == [[1, 1, 1], [1, -1, -1]]
