"""Runs a SavedModel through TensorFlow's C API, as stock TensorFlow Serving loads it.

Run as a program it is a process without Python's TensorFlow, in which nothing but the operations of
the stock library exists: `python -I c_session.py ORDER ANSWERS`. Nothing of this project can be
imported there, so it imports nothing of it either. ORDER is a pickled dictionary:

    folder   the version's folder
    feeds    a list of dictionaries: an array for each tensor's name ("operation:0")
    fetches  a list of as many lists of tensors' names

and ANSWERS becomes a pickled list: the arrays of each of the fetches, or a string, the reason why
there are none. Strings are bytes in arrays of objects.
"""

import ctypes
import importlib.util
import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# tensorflow/c/tf_datatype.h
_KINDS: dict[int, Any] = {
    1: np.float32,
    2: np.float64,
    3: np.int32,
    4: np.uint8,
    5: np.int16,
    6: np.int8,
    8: np.complex64,
    9: np.int64,
    10: np.bool_,
    17: np.uint16,
    18: np.complex128,
    19: np.float16,
    22: np.uint32,
    23: np.uint64,
}
_NUMBERS = {np.dtype(kind): number for number, kind in _KINDS.items()}
_STRING = 7
_STRING_BYTES = 24  # sizeof(TF_TString), tensorflow/core/platform/ctstring_internal.h

_Pointer, _Int, _Size = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t


class _Output(ctypes.Structure):
    """Result of an operation (TF_Output)."""

    _fields_ = [("operation", _Pointer), ("index", _Int)]


