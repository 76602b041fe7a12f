"""Two minutes of all kinds of clients against the service: ``python -m tools.soak [--seconds 120]``.

Good, malformed, oversized, slow and vanishing clients ask at once. The exit status is 0 if every answer had the right
status, every accepted request an end, memory stayed where it was, no slot was lost, and SIGTERM ended it in order.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from urllib.parse import urlsplit

from helpers.deployment import child, load, service

SLOTS, QUEUE = 8, 16
MAX_GROWTH_BYTES = 40e6
WARM_SHARE = 0.25            # of the time, after which memory must not grow any more
BAD = [(b"{", 400), (b'{"prompt": "\xff"}', 400), (b'{"prompt": ""}', 422), (b'{"prompt": "a", "x": 1}', 422),
       (b'{"prompt": "' + b"a b " * 500 + b'"}', 422), (b" " * 200_000, 413)]


class Soak:
    """The clients and what they found."""

    def __init__(self, url: str, seconds: float) -> None:
        self.url, self.end = url, time.monotonic() + seconds
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def going_on(self) -> bool:
        """Whether time is left."""
        return time.monotonic() < self.end

    async def good(self, rng: random.Random) -> None:
        """Ask, whole or as a stream, and read to the end."""
        order = {"prompt": f"def f{rng.randrange(999)}(x):\n" * rng.randint(1, 8), "seed": rng.randrange(2**31),
                 "max_new_tokens": rng.randint(1, 120), "stream": rng.random() < 0.5, "top_p": rng.choice([None, 0.9])}
        row = await load.ask(self.url, order, timeout=60)
        self.seen[f"good {row.status}"] += 1
        if row.status not in (200, 429) or (row.status == 200 and not row.finish):
            self.wrong.append(f"a good request got {row.status} and the end {row.finish!r}")

    async def bad(self, rng: random.Random) -> None:
        """Send something wrong."""
        body, expected = rng.choice(BAD)
        status = await self._send(_head(len(body)) + body)
        self.seen[f"bad {status}"] += 1
        if status != expected:
            self.wrong.append(f"a bad body got {status} instead of {expected}")

    async def slow(self, rng: random.Random) -> None:
        """Begin a body and let it hang."""
        status = await self._send(_head(500) + b'{"prompt": "', wait=30)
        self.seen[f"slow {status}"] += 1
        if status != 408:
            self.wrong.append(f"a slow body got {status} instead of 408")

    async def vanishing(self, rng: random.Random) -> None:
        """Ask for a long stream and go away in its middle, or at once."""
        body = json.dumps({"prompt": "import os\n", "max_new_tokens": 240, "stream": True}).encode()
        await self._send(_head(len(body)) + body, wait=rng.random() * 0.3, read=False)
        self.seen["vanished"] += 1

    async def silent(self, rng: random.Random) -> None:
        """Fifty connections that say nothing for a while."""
        where = urlsplit(self.url)
        held = [await asyncio.open_connection(where.hostname, where.port) for _ in range(50)]
        await asyncio.sleep(rng.random() * 2)
        for _, writer in held:
            writer.close()
        self.seen["silent"] += 50

    async def again(self, kind: str, number: int) -> None:
        """One client of a kind, until the time is up."""
        rng = random.Random(f"{kind} {number}")
        while self.going_on():
            await getattr(self, kind)(rng)
            await asyncio.sleep(rng.random() * (0.1 if kind == "good" else 0.5))

    async def _send(self, content: bytes, *, wait: float = 20.0, read: bool = True) -> int:
        """Send bytes on a connection of their own; the status that comes back within ``wait`` seconds, else 0."""
        where = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            writer.write(content)
            if not read:
                await asyncio.sleep(wait)
                return 0
            with contextlib.suppress(TimeoutError, OSError, EOFError):
                async with asyncio.timeout(wait):
                    return int((await reader.readuntil(b"\r\n")).split()[1])
            return 0
        finally:
            writer.close()

    def numbers(self) -> dict[str, float]:
        """What the service tells Prometheus."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=20) as page:
            lines = [line.rsplit(" ", 1) for line in page.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    async def run(self, clients: dict[str, int]) -> tuple[float, float]:
        """All clients until the end; resident bytes after warming up, and at the end."""
        every = [(kind, number) for kind, num in clients.items() for number in range(num)]
        tasks = [asyncio.create_task(self.again(*one)) for one in every]
        await asyncio.sleep(WARM_SHARE * (self.end - time.monotonic()))
        warm = (await asyncio.to_thread(self.numbers))["process_resident_memory_bytes"]
        await asyncio.gather(*tasks)
        for _ in range(100):
            numbers = await asyncio.to_thread(self.numbers)
            if numbers["service_active_slots"] == numbers["service_queue_length"] == 0:
                break
            await asyncio.sleep(0.1)
        else:
            self.wrong.append(f"{numbers['service_active_slots']:.0f} slots were never freed")
        return warm, numbers["process_resident_memory_bytes"]


def _head(length: int) -> bytes:
    return f"POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


def soak(seconds: float) -> list[str]:
    """Run it; what went wrong, in words."""
    with tempfile.TemporaryDirectory() as folder:
        service.export_house(folder, "small")
        with child.service(folder, slots=SLOTS, queue=QUEUE) as running:
            test = Soak(running.url, seconds)
            kinds = {"good": 30, "bad": 4, "slow": 4, "vanishing": 6, "silent": 2}
            warm, after = asyncio.run(test.run(kinds))
            numbers = test.numbers()
            code = running.stop()
    print(", ".join(f"{name}: {num:,}" for name, num in sorted(test.seen.items())))
    print(f"{_written(numbers):,.0f} tokens written, "
          f"memory {warm / 1e6:.0f} → {after / 1e6:.0f} MB, exit code {code}")
    if after - warm > MAX_GROWTH_BYTES:
        test.wrong.append(f"memory grew by {(after - warm) / 1e6:.0f} MB, allowed are {MAX_GROWTH_BYTES / 1e6:.0f}")
    if code != 0:
        test.wrong.append(f"after SIGTERM the exit code was {code}")
    missing = [kind for kind in ("good 200", "good 429", "slow 408", "vanished") if not test.seen[kind]]
    if missing and seconds >= 20:
        test.wrong.append(f"no client saw {', '.join(missing)}: the soak was too mild to show anything")
    return test.wrong


def _written(numbers: dict[str, float]) -> float:
    return numbers['service_tokens_total{kind="written"}']


def main() -> int:
    """The soak from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0)
    wrong = soak(parser.parse_args().seconds)
    for reason, num in Counter(wrong).most_common(20):
        print(f"WRONG ({num} times): {reason}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
