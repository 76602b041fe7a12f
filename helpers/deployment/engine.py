"""Continuous batching: one thread that reads prompts and writes tokens for all requests that are in the house.

A request waits in a queue of limited length, gets a slot, has its prompt read in pieces, then takes part in every step
until it is done; a new one joins at the next step. ``submit`` returns a ``Ticket`` at once.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from helpers.models._count import checked_size
from helpers.models.draws import Choice, draw
from helpers.models.slots import Slots
from helpers.models.transformer import Decoder

PIECE = 64           # tokens of a prompt that are read in one go
BUDGET = 128         # tokens of prompts between two steps: those who write wait no longer than this takes

log = logging.getLogger(__name__)


class Refused(RuntimeError):
    """The engine takes no request now; ``retry_seconds`` says when asking again makes sense."""

    def __init__(self, reason: str, retry_seconds: int) -> None:
        super().__init__(reason)
        self.retry_seconds = retry_seconds


class Busy(Refused):
    """The queue is full."""


class Closed(Refused):
    """The engine is shutting down, or has failed."""


@dataclass(frozen=True)
class Result:
    """What a request got.

    Attributes:
        tokens: numbers of the new tokens, without the one that stopped.
        finish: "stop" (the stop token came), "length" (enough tokens, or the context is full), "cancelled" or "failed".
    """

    tokens: list[int]
    finish: str


class Ticket:
    """A request in the engine: ``tokens`` yields its tokens as they come, ``result`` waits for the end.

    Attributes:
        num_prompt: tokens of the prompt.
        finish: None while it runs, then as in ``Result``.
        submitted, first, last: times of ``time.perf_counter``; None before they happened.
    """

    def __init__(
        self, engine: Engine, prompt: list[int], num_wanted: int, choice: Choice, uniforms: list[float],
        stop: int | None, wake: Callable[[Ticket], None] | None,
    ) -> None:
        self._engine, self._wake, self._new = engine, wake, queue.SimpleQueue()
        self.prompt, self.num_wanted, self.choice, self.uniforms, self.stop = prompt, num_wanted, choice, uniforms, stop
        self.num_prompt, self.num_read, self.num_new = len(prompt), 0, 0
        self.latest, self.slot, self.cancelled = -1, -1, False
        self.finish: str | None = None
        self.submitted, self.first, self.last = time.perf_counter(), None, None

    def tokens(self, timeout: float | None = None) -> Iterator[int]:
        """Yield the new tokens as they come; only one reader may do so.

        Raises:
            TimeoutError: no token for ``timeout`` seconds.
        """
        while True:
            try:
                token = self._new.get(timeout=timeout)
            except queue.Empty:
                raise TimeoutError(f"no token came within {timeout:g} seconds") from None
            if token is None:
                return
            yield token

    def taken(self) -> list[int]:
        """The tokens that came since the last call, without waiting; for a reader that ``wake`` calls."""
        found = []
        while not self._new.empty():
            token = self._new.get_nowait()
            if token is not None:
                found.append(token)
        return found

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end; the tokens that nobody took are returned.

        Raises:
            TimeoutError: no token for ``timeout`` seconds.
        """
        tokens = list(self.tokens(timeout))
        return Result(tokens, self.finish or "failed")

    def cancel(self) -> None:
        """Give the place up; tokens of the step that is running are dropped."""
        self._engine._cancel(self)

    def _put(self, token: int | None) -> None:
        self._new.put(token)
        if self._wake is not None:
            self._wake(self)


