"""`RestClient`: see `prediction_client`."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import requests
import tensorflow as tf

from apps import errors, prediction_client

_FULL = (429, 503)  # no room now
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 3.0


class RestClient:
    """Asks over REST, by columns.

    Args:
        address: "http://HOST:PORT".
        deadline_seconds: of each request, retries included.
    """

    def __init__(self, address: str, deadline_seconds: float) -> None:
        self._address, self._deadline_seconds = address, deadline_seconds
        self._session = requests.Session()
        self._described: dict[tuple[str, int | None], dict[str, Any]] = {}

    def __enter__(self) -> RestClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        signature: str = "serving_default",
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        described = self._signatures(model, version)
        if signature not in described:
            known = ", ".join(sorted(described))
            raise errors.UserError(f"{model} has no signature {signature!r}; it has {known}")
        wanted = _kinds(described[signature]["inputs"])
        typed = prediction_client.typed(model, signature, inputs, wanted)
        columns = {name: _plain(value.tolist()) for name, value in typed.items()}
        body = {"signature_name": signature, "inputs": columns}
        answer = self._call("POST", f"{_path(model, version)}:predict", body)["outputs"]
        kinds = _kinds(described[signature]["outputs"])
        if len(kinds) == 1:  # a single output stands without its name
            answer = dict.fromkeys(kinds, answer)
        return {name: np.array(_bytes(answer[name], kinds[name]), kinds[name]) for name in kinds}

    def _signatures(self, model: str, version: int | None) -> dict[str, Any]:
        """The model's description, asked for once."""
        if (model, version) not in self._described:
            answer = self._call("GET", f"{_path(model, version)}/metadata")
            found = answer["metadata"]["signature_def"]["signature_def"]
            self._described[model, version] = found
        return self._described[model, version]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        end = time.monotonic() + self._deadline_seconds
        pause = _FIRST_PAUSE_SECONDS
        where = f"--server {self._address}"
        while True:
            try:
                left = max(end - time.monotonic(), 0.001)
                url = self._address + path
                answer = self._session.request(method, url, json=body, timeout=left)
                if answer.ok:
                    return answer.json()
                reason = _reason(answer)
                if answer.status_code not in _FULL:
                    raise errors.UserError(f"{where} refuses ({answer.status_code}): {reason}")
                told = f"{where} has no room ({answer.status_code}): {reason}"
            except requests.Timeout as error:
                told = f"{where}: no answer in {self._deadline_seconds:g} seconds"
                raise errors.UserError(told) from error
            except requests.ConnectionError:
                told = f"{where}: nobody answers there; is the server running?"
            except requests.JSONDecodeError as error:
                raise errors.UserError(f"{where} is no model server: its answer is no JSON") from (
                    error
                )
            if time.monotonic() + pause > end:
                raise errors.UserError(told)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _path(model: str, version: int | None) -> str:
    return f"/v1/models/{model}" + ("" if version is None else f"/versions/{version}")


def _reason(answer: requests.Response) -> str:
    try:
        return " ".join(str(answer.json()["error"]).split())
    except (ValueError, KeyError, TypeError):
        return answer.reason


def _kinds(described: Mapping[str, Any]) -> dict[str, np.dtype]:
    """Dtypes from a signature as JSON: "DT_FLOAT" and the like."""
    return {
        name: np.dtype(getattr(tf.dtypes, _ENUM[each["dtype"]]).as_numpy_dtype)
        for name, each in described.items()
    }


_ENUM = {
    "DT_STRING": "string", "DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16",
    "DT_BOOL": "bool", "DT_INT8": "int8", "DT_INT16": "int16", "DT_INT32": "int32",
    "DT_INT64": "int64", "DT_UINT8": "uint8", "DT_UINT16": "uint16", "DT_UINT32": "uint32",
    "DT_UINT64": "uint64",
}  # fmt: skip


def _plain(value: Any) -> Any:
    """Bytes as JSON has them."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    return value


def _bytes(value: Any, kind: np.dtype) -> Any:
    """Texts as the bytes they are in a tensor."""
    if kind != np.dtype(object):
        return value
    if isinstance(value, list):
        return [_bytes(each, kind) for each in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()
