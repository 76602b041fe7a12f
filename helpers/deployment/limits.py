"""What a client may cost: size and time of a request's head and body, and how the service says no."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

DISCARDED_BYTES = 1 << 20   # of a body above the limit: read and thrown away, so that the client sees the answer


class Problem(Exception):
    """A request that is refused: a status and one sentence for the client.

    Arguments:
        status: HTTP status.
        reason: what was expected, what was found, what to do.
        retry_seconds: for the header Retry-After.
        close: end the connection with the answer.
    """

    def __init__(self, status: int, reason: str, *, retry_seconds: int | None = None, close: bool = False) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_seconds, self.close = status, reason, retry_seconds, close

    def response(self) -> JSONResponse:
        """The answer as JSON: {"error": sentence}."""
        headers = {} if self.retry_seconds is None else {"Retry-After": str(self.retry_seconds)}
        if self.close:
            headers["Connection"] = "close"
        return JSONResponse({"error": self.reason}, self.status, headers)


async def read_body(request: Request, max_bytes: int, seconds: float) -> bytes:
    """The body of a request.

    Raises:
        Problem: 413 for more than ``max_bytes``, 408 if it is not there after ``seconds``.
        ClientDisconnect: the client went away.
    """
    promised = request.headers.get("content-length", "")
    too_big = Problem(413, f"the body may have {max_bytes:,} bytes: send a shorter prompt", close=True)
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(seconds):
            if promised.isdigit() and int(promised) > DISCARDED_BYTES:
                raise too_big
            async for part in request.stream():
                size += len(part)
                if size <= max_bytes:
                    body += part
                elif size > DISCARDED_BYTES:
                    raise too_big
    except TimeoutError:
        raise Problem(408, f"the body was not there after {seconds:g} seconds", close=True) from None
    if size > max_bytes:
        raise too_big
    return bytes(body)


async def disconnected(request: Request) -> None:
    """Return when the client has gone; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with a limit on the time that the head of a request may take, and on connections."""

    head_seconds = 10.0
    max_connections = 2048   # with 64 KiB of body and as much of buffer each, some 256 MB at worst

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the clock of the first request; hang up where there are too many already."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._hang_up(b"503 Service Unavailable\r\nRetry-After: 5")
        else:
            self._watch_head()

    def data_received(self, data: bytes) -> None:
        """The clock runs while a head is incomplete."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._watch_head()
        else:
            self._forget_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._forget_head()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._hang_up(b"408 Request Timeout")

    def _hang_up(self, status: bytes) -> None:
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self.transport.close()


__all__ = ["ClientDisconnect", "Problem", "TimedProtocol", "disconnected", "read_body"]