class CSession:
    """A version in a session of the C API.

    Args:
        folder: of the version, with the graph that is tagged `serve`.

    Raises:
        RuntimeError: the library's own words why it does not load.
    """

    def __init__(self, folder: Path) -> None:
        self._library = _library()
        self._graph = self._library.TF_NewGraph()
        options = self._library.TF_NewSessionOptions()
        tags = (ctypes.c_char_p * 1)(b"serve")
        with _Status(self._library) as status:
            self._session = self._library.TF_LoadSessionFromSavedModel(
                options, None, os.fsencode(folder), tags, 1, self._graph, None, status
            )

    def run(self, feeds: Mapping[str, Any], fetches: Sequence[str]) -> list[np.ndarray]:
        """Computes tensors by their names in the graph, given the values of others."""
        library = self._library
        inputs = (_Output * len(feeds))(*(self._output(name) for name in feeds))
        given = [self._tensor(np.asarray(value)) for value in feeds.values()]
        outputs = (_Output * len(fetches))(*(self._output(name) for name in fetches))
        answers = (_Pointer * len(fetches))()
        sent = (_Pointer * len(feeds))(*given)
        try:
            with _Status(library) as status:
                library.TF_SessionRun(
                    self._session, None, inputs, sent, len(feeds),
                    outputs, answers, len(fetches), None, 0, None, status,
                )  # fmt: skip
            return [self._array(int(answer or 0)) for answer in answers]
        finally:
            for tensor in (*given, *filter(None, answers)):
                library.TF_DeleteTensor(tensor)

    def _output(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        found = self._library.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            raise RuntimeError(f"no operation {operation} in the graph")
        return _Output(found, int(index or 0))

    def _tensor(self, values: np.ndarray) -> int:
        library = self._library
        strings = values.dtype.kind in "OSU"
        number = _STRING if strings else _NUMBERS[values.dtype]
        bytes_each = _STRING_BYTES if strings else values.itemsize
        sides = (ctypes.c_int64 * values.ndim)(*values.shape)
        tensor = library.TF_AllocateTensor(number, sides, values.ndim, values.size * bytes_each)
        place = library.TF_TensorData(tensor)
        if not strings:
            ctypes.memmove(place, np.ascontiguousarray(values).ctypes.data, values.nbytes)
            return int(tensor)
        for at, text in enumerate(values.ravel().tolist()):
            content = text.encode() if isinstance(text, str) else text
            library.TF_StringInit(place + at * _STRING_BYTES)
            library.TF_StringCopy(place + at * _STRING_BYTES, content, len(content))
        return int(tensor)

    def _array(self, tensor: int) -> np.ndarray:
        library = self._library
        shape = [library.TF_Dim(tensor, side) for side in range(library.TF_NumDims(tensor))]
        kind, place = library.TF_TensorType(tensor), library.TF_TensorData(tensor)
        if kind == _STRING:
            texts = np.empty(int(np.prod(shape)), object)
            for at in range(texts.size):
                string = place + at * _STRING_BYTES
                size = library.TF_StringGetSize(string)
                texts[at] = ctypes.string_at(library.TF_StringGetDataPointer(string), size)
            return texts.reshape(shape)
        values = np.empty(shape, _KINDS[kind])
        ctypes.memmove(values.ctypes.data, place, values.nbytes)
        return values


class _Status:
    """A TF_Status for one call, whose error becomes a RuntimeError."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def __enter__(self) -> int:
        self._status = self._library.TF_NewStatus()
        return int(self._status)

    def __exit__(self, *_: object) -> None:
        code = self._library.TF_GetCode(self._status)
        message = self._library.TF_Message(self._status).decode(errors="replace")
        self._library.TF_DeleteStatus(self._status)
        if code:
            raise RuntimeError(" ".join(message.split()))


def _library() -> ctypes.CDLL:
    """Finds the C library in the installed wheel without importing its Python package."""
    spec = importlib.util.find_spec("tensorflow")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for name in ("libtensorflow_framework", "libtensorflow_cc"):
        files = [file for folder in folders for file in sorted(Path(folder).glob(f"{name}.*"))]
        if not files:
            raise RuntimeError(f"the installed tensorflow has no library {name}")
        library = ctypes.CDLL(str(files[0]), mode=ctypes.RTLD_GLOBAL)
    declared: dict[str, tuple[Any, list[Any]]] = {
        "TF_NewGraph": (_Pointer, []),
        "TF_NewSessionOptions": (_Pointer, []),
        "TF_NewStatus": (_Pointer, []),
        "TF_GetCode": (_Int, [_Pointer]),
        "TF_Message": (ctypes.c_char_p, [_Pointer]),
        "TF_DeleteStatus": (None, [_Pointer]),
        "TF_LoadSessionFromSavedModel": (
            _Pointer,
            [_Pointer, _Pointer, ctypes.c_char_p, _Pointer, _Int, *[_Pointer] * 3],
        ),
        "TF_GraphOperationByName": (_Pointer, [_Pointer, ctypes.c_char_p]),
        "TF_SessionRun": (
            None,
            [*[_Pointer] * 4, _Int, *[_Pointer] * 2, _Int, _Pointer, _Int, *[_Pointer] * 2],
        ),
        "TF_AllocateTensor": (_Pointer, [_Int, _Pointer, _Int, _Size]),
        "TF_DeleteTensor": (None, [_Pointer]),
        "TF_TensorData": (_Pointer, [_Pointer]),
        "TF_TensorType": (_Int, [_Pointer]),
        "TF_NumDims": (_Int, [_Pointer]),
        "TF_Dim": (ctypes.c_int64, [_Pointer, _Int]),
        "TF_StringInit": (None, [_Pointer]),
        "TF_StringCopy": (None, [_Pointer, ctypes.c_char_p, _Size]),
        "TF_StringGetDataPointer": (_Pointer, [_Pointer]),
        "TF_StringGetSize": (_Size, [_Pointer]),
    }
    for name, (result, arguments) in declared.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _main(order_file: str, answers_file: str) -> None:
    order = pickle.loads(Path(order_file).read_bytes())
    session = CSession(order["folder"])
    answers: list[list[np.ndarray] | str] = []
    for feeds, fetches in zip(order["feeds"], order["fetches"], strict=True):
        try:
            answers.append(session.run(feeds, fetches))
        except RuntimeError as error:
            answers.append(str(error))
    Path(answers_file).write_bytes(pickle.dumps(answers))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its notices concern nobody here
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    try:
        _main(*sys.argv[1:])
    except RuntimeError as error:
        sys.exit(str(error))
