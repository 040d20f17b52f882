"""Asks a model for what no client should ask, in a process that this may end.

`outcomes` goes through every signature of an export, in TensorFlow's C API as a stock server does.
Run as a program this file is that process; it imports nothing of the project but the C session.
"""

import importlib.util
import itertools
import json
import os
import pickle
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

_HERE = Path(__file__).resolve()


def _loaded(file):
    """A module of the project, which cannot be imported by name in a process of its own."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lying_files = _loaded(_HERE.with_name("lying_files.py"))

LONGEST_SECONDS = 120
MOST_MEGABYTES = 1_500
"""A request may take so much more than the process had before, whatever it asks for."""

_HUGE_BYTES = 24 << 20  # of a request; servers take more, and the memory grows with it
_HUGE_STRINGS = 50_000
_RESERVE_BYTES = 6 << 30  # address space beyond what the process has when the model is loaded


def requests(inputs, example):
    """Yields (what is wrong, the inputs by name) for a signature.

    Args:
        inputs: (dtype, shape) of each input by name; None is a free side. An input without sides
            may also take a value for each row.
        example: a valid request.
    """
    yield "as it should be", dict(example)
    yield from _of_sizes(inputs, example)
    for name, (dtype, shape) in inputs.items():
        value = np.asarray(example[name])
        for what, wrong in itertools.chain(_shapes(value), _values(dtype, value, shape)):
            yield f"{name}: {what}", {**example, name: wrong}


def _of_sizes(inputs, example):
    """All inputs together with no row, with very many rows; each side alone empty and very long."""
    arrays = {name: np.asarray(value) for name, value in example.items()}
    batched = [name for name, (_, shape) in inputs.items() if shape]
    sides = {name: {0} for name in batched}
    yield "no row", _resized(arrays, sides, 0)
    for rows in (7, _most(arrays, sides)):
        yield f"{rows} rows", _resized(arrays, sides, rows)
        for name in {each for each, (_, shape) in inputs.items() if not shape}:
            alike = _resized(arrays, sides, rows)
            alike[name] = np.resize(arrays[name], rows)
            yield f"{rows} rows, {name} for each", alike
    for name in batched:
        for side, known in enumerate(inputs[name][1]):
            if known is not None:
                continue
            for count in (0, 1, 3, _most(arrays, {name: {side}})):
                wrong = _resized(arrays, {name: {side}}, count)
                yield f"{name}: side {side} of {count}", wrong
    free = {
        name: {at for at, known in enumerate(inputs[name][1]) if known is None} for name in batched
    }
    middle = 3_000
    while middle > 1 and _bytes(_resized(arrays, free, middle, lazy=True)) > _HUGE_BYTES:
        middle //= 2
    yield f"every side of {middle}", _resized(arrays, free, middle)


def _resized(arrays, sides, count, lazy=False):
    """The arrays with these sides of `count`, by repetition."""
    found = {}
    for name, value in arrays.items():
        shape = [
            count if side in sides.get(name, ()) else size for side, size in enumerate(value.shape)
        ]
        filling = value if value.size else np.zeros(1, value.dtype)
        if value.dtype == object and not value.size:
            filling = np.array([b"x"], object)
        found[name] = _Lazy(shape, filling) if lazy else np.resize(filling, shape)
    return found


class _Lazy:
    """The size of a request that would be too large to be made."""

    def __init__(self, shape, filling):
        each = filling.dtype.itemsize
        if filling.dtype == object:
            each = 24 + sum(map(len, filling.reshape(-1))) // filling.size
        self.nbytes = int(np.prod([float(side) for side in shape])) * each


def _most(arrays, sides):
    """The highest count of these sides with which the request stays below the huge size."""
    one = _bytes(_resized(arrays, sides, 1, lazy=True))
    strings = any(arrays[name].dtype == object for name in sides)
    return min(_HUGE_STRINGS if strings else 20_000_000, max(2, _HUGE_BYTES // max(one, 1)))


def _bytes(arrays):
    return sum(value.nbytes for value in arrays.values())


def _shapes(value):
    yield "a scalar", value.reshape(-1)[:1].reshape(()) if value.size else _one(value)
    yield "one side more", value[None]
    yield "one side more at the end", value[..., None]
    if value.ndim > 1:
        yield "one side less", value[0] if len(value) else value.reshape(value.shape[1:] or (0,))
    yield "flat", value.reshape(-1)
    if value.ndim:
        yield "one row more than the others have", np.concatenate([value, value[:1]])
    if value.ndim and value.shape[-1] > 1:
        yield "last side cut", value[..., :-1]
    other = np.float64 if value.dtype != np.float64 else np.int32
    if value.dtype != object:
        yield "of another type", value.astype(other)
    else:
        yield "of another type", np.zeros(value.shape, np.float32)


def _one(value):
    return np.array(b"x", object) if value.dtype == object else np.zeros((), value.dtype)


def _values(dtype, value, shape):
    if dtype == "string":
        yield from _texts(value)
        return
    kind = np.dtype(dtype)
    if kind.kind == "f":
        wrong = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 1e19, -1.0]
    elif kind.kind in "iu":
        limits = np.iinfo(kind)
        wrong = [0, -1, 1, 2**31 - 300, 10**9, 10**6, 10**5, 2**24, limits.max, limits.min]
        wrong = [each for each in wrong if limits.min <= each <= limits.max]
    else:
        wrong = [False, True]
    filled = value if value.size else np.zeros([side or 1 for side in value.shape], kind)
    for each in wrong:
        yield f"{each} everywhere", np.full_like(filled, each)
        if filled.size > 1:
            some = filled.copy()
            some.reshape(-1)[0] = each
            yield f"{each} in the first place", some
            some = filled.copy()
            some.reshape(-1)[-1] = each
            yield f"{each} in the last place", some
        if not shape:
            yield f"{each}, beside 1", np.array([each, 1], kind)


def _texts(value):
    kinds = [("nothing", b""), ("NUL bytes", b"\0" * 9), ("not UTF-8", b"\xff\xfe\x80abc\xc3")]
    kinds += [("half a character", "æ".encode()[:1]), ("no blank", b"x" * 3_000_000)]
    kinds += [("many words", b"ab cd " * 500_000), ("many line ends", b"\n" * 1_000_000)]
    kinds += [("a character of many", "e\u0301\u200d🛶".encode() * 200_000)]
    kinds += [*lying_files.pictures(), *lying_files.sounds()]
    texts = [text for text in value.reshape(-1).tolist() if text]
    if texts:
        kinds += list(_damaged(min(texts, key=len)))
    filled = value if value.size else np.full([side or 1 for side in value.shape], b"", object)
    for what, text in kinds:
        whole = np.empty(filled.shape, object)
        whole.reshape(-1)[:] = [text] * whole.size
        yield f"{what} everywhere", whole
        if filled.size > 1:
            some = filled.copy()
            some.reshape(-1)[0] = text
            yield f"{what} in the first place", some


def _damaged(text):
    """A valid text or file, cut, and with sizes in its header that are lies."""
    text = text if isinstance(text, bytes) else text.encode()
    for cut in {1, 4, 12, 24, len(text) // 2, len(text) - 1} & set(range(1, len(text))):
        yield f"cut after {cut} bytes", text[:cut]
    yield "with bytes after its end", text + b"\0" * 1_000
    for at in range(0, min(len(text), 60), 2):
        for lie in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0"):
            yield f"bytes {at} to {at + 3} {lie.hex()}", text[:at] + lie + text[at + 4 :]


def outcomes(version, pattern=""):
    """Yields an `Outcome` for each request to each signature of an export.

    A request that ends the process is told as such; a new process goes on after it.

    Args:
        version: folder of the export.
        pattern: a regular expression; only requests whose fault fits are sent.
    """
    from apps.suite.serving import warmup_requests
    from tests.apps import served_contract

    smallest = {}
    for request in warmup_requests.read(version / warmup_requests.FILE):
        size = sum(np.asarray(value).size for value in request.inputs.values())
        if size < smallest.get(request.signature, (size + 1,))[0]:
            smallest[request.signature] = size, dict(request.inputs)
    for signature, (feeds, fetches) in served_contract.places(version).items():
        inputs, _ = served_contract.signatures(version)[signature]
        order = {
            "folder": str(version.resolve()),
            "inputs": inputs,
            "feeds": feeds,
            "fetches": list(fetches.values()),
            "example": smallest[signature][1],
            "pattern": pattern,
            "first": 0,
        }
        for told in _asked(order):
            yield Outcome(signature, **told)


class Outcome(NamedTuple):
    signature: str
    wrong: str
    kind: str  # "answer", "error", or how the process ended
    message: str = ""
    megabytes: int = 0  # at the highest, above what the loaded model takes
    seconds: float = 0.0

    @property
    def is_bounded(self):
        """False where the process ended, or would have ended with less memory or patience."""
        starved = "OOM" in self.message or "bad_alloc" in self.message
        ended = self.kind not in ("answer", "error")
        return not (ended or starved or self.megabytes > MOST_MEGABYTES)


def _asked(order):
    with tempfile.TemporaryDirectory() as elsewhere:
        file, told = Path(elsewhere) / "order", Path(elsewhere) / "told"
        while True:
            file.write_bytes(pickle.dumps(order))
            with told.open("w") as errors:
                process = subprocess.Popen(
                    [sys.executable, "-I", __file__, str(file)],
                    cwd=elsewhere,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                )
            said = {}
            with process:
                for line in process.stdout:
                    said = json.loads(line)
                    if "kind" in said:
                        yield {name: value for name, value in said.items() if name != "at"}
            status, reason = process.returncode, told.read_text(errors="replace")[-600:]
            if status == 0:
                return
            if "kind" in said or not said:
                raise AssertionError(f"ended with {status} between two requests: {reason}")
            yield {"wrong": said["wrong"], "kind": f"ended with {status}", "message": reason}
            order = {**order, "first": said["at"] + 1}


def _main(file):
    order = pickle.loads(Path(file).read_bytes())
    c_session = _loaded(_HERE.parents[2] / "apps" / "suite" / "export" / "c_session.py")
    session = c_session.CSession(order["folder"])

    def ask(inputs):
        feeds = {order["feeds"][name]: value for name, value in inputs.items()}
        return session.run(feeds, order["fetches"])

    first = ask(order["example"])
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _RESERVE_BYTES,) * 2)
    loaded = _megabytes("VmRSS")
    for at, (wrong, inputs) in enumerate(requests(order["inputs"], order["example"])):
        if at < order["first"] or not re.search(order["pattern"], wrong):
            continue
        _tell(at=at, wrong=wrong)
        late = threading.Timer(LONGEST_SECONDS, os._exit, [99])
        late.start()
        Path("/proc/self/clear_refs").write_text("5")
        begun = time.monotonic()
        try:
            ask(inputs)
            kind, message = "answer", ""
        except RuntimeError as error:
            kind, message = "error", str(error)[:600]
        late.cancel()
        seconds = round(time.monotonic() - begun, 1)
        taken = _megabytes("VmHWM") - loaded
        _tell(at=at, wrong=wrong, kind=kind, message=message, megabytes=taken, seconds=seconds)
    for before, after in zip(first, ask(order["example"]), strict=True):
        np.testing.assert_array_equal(before, after)


def _megabytes(field):
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s*(\d+)", status).group(1)) // 1024


def _tell(**said):
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    _main(sys.argv[1])
