"""Reads and writes the requests that TensorFlow Serving replays on loading a version.

`assets.extra/tf_serving_warmup_requests` is a TFRecord of `PredictionLog` messages
(tensorflow/serving, apis/prediction_log.proto). Of that message only this is used, all of it
length-delimited fields, so that a few lines here stand in for the package that defines it:

    PredictionLog   predict_log = 6
    PredictLog      request = 1, response = 2
    PredictRequest  model_spec = 1, inputs = 2 (a map: entries of key = 1, TensorProto value = 2)
    PredictResponse outputs = 1 (likewise), model_spec = 2
    ModelSpec       name = 1, signature_name = 3
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
"""Path at which the server looks for it, below the version's folder."""


@dataclass(frozen=True)
class Request:
    """Inputs of a signature by name, and the answers by name, as arrays; strings as bytes."""

    signature: str
    inputs: Mapping[str, Any]
    answers: Mapping[str, Any] = field(default_factory=dict)


def stacked(rows: Sequence[Mapping[str, Any]], **fills: Any) -> dict[str, Any]:
    """Returns arrays by name with a row for each mapping.

    Args:
        rows: answers to one row of a request each, by name; sizes of an answer may differ.
        fills: by name, what stands after the ends of shorter ones; "" and 0 where nothing is said.
    """
    import numpy as np

    found = {}
    for name in rows[0]:
        arrays = [np.asarray(row[name]) for row in rows]
        shape = np.max([each.shape for each in arrays], axis=0).astype(int)
        is_number = arrays[0].dtype.kind in "fi"
        fill = fills.get(name, 0 if is_number else b"")
        whole = np.full((len(rows), *shape), fill, arrays[0].dtype if is_number else object)
        for at, each in enumerate(arrays):
            place: tuple[Any, ...] = (at, *map(slice, each.shape))
            whole[place] = each if each.ndim else each.item()
        found[name] = whole
    return found


def answered(
    signature: str,
    function: Callable[..., Mapping[str, Any]],
    inputs: Mapping[str, Any],
    **fills: Any,
) -> Request:
    """Returns a request with the answers to its rows, each of which is asked by itself.

    Args:
        signature: name of it.
        function: that answers it, in Keras.
        inputs: arrays by name; scalars are for all rows.
        fills: see `stacked`.
    """
    import numpy as np
    import tensorflow as tf

    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    answers = []
    for at in range(max(len(each) for each in arrays.values() if each.ndim)):
        row = {name: each[at : at + 1] if each.ndim else each for name, each in arrays.items()}
        found = function(**{name: tf.constant(value) for name, value in row.items()})
        answers.append({name: value[0].numpy() for name, value in found.items()})
    return Request(signature, inputs, stacked(answers, **fills))


def write(file: Path, model_name: str, requests: Iterable[Request]) -> None:
    """Writes the records; answers, where there are any, become the logged responses."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(file)) as writer:
        for request in requests:
            writer.write(encode(model_name, request))


def read(file: Path) -> Iterator[Request]:
    """Yields the requests that `write` wrote."""
    import tensorflow as tf

    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        yield decode(record)


def encode(model_name: str, request: Request) -> bytes:
    """Returns one serialised `PredictionLog`."""
    spec = _field(1, model_name.encode()) + _field(3, request.signature.encode())
    sent = _field(1, spec) + b"".join(_field(2, entry) for entry in _entries(request.inputs))
    log = _field(1, sent)
    if request.answers:
        received = b"".join(_field(1, entry) for entry in _entries(request.answers))
        log += _field(2, received + _field(2, spec))
    return _field(6, log)


def decode(record: bytes) -> Request:
    """Undoes `encode`, without the model's name."""
    log = dict(_fields(dict(_fields(record))[6]))
    sent = list(_fields(log[1]))
    received = list(_fields(log.get(2, b"")))
    spec = dict(_fields(dict(sent)[1]))
    return Request(
        spec[3].decode(),
        dict(_entry(content) for number, content in sent if number == 2),
        dict(_entry(content) for number, content in received if number == 1),
    )


def _entries(tensors: Mapping[str, Any]) -> Iterator[bytes]:
    import tensorflow as tf

    for name, value in sorted(tensors.items()):
        tensor = tf.make_tensor_proto(value).SerializeToString()
        yield _field(1, name.encode()) + _field(2, tensor)


def _entry(content: bytes) -> tuple[str, Any]:
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2

    parts = dict(_fields(content))
    return parts[1].decode(), tf.make_ndarray(tensor_pb2.TensorProto.FromString(parts[2]))


def _field(number: int, content: bytes) -> bytes:
    """Returns a length-delimited field of the protobuf wire format."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields number and content of each field of a message with only length-delimited fields."""
    stream = io.BytesIO(message)
    while stream.tell() < len(message):
        tag = _read_varint(stream)
        if tag & 7 != 2:
            raise ValueError(f"field {tag >> 3} is not length-delimited (wire type {tag & 7})")
        yield tag >> 3, stream.read(_read_varint(stream))


def _read_varint(stream: io.BytesIO) -> int:
    value = shift = 0
    while True:
        (byte,) = stream.read(1)
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value