class Engine:
    """A model that serves many requests at once, in one worker thread.

    A step's arithmetic and the random numbers of a request do not depend on the others (``Slots.exact`` says whether
    this machine keeps that to the last bit), so it gets the same tokens whoever shares the batch.

    Arguments:
        model: a decoder, see ``Slots``.
        num_slots: requests that write at the same time.
        max_queue: requests that may wait for a slot.
        watch: told about ``first_token(seconds)`` and ``between(seconds)``, in the worker thread.

    Raises:
        ValueError: a model that ``Slots`` does not take, or a size out of range.

    Source: yu2022. Derived in: book/project/serving.
    """

    def __init__(self, model: Decoder, num_slots: int = 16, *, max_queue: int = 64, watch: object = None) -> None:
        self.slots, self.max_queue = Slots(model, num_slots), checked_size("max_queue", max_queue)
        self.num_slots, self.context, self.vocabulary = num_slots, model.context, model.vocabulary
        self.num_steps, self.num_read, self.num_written, self.num_cancelled = 0, 0, 0, 0
        self.failure: BaseException | None = None
        self._watch = watch
        self._waiting: deque[Ticket] = deque()
        self._reading: deque[Ticket] = deque()
        self._writing: list[Ticket] = []
        self._free = list(range(num_slots))
        self._changed = threading.Condition()
        self._closing = self._stopped = False
        self._mean_seconds = 1.0
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def num_waiting(self) -> int:
        """Requests without a slot."""
        return len(self._waiting)

    @property
    def num_active(self) -> int:
        """Requests with a slot."""
        return self.num_slots - len(self._free)

    @property
    def alive(self) -> bool:
        """Whether the worker thread runs."""
        return self._thread.is_alive() and self.failure is None

    @property
    def ready(self) -> bool:
        """Whether a request would be taken, but for the length of the queue."""
        return self.alive and not self._closing

    def submit(
        self, prompt: Sequence[int], max_new_tokens: int = 64, *, temperature: float = 1.0, top_k: int | None = None,
        top_p: float | None = None, seed: int = 0, stop: int | None = None,
        wake: Callable[[Ticket], None] | None = None,
    ) -> Ticket:
        """Queue a request.

        Arguments:
            prompt: 1 … context token numbers.
            max_new_tokens: tokens to write at most; it also ends when the context is full.
            temperature, top_k, top_p: see ``Choice``.
            seed: of the request's own random numbers, 0 or more.
            stop: token that ends the text and is not returned.
            wake: called in the worker thread whenever a token or the end came; must not wait.

        Raises:
            ValueError: a prompt or an option out of range.
            Busy: the queue is full.
            Closed: the engine is shutting down or has failed.
        """
        prompt, room = [int(token) for token in prompt], self.context - len(prompt) + 1
        if not 1 <= len(prompt) <= self.context:
            raise ValueError(f"a prompt has 1 … {self.context} tokens, got {len(prompt)}")
        if not all(0 <= token < self.vocabulary for token in prompt):
            raise ValueError(f"token numbers lie in 0 … {self.vocabulary - 1}, got {min(prompt)} … {max(prompt)}")
        num_wanted = min(checked_size("max_new_tokens", max_new_tokens), room)
        choice = Choice(temperature=temperature, top_k=top_k, top_p=top_p)
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(f"seed must be a whole number from 0 up, got {seed!r}")
        uniforms = [] if choice.greedy else np.random.default_rng(seed).random(num_wanted).tolist()
        ticket = Ticket(self, prompt, num_wanted, choice, uniforms, stop, wake)
        with self._changed:
            if not self.ready:
                raise Closed("the engine takes no more requests", 5)
            if len(self._waiting) - len(self._free) >= self.max_queue:
                raise Busy(f"{len(self._waiting)} requests wait already", self.retry_seconds())
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def retry_seconds(self) -> int:
        """Whole seconds, at least 1, after which the queue should have moved: its length times the mean request."""
        return max(1, math.ceil(self._mean_seconds * len(self._waiting) / self.num_slots))

    def drain(self) -> None:
        """Take no more requests; those that are here go on."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def close(self, timeout: float | None = 30.0) -> None:
        """Take no more requests, finish those that are here, end the thread; after ``timeout`` seconds cancel them."""
        self.drain()
        self._thread.join(timeout)
        if self._thread.is_alive():
            with self._changed:
                self._stopped = True
                self._changed.notify()
            self._thread.join(5.0)

    def _cancel(self, ticket: Ticket) -> None:
        with self._changed:
            ticket.cancelled = True
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                self._end(ticket, "cancelled")
            self._changed.notify()

    def _run(self) -> None:
        try:
            while self._admit():
                self._read()
                self._write()
            for ticket in self._all():
                self._end(ticket, "cancelled")
        except Exception as failure:   # whoever waits must learn of it
            self.failure = failure
            log.exception("the engine failed")
            with self._changed:
                for ticket in self._all():
                    self._end(ticket, "failed")

    def _all(self) -> list[Ticket]:
        return [*self._writing, *self._reading, *self._waiting]

    def _admit(self) -> bool:
        """Drop who gave up, hand free slots to who waits; sleep while there is nothing to do. False ends the thread."""
        with self._changed:
            while True:
                for ticket in [one for one in (*self._reading, *self._writing) if one.cancelled]:
                    (self._reading if ticket in self._reading else self._writing).remove(ticket)
                    self._end(ticket, "cancelled")
                while self._waiting and self._free:
                    ticket = self._waiting.popleft()
                    ticket.slot = min(self._free)   # low slots first: a step computes up to the highest in use
                    self._free.remove(ticket.slot)
                    self._reading.append(ticket)
                if self._stopped:
                    return False
                if self._reading or self._writing:
                    return True
                if self._closing:
                    return False
                self._changed.wait()

    def _read(self) -> None:
        """Read prompts, first come first served, until the budget between two steps is spent."""
        budget = BUDGET
        while self._reading and budget > 0:
            ticket = self._reading[0]
            piece = ticket.prompt[ticket.num_read:ticket.num_read + PIECE]
            logits = self.slots.prefill(ticket.slot, piece)
            ticket.num_read += len(piece)
            self.num_read += len(piece)
            budget -= len(piece)
            if ticket.num_read == ticket.num_prompt:
                self._reading.popleft()
                self._writing.append(ticket)
                self._hand_out([ticket], logits[None])

    def _write(self) -> None:
        """One step for all that write."""
        tickets = self._writing
        if tickets:
            logits = self.slots.step([one.slot for one in tickets], [one.latest for one in tickets])
            self.num_steps += 1
            self._hand_out(list(tickets), logits)

    def _hand_out(self, tickets: list[Ticket], logits: object) -> None:
        """Draw one token for each, hand it over, and end those who are done."""
        uniforms = [one.uniforms[one.num_new] if one.uniforms else 0.0 for one in tickets]
        tokens = draw(logits, [one.choice for one in tickets], uniforms)
        now = time.perf_counter()
        for ticket, token in zip(tickets, tokens, strict=True):
            if self._watch is not None:
                if ticket.last is None:
                    self._watch.first_token(now - ticket.submitted)
                else:
                    self._watch.between(now - ticket.last)
            ticket.first = ticket.first or now
            ticket.last, ticket.latest = now, token
            if token == ticket.stop:
                finish = "stop"
            else:
                ticket.num_new += 1
                self.num_written += 1
                finish = "length" if ticket.num_new == ticket.num_wanted else None
                ticket._put(token)
            if finish is not None:
                self._writing.remove(ticket)
                self._mean_seconds += 0.1 * (now - ticket.submitted - self._mean_seconds)
                with self._changed:
                    self._end(ticket, finish)

    def _end(self, ticket: Ticket, finish: str) -> None:
        if ticket.slot >= 0:
            self.slots.free(ticket.slot)
            self._free.append(ticket.slot)
            ticket.slot = -1
        self.num_cancelled += finish == "cancelled"
        ticket.finish = finish
        ticket._put(None)
