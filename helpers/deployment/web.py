"""The service's routes: requests checked, queued in the engine, answered whole or token by token."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from helpers.deployment.engine import Busy, Engine, Refused, Ticket
from helpers.deployment.limits import ClientDisconnect, Problem, disconnected, read_body
from helpers.deployment.meters import Meters
from helpers.deployment.pieces import Pieces

PATHS = ("/v1/generate", "/healthz", "/readyz", "/metrics")


class Service:
    """The engine with what HTTP needs around it."""

    def __init__(
        self, engine: Engine, tokeniser: Any, meters: Meters, *, stop: int | None, max_body_bytes: int,
        max_prompt_tokens: int, request_seconds: float, body_seconds: float,
    ) -> None:
        self.engine, self.tokeniser, self.meters, self.stop = engine, tokeniser, meters, stop
        self.pieces, self.bell = Pieces(tokeniser), Bell()
        self.max_body_bytes, self.max_prompt_tokens = max_body_bytes, max_prompt_tokens
        self.request_seconds, self.body_seconds = request_seconds, body_seconds
        self.order = order_model(engine.context)

    def accept(self, body: bytes) -> tuple[Ticket, asyncio.Event, bool]:
        """Check a body and queue it: the ticket, the event that rings when there is news, and whether to stream.

        Raises:
            Problem: 400, 422, 429 or 503.
        """
        try:
            order = self.order.model_validate_json(body)
        except ValidationError as error:
            raise _as_problem(error) from None
        prompt = self._tokens(order.prompt)
        event, seed = asyncio.Event(), secrets.randbits(62) if order.seed is None else order.seed
        self.bell.loop = asyncio.get_running_loop()

        def wake(ticket: Ticket) -> None:
            if order.stream or ticket.finish is not None:
                self.bell.ring(event)

        try:
            ticket = self.engine.submit(
                prompt, order.max_new_tokens, temperature=order.temperature, top_k=order.top_k, top_p=order.top_p,
                seed=seed, stop=self.stop, wake=wake)
        except Refused as refusal:
            status = 429 if isinstance(refusal, Busy) else 503
            raise Problem(status, f"{refusal}: try again in {refusal.retry_seconds} s",
                          retry_seconds=refusal.retry_seconds) from None
        return ticket, event, order.stream

    def _tokens(self, prompt: str) -> list[int]:
        limit, size = self.max_prompt_tokens, len(prompt.encode())
        if size > limit * self.pieces.longest:   # not worth cutting into tokens
            raise Problem(422, f"prompt: at most {limit} tokens are read, got {size:,} bytes: shorten it")
        tokens = self.tokeniser.encode(prompt, add_special_tokens=False).ids
        if not 1 <= len(tokens) <= limit:
            raise Problem(422, f"prompt: 1 to {limit} tokens are read, got {len(tokens)}: shorten it")
        return tokens

    def summary(self, ticket: Ticket) -> dict[str, Any]:
        """What closes an answer."""
        return {"num_prompt_tokens": ticket.num_prompt, "num_new_tokens": ticket.num_new, "finish": ticket.finish}


class Answer(Response):
    """The answer to one request, whole or as server-sent events; a client that goes away frees its slot."""

    def __init__(self, service: Service, request: Request, body: bytes) -> None:
        self.service, self.request = service, request
        self.ticket, self.event, self.streamed = service.accept(body)
        self.background, self._late = None, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; one event rings for tokens, for the end, for a client that left, and for a deadline."""
        gone = asyncio.create_task(disconnected(self.request))
        gone.add_done_callback(lambda _: self.event.set())
        timer = asyncio.get_running_loop().call_later(self.service.request_seconds, self._be_late)
        try:
            await (self._stream if self.streamed else self._whole)(gone, scope, receive, send)
        finally:
            timer.cancel()
            gone.cancel()
            if self.ticket.finish is None:
                self.ticket.cancel()

    async def _whole(self, gone: asyncio.Task, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if not await self._news(gone):
                return
            text = self.service.pieces.text(self.ticket.taken())
            answer = JSONResponse({"text": text, **self.service.summary(self.ticket)})
        except Problem as problem:
            answer = problem.response()
        await answer(scope, receive, send)

    async def _stream(self, gone: asyncio.Task, scope: Scope, receive: Receive, send: Send) -> None:
        decoder, started, over = self.service.pieces.stream(), False, False
        while not over:
            try:
                if not await self._news(gone):
                    return
                over = self.ticket.finish is not None
                text = decoder.text(self.ticket.taken(), last=over)
                events = _event({"text": text}) if text else b""
                if over:
                    events += _event(self.service.summary(self.ticket))
            except Problem as problem:
                if not started:
                    await problem.response()(scope, receive, send)
                    return
                over, events = True, _event({"error": problem.reason})
            if not started:
                started = True
                await send({"type": "http.response.start", "status": 200, "headers": [
                    (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]})
            if events:
                await send({"type": "http.response.body", "body": events, "more_body": not over})

    async def _news(self, gone: asyncio.Task) -> bool:
        """Wait until the event rings; false once the client has gone.

        Raises:
            Problem: 500 or 503: no answer will come.
        """
        await self.event.wait()
        self.event.clear()
        if gone.done():
            return False
        if self.ticket.finish == "failed":
            raise Problem(500, "the engine failed: the service needs to be started again")
        if self.ticket.finish == "cancelled":
            raise Problem(503, "the service is shutting down", retry_seconds=5)
        if self._late and self.ticket.finish is None:
            retry = self.service.engine.retry_seconds()
            raise Problem(503, f"not done within {self.service.request_seconds:g} s: try again in {retry} s",
                          retry_seconds=retry)
        return True

    def _be_late(self) -> None:
        self._late = True
        self.event.set()


class Bell:
    """Wakes coroutines from the engine's thread with one call into the event loop, however many are to be woken."""

    def __init__(self) -> None:
        self._due: list[asyncio.Event] = []
        self._lock = threading.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None

    def ring(self, event: asyncio.Event) -> None:
        """Set an event, soon; called in any thread."""
        with self._lock:
            self._due.append(event)
            if len(self._due) > 1:
                return
        try:
            self.loop.call_soon_threadsafe(self._wake)
        except RuntimeError:   # the loop is closed: nobody waits any more
            self._due.clear()

    def _wake(self) -> None:
        with self._lock:
            due, self._due = self._due, []
        for event in due:
            event.set()


class Counted:
    """Counts answers by path and status; unknown paths count together."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self.app, self.meters = app, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note the status."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in PATHS else "other"

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.meters.requests.labels(path, message["status"]).inc()
            await send(message)

        await self.app(scope, receive, noting)


def order_model(context: int) -> type[BaseModel]:
    """The fields of a request, and their limits."""
    return create_model(
        "Order", __config__=ConfigDict(extra="forbid", strict=True),
        prompt=(Annotated[str, Field(min_length=1)], ...),
        max_new_tokens=(Annotated[int, Field(ge=1, le=context)], min(64, context)),
        temperature=(Annotated[float, Field(ge=0.0, le=10.0, allow_inf_nan=False)], 1.0),
        top_p=(Annotated[float, Field(gt=0.0, le=1.0)] | None, None),
        top_k=(Annotated[int, Field(ge=1, le=65_536)] | None, None),
        seed=(Annotated[int, Field(ge=0, lt=2**63)] | None, None),
        stream=(bool, False))


def _as_problem(error: ValidationError) -> Problem:
    """The first thing that is wrong, without the client's own words."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return Problem(400, f"the body is no valid JSON in UTF-8: {first['msg'].removeprefix('Invalid JSON: ')}")
    where = ".".join(map(str, first["loc"]))[:40] or "body"
    if first["type"] == "extra_forbidden":
        return Problem(422, f"unknown field {where!r}: leave it out")
    return Problem(422, f"{where}: {first['msg']}")


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"


def build(service: Service) -> FastAPI:
    """The application around a service."""
    engine, meters = service.engine, service.meters

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(engine.close, service.request_seconds)

    app = FastAPI(title="Ask Python", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.engine = engine
    app.add_middleware(Counted, meters=meters)
    schema = {"requestBody": {"required": True, "content": {
        "application/json": {"schema": service.order.model_json_schema()}}}}

    @app.post("/v1/generate", openapi_extra=schema)
    async def generate(request: Request) -> Response:
        """Continue a text."""
        try:
            body = await read_body(request, service.max_body_bytes, service.body_seconds)
            return Answer(service, request, body)
        except ClientDisconnect:
            return Response(status_code=499)   # nobody sees it, but it is counted
        except Problem as problem:
            return problem.response()

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        """Whether the process should live."""
        well = engine.failure is None
        return JSONResponse({"status": "alive" if well else "failed"}, 200 if well else 503)

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        """Whether requests should be sent here."""
        if engine.ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, 503, {"Retry-After": "5"})

    @app.get("/metrics")
    def metrics() -> Response:
        """Numbers for Prometheus."""
        return Response(meters.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    return app
