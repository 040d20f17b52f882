"""TF_CONFIG: which machines train together, and which of them this process is."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

from apps import errors

VARIABLE = "TF_CONFIG"
_EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)
_KINDS = ("chief", "worker")  # a chief is worker 0 by another name


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers as "host:port", the chief first, and this process's place among them."""

    workers: tuple[str, ...]
    index: int

    @property
    def name(self) -> str:
        """What messages call this process."""
        return f"worker {self.index} of {len(self.workers)}"


def read() -> Cluster:
    """The cluster that the environment variable TF_CONFIG tells of.

    Raises errors.UserError, naming the part, when it is missing or no cluster that can train.
    """
    text = os.environ.get(VARIABLE, "")
    if not text.strip():
        raise errors.UserError(
            f"--distribute multiworker reads {VARIABLE}, which is not set; worker 0 of two: "
            f"{VARIABLE}='{_EXAMPLE}'"
        )
    try:
        told = json.loads(text)
    except ValueError as error:
        raise errors.UserError(
            f"{VARIABLE} is not JSON ({error}); it should be like {_EXAMPLE}"
        ) from error
    hosts = _hosts(_part(told, "cluster", dict, "of workers"))
    task = _part(told, "task", dict, "of this process")
    kind, index = task.get("type"), task.get("index")
    if kind not in hosts:
        raise _wrong(f"task.type is {kind!r}, not {' or '.join(hosts)}")
    if not isinstance(index, int) or not 0 <= index < len(hosts[kind]):
        raise _wrong(
            f"task.index is {index!r}, but the places of {kind} are 0 to {len(hosts[kind]) - 1}"
        )
    workers = [host for each in _KINDS for host in hosts.get(each, [])]
    return Cluster(tuple(workers), workers.index(hosts[kind][index]))


def _hosts(given: dict[str, Any]) -> dict[str, list[str]]:
    for kind, hosts in given.items():
        if kind not in _KINDS:
            raise _wrong(f"cluster has {kind!r}; this training has workers alone")
        if not isinstance(hosts, list) or not hosts:
            raise _wrong(f"cluster.{kind} must be a list of host:port, is {json.dumps(hosts)}")
        for host in hosts:
            name, _, port = str(host).rpartition(":")
            if not (name and port.isdecimal() and 0 < int(port) < 2**16):
                raise _wrong(f"cluster.{kind} has {json.dumps(host)}, which is no host:port")
    every = [host for hosts in given.values() for host in hosts]
    if not every:
        raise _wrong("cluster has no worker")
    for host in every:
        if every.count(host) > 1:
            raise _wrong(f"cluster has {host} twice")
    if len(given.get("chief", [0])) != 1:
        raise _wrong("cluster.chief must be one host:port")
    return given


def _part(told: Any, name: str, kind: type, of_what: str) -> Any:
    if not isinstance(told, dict) or not isinstance(told.get(name), kind):
        raise _wrong(f"has no object {name!r} {of_what}")
    return told[name]


def _wrong(what: str) -> errors.UserError:
    return errors.UserError(f"{VARIABLE}: {what}; it should be like {_EXAMPLE}")
