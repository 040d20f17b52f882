"""Keeps strangers away from the demo page, and each browser to its own files.

A page on a loopback address is still reached by any web page that the same browser shows: a foreign
name may be pointed at this address (DNS rebinding), and forms go anywhere. Gradio takes the path of
an upload from the browser and, mounted in an application, reads it wherever on the machine it is.
So a request has to name an address at which the page listens, and a path in it has to be one that
this browser has uploaded, or was given.
"""

from __future__ import annotations

import http.cookies
import ipaddress
import json
import secrets
import socket
import urllib.parse
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from starlette import datastructures, responses, types

_COOKIE = "demo_page"  # and the port, as a browser sends cookies to all ports of a machine
_MOST_BROWSERS, _MOST_FILES = 1_000, 10_000  # whose files are remembered, and of each
_LARGEST_BODY_BYTES = 64 << 20  # of a request but an upload
_LARGEST_ANSWER_BYTES = 16 << 20  # in which paths are looked for
_FILE, _UPLOAD = "/gradio_api/file=", "/gradio_api/upload"
# Gradio's own services that this page has no use for; some read files or ask other machines
_CLOSED = ("proxy=", "file/", "component_server", "process_recording", "vibe", "undo-vibe", "call/")


class Guard:
    """Answers 403 to requests of strangers and for files of others; hands the rest on.

    Args:
        app: the page.
        host, port: address at which it listens.
    """

    def __init__(self, app: types.ASGIApp, host: str, port: int) -> None:
        self._app, self._host = app, host.lower()
        self.cookie_name = f"{_COOKIE}_{port}"
        self._files: OrderedDict[str, set[str]] = OrderedDict()

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = datastructures.Headers(scope=scope)
        reason = self._stranger(headers)
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        if reason:
            await responses.JSONResponse({"error": reason}, 403)(scope, receive, send)
            return
        cookie = _cookie(headers, self.cookie_name)
        own = self._own(cookie)
        path = scope["path"]
        upload = path.rstrip("/") == _UPLOAD
        content = None
        if scope["method"] == "POST" and not upload:
            content = await _read(receive)
            if content is None:
                told = f"a request has at most {_LARGEST_BODY_BYTES:,} bytes"
                await responses.JSONResponse({"error": told}, 413)(scope, receive, send)
                return
        if not _is_own(path, content, own):
            told = "only files that this browser has uploaded here are read"
            await responses.JSONResponse({"error": told}, 403)(scope, receive, send)
            return
        if scope["method"] == "POST":  # answers in which paths are looked for come as they are
            kept = [each for each in scope["headers"] if each[0] != b"accept-encoding"]
            scope = {**scope, "headers": kept}
        token = cookie if cookie in self._files else None
        answer = _Listening(self, send, token)
        body = receive if content is None else _again(content, receive)
        await self._app(scope, body, answer.send)

    def remember(self, cookie: str, paths: Iterator[str]) -> None:
        """Adds paths to the files of a browser."""
        own = self._files.setdefault(cookie, set())
        self._files.move_to_end(cookie)
        while len(self._files) > _MOST_BROWSERS:
            self._files.popitem(last=False)
        for path in paths:
            if len(own) < _MOST_FILES:
                own.add(path)

    def _own(self, cookie: str) -> set[str]:
        return self._files.get(cookie, set())

    def _stranger(self, headers: datastructures.Headers) -> str:
        """Says why a request does not come from this page's own address; "" where it does."""
        host = headers.get("host", "")
        if not self._listens(host):
            return f"the page does not listen at {host!r}; open it at the address it printed"
        origin = headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            return f"a page of {origin!r} must not ask this one"
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if foreign and headers.get("sec-fetch-mode") != "navigate":
            return "a page of another address must not ask this one"
        return ""

    def _listens(self, host: str) -> bool:
        """Returns True for names of an address that is listened at.

        A foreign name that is pointed here stays a foreign name. A page that listens at all
        addresses is named by any of their numbers, which no foreign name is.
        """
        try:
            name = (urllib.parse.urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name == self._host:
            return True
        here, asked = _address(self._host), _address(name)
        if here is not None and here.is_loopback:
            return name == "localhost" or (asked is not None and asked.is_loopback)
        if here is not None and not here.is_unspecified:
            return False
        names = {"localhost", socket.gethostname().lower(), socket.getfqdn().lower()}
        return asked is not None or name in names


class _Listening:
    """Sends an answer on, and remembers the paths in it as its browser's own."""

    def __init__(self, guard: Guard, send: types.Send, cookie: str | None) -> None:
        self._guard, self._send = guard, send
        self._cookie, self._is_new = cookie or secrets.token_urlsafe(32), cookie is None
        self._content = bytearray()
        self._reads = False

    async def send(self, message: types.Message) -> None:
        if message["type"] == "http.response.start":
            headers = datastructures.MutableHeaders(scope=message)
            self._reads = headers.get("content-type", "").startswith("application/json")
            if self._is_new:
                self._guard.remember(self._cookie, iter(()))
                set_to = (
                    f"{self._guard.cookie_name}={self._cookie}; Path=/; HttpOnly; SameSite=Strict"
                )
                headers.append("set-cookie", set_to)
        elif message["type"] == "http.response.body" and self._reads:
            self._content += message.get("body", b"")
            if len(self._content) > _LARGEST_ANSWER_BYTES:
                self._reads, self._content = False, bytearray()
            elif not message.get("more_body", False):
                self._guard.remember(self._cookie, _paths_of(bytes(self._content)))
        await self._send(message)


def _is_own(path: str, content: bytes | None, own: set[str]) -> bool:
    """Returns True where a request names no file, or only those of its browser."""
    if path.startswith(_FILE):
        return path.removeprefix(_FILE) in own
    service = path.removeprefix("/gradio_api/")
    if service != path and service.startswith(_CLOSED):
        return False
    return content is None or all(name in own for name in _paths_of(content))


def _paths_of(content: bytes) -> Iterator[str]:
    """Yields the paths of all files that JSON names, and of an upload's answer, a list of them."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return
    if isinstance(parsed, list):
        yield from (each for each in parsed if isinstance(each, str))
    waiting = [parsed]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("path"), str):
                yield value["path"]
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


async def _read(receive: types.Receive) -> bytes | None:
    content = bytearray()
    while True:
        message = await receive()
        content += message.get("body", b"")
        if len(content) > _LARGEST_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(content)


def _again(content: bytes, receive: types.Receive) -> types.Receive:
    """Returns a body that was read, for one more reader."""
    sent = False

    async def once() -> types.Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": content, "more_body": False}

    return once


def _cookie(headers: datastructures.Headers, name: str) -> str:
    try:
        found: Any = http.cookies.SimpleCookie(headers.get("cookie", "")).get(name)
    except http.cookies.CookieError:
        return ""
    return found.value if found else ""


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if name == "localhost":
        name = "127.0.0.1"
    try:
        return ipaddress.ip_address(name or "0.0.0.0")
    except ValueError:
        return None
