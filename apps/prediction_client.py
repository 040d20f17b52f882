"""Asks a model server over gRPC or REST: `connect("localhost:8500").predict("echo", {…})`.

It speaks to TensorFlow Serving and to `python -m apps.serve` alike. Types come from the server's
own description of the signature, so that whole numbers may be given where it wants others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from apps import errors

DEADLINE_SECONDS = 30.0
"""Of a request with all its retries."""


class Described(Protocol):
    """One signature: dtype by name, `object` for strings."""

    inputs: Mapping[str, np.dtype]
    outputs: Mapping[str, np.dtype]


class PredictionClient(Protocol):
    """A connection; close it, or use it as a context manager."""

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        signature: str = "serving_default",
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        """The outputs of a signature by name; strings are bytes.

        A server that cannot be reached, or has no room, is asked again, ever less often, until the
        deadline.

        Raises:
            UserError: nobody answers in time, or the server refuses; with its reason.
        """
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...

    def __enter__(self) -> PredictionClient: ...

    def __exit__(self, *_: object) -> None: ...


def connect(server: str, deadline_seconds: float = DEADLINE_SECONDS) -> PredictionClient:
    """A client of a server.

    Args:
        server: "HOST:PORT" for gRPC, "http://HOST:PORT" or "https://…" for REST.
        deadline_seconds: of each request, retries included.

    Raises:
        UserError: an address that is none, or packages that are missing.
    """
    address = server.removesuffix("/")
    rest = address.startswith(("http://", "https://"))
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal():
        told = "needs HOST:PORT for gRPC, or http://HOST:PORT for REST"
        raise errors.UserError(f"--server {server!r}: {told}")
    try:
        if rest:
            from apps.rest_client import RestClient

            return RestClient(address, deadline_seconds)
        from apps.grpc_client import GrpcClient

        return GrpcClient(address, deadline_seconds)
    except ModuleNotFoundError as error:
        told = f"--server needs {error.name}: pip install '.[serving]'"
        raise errors.UserError(told) from error


def signatures(client: PredictionClient, model: str) -> Mapping[str, Callable[..., Any]]:
    """The served model as a loaded SavedModel's `signatures`: functions of named inputs."""
    return _Signatures(client, model)


class _Signatures(Mapping[str, Any]):
    def __init__(self, client: PredictionClient, model: str) -> None:
        self._client, self._model = client, model

    def __getitem__(self, signature: str) -> Callable[..., dict[str, np.ndarray]]:
        def ask(**inputs: Any) -> dict[str, np.ndarray]:
            arrays = {name: np.asarray(value) for name, value in inputs.items()}
            return self._client.predict(self._model, arrays, signature)

        return ask

    def __iter__(self) -> Any:
        raise TypeError("a server's signatures are asked by name")

    def __len__(self) -> int:
        raise TypeError("a server's signatures are asked by name")


def typed(
    model: str, signature: str, inputs: Mapping[str, Any], wanted: Mapping[str, np.dtype]
) -> dict[str, np.ndarray]:
    """The inputs as arrays of the wanted types; UserError where the names are others."""
    if inputs.keys() != wanted.keys():
        told = f"takes {', '.join(sorted(wanted))}, not {', '.join(sorted(inputs)) or 'nothing'}"
        raise errors.UserError(f"{model}, signature {signature}: {told}")
    return {name: np.asarray(value, wanted[name]) for name, value in inputs.items()}
