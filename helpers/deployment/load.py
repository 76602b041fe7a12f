"""A load generator: many clients against the service, and the times that each of them saw.

Closed loop: ``clients`` of them, each asks again when it was answered. Open loop: requests arrive when they arrive,
at given times or as a Poisson process, whatever the service does. Streams are read token by token; the client is
written on bare sockets, so that it takes as little as possible from the machine it shares with the service.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np


@dataclass
class Row:
    """One request as its client saw it; all times in seconds.

    Attributes:
        started: since the start of the run.
        status: HTTP status; 0 where the connection failed or the time was up.
        first_token: from sending to the first piece of text; None without one.
        gaps: between one piece of text and the next.
        total: from sending to the end.
        num_prompt_tokens, num_new_tokens, finish: as the service says.
        text: what was written.
    """

    started: float
    status: int = 0
    first_token: float | None = None
    gaps: list[float] = field(default_factory=list)
    total: float = 0.0
    num_prompt_tokens: int = 0
    num_new_tokens: int = 0
    finish: str = ""
    text: str = ""


@dataclass(frozen=True)
class Report:
    """All requests of a run, in the order in which they started."""

    rows: list[Row]
    seconds: float

    @property
    def answered(self) -> list[Row]:
        """Requests with status 200 and an end."""
        return [row for row in self.rows if row.status == 200 and row.finish]

    def count(self, status: int) -> int:
        """Requests with a status."""
        return sum(row.status == status for row in self.rows)

    @property
    def tokens_per_second(self) -> float:
        """Tokens written in all, by the length of the run."""
        return sum(row.num_new_tokens for row in self.answered) / self.seconds

    def percentiles(self, name: str, levels: Sequence[float] = (50, 95, 99)) -> dict[str, float | None]:
        """Percentiles of "first_token", "gaps" or "total" of the answered requests, as {"p50": …}; None without any.

        Raises:
            ValueError: another name.
        """
        if name not in ("first_token", "gaps", "total"):
            raise ValueError(f"percentiles are of 'first_token', 'gaps' or 'total', got {name!r}")
        found = [getattr(row, name) for row in self.answered]
        if name == "gaps":
            found = [gap for gaps in found for gap in gaps]
        values = [one for one in found if one is not None]
        return {f"p{level:g}": float(np.percentile(values, level)) if values else None for level in levels}


def poisson(num: int, requests_per_second: float, *, seed: int = 0) -> list[float]:
    """Arrival times of ``num`` requests in seconds: independent gaps, exponential with mean 1 / rate.

    Raises:
        ValueError: a number below 1 or a rate that is not above 0.
    """
    if num < 1 or not requests_per_second > 0:
        raise ValueError(f"arrivals need at least one request and a rate above 0, got {num} and {requests_per_second}")
    return np.random.default_rng(seed).exponential(1 / requests_per_second, num).cumsum().tolist()


def run(
    url: str, requests: Sequence[dict[str, Any]], *, clients: int | None = None,
    requests_per_second: float | None = None, arrivals: Sequence[float] | None = None, seed: int = 0,
    timeout: float = 60.0,
) -> Report:
    """Send ``requests`` and wait for all answers.

    Arguments:
        url: of the service, such as "http://127.0.0.1:8001".
        requests: bodies for /v1/generate; they are sent in this order, as streams unless "stream" says otherwise.
        clients: closed loop with so many.
        requests_per_second: open loop, Poisson arrivals.
        arrivals: open loop, at these seconds; as many as requests.
        seed: of the Poisson arrivals.
        timeout: seconds for one request.

    Raises:
        ValueError: no requests, or not exactly one of the three ways.
    """
    work = run_async(url, requests, clients=clients, requests_per_second=requests_per_second, arrivals=arrivals,
                     seed=seed, timeout=timeout)
    with ThreadPoolExecutor(1) as thread:                      # an event loop may run in the caller's
        return thread.submit(asyncio.run, work).result()


async def run_async(
    url: str, requests: Sequence[dict[str, Any]], *, clients: int | None = None,
    requests_per_second: float | None = None, arrivals: Sequence[float] | None = None, seed: int = 0,
    timeout: float = 60.0,
) -> Report:
    """As ``run``, to be awaited, for instance in a notebook."""
    ways = [name for name, value in (("clients", clients), ("requests_per_second", requests_per_second),
                                     ("arrivals", arrivals)) if value is not None]
    if len(ways) != 1 or not requests:
        raise ValueError("a run needs requests and exactly one of clients, requests_per_second and arrivals, "
                         f"got {len(requests)} requests and {' and '.join(ways) or 'none of them'}")
    if requests_per_second is not None:
        arrivals = poisson(len(requests), requests_per_second, seed=seed)
    begun = time.perf_counter()
    if clients is None:
        if len(arrivals) != len(requests):
            raise ValueError(f"each request needs an arrival, got {len(requests)} and {len(arrivals)}")

        async def arrive(at: float, request: dict[str, Any]) -> Row:
            await asyncio.sleep(at - (time.perf_counter() - begun))
            return await ask(url, request, begun=begun, timeout=timeout)

        rows = list(await asyncio.gather(*(arrive(at, one) for at, one in zip(arrivals, requests, strict=True))))
    else:
        if clients < 1:
            raise ValueError(f"clients must be at least 1, got {clients}")
        left, rows = iter(requests), []

        async def client() -> None:
            for request in left:
                rows.append(await ask(url, request, begun=begun, timeout=timeout))

        await asyncio.gather(*(client() for _ in range(clients)))
    return Report(sorted(rows, key=lambda row: row.started), time.perf_counter() - begun)


async def ask(url: str, request: dict[str, Any], *, begun: float | None = None, timeout: float = 60.0) -> Row:
    """Send one request over a connection of its own, and follow its answer."""
    sent = time.perf_counter()
    row = Row(started=0.0 if begun is None else sent - begun)
    writer = None
    try:
        async with asyncio.timeout(timeout):
            where = urlsplit(url)
            reader, writer = await asyncio.open_connection(where.hostname, where.port or 80)
            body = json.dumps({"stream": True, **request}).encode()
            head = (f"POST /v1/generate HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n")
            writer.write(head.encode() + body)
            await _follow(reader, row, sent)
    except (OSError, TimeoutError, EOFError, ValueError):
        row.finish = ""   # what came is kept, but there was no end
    finally:
        if writer is not None:
            writer.close()
    row.total = time.perf_counter() - sent
    return row


async def _follow(reader: asyncio.StreamReader, row: Row, sent: float) -> None:
    """Read one answer: the status, then events, or JSON as a whole."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    row.status = int(head.split(maxsplit=2)[1])
    if "text/event-stream" not in head:
        found = json.loads(await reader.read()) if row.status == 200 else {}
        _note(row, found)
        return
    last, rest = sent, b""
    while size := int(await reader.readuntil(b"\r\n"), 16):   # chunk after chunk
        rest += (await reader.readexactly(size + 2))[:-2]
        now = time.perf_counter()
        *events, rest = rest.split(b"\n\n")
        for event in events:
            found = json.loads(event.removeprefix(b"data: "))
            if "text" in found:
                if row.first_token is None:
                    row.first_token = now - sent
                elif now > last:
                    row.gaps.append(now - last)
                last = now
            _note(row, found)


def _note(row: Row, found: dict[str, Any]) -> None:
    row.text += found.get("text", "")
    for name in ("num_prompt_tokens", "num_new_tokens", "finish"):
        if name in found:
            setattr(row, name, found[name])
