"""The HTTP service: ``python -m helpers.deployment.service --model DIR``.

DIR holds model.safetensors (written by ``models.house.save``) and tokeniser.json; ``export_house(DIR)`` writes such a
folder from the recorded house model. POST /v1/generate, GET /healthz, /readyz, /metrics.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from helpers import data, records
from helpers.data.token_files import END
from helpers.deployment.engine import Engine
from helpers.models import house
from helpers.models.transformer import Decoder

if TYPE_CHECKING:
    from fastapi import FastAPI
    from tokenizers import Tokenizer

WEIGHTS, TOKENISER = "model.safetensors", "tokeniser.json"
SWITCH_SECONDS = 0.0005   # the engine and the event loop share one interpreter: let it change hands quickly


def export_house(folder: str | Path, size: str = "house") -> Path:
    """Write the recorded house model and its tokeniser into a folder that the service can load.

    Arguments:
        folder: made where it is missing.
        size: "house" or "small".

    Raises:
        ValueError, FileNotFoundError: as ``models.house.house``.
    """
    folder = Path(folder)
    model, about = house.house(size), house.about(size)
    folder.mkdir(parents=True, exist_ok=True)
    house.save(folder / WEIGHTS, model, about)
    records.replace_file(folder / TOKENISER, data.tokeniser().to_str().encode())
    return folder


def load(folder: str | Path) -> tuple[Decoder, Tokenizer]:
    """Read a model folder; nothing in it is executed or unpickled.

    Raises:
        FileNotFoundError: the folder or one of its files is missing.
        ValueError: a file is damaged, or model and tokeniser do not belong together.
    """
    from tokenizers import Tokenizer

    folder = Path(folder)
    for name in (WEIGHTS, TOKENISER):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"a model folder holds {WEIGHTS} and {TOKENISER}, but {folder} has no {name}: "
                                    "export_house(folder) writes one")
    try:
        tokeniser = Tokenizer.from_file(str(folder / TOKENISER))
    except Exception as error:   # tokenizers raises Exception itself
        raise ValueError(f"{folder / TOKENISER} is no tokeniser ({error}): copy it again") from None
    tokeniser.encode_special_tokens = True   # "<|end|>" typed by a client stays text
    model, _ = house.load(folder / WEIGHTS)
    if tokeniser.get_vocab_size() != model.vocabulary:
        raise ValueError(f"the tokeniser has {tokeniser.get_vocab_size():,} tokens, the model {model.vocabulary:,}: "
                         "take the one that the model was trained with")
    return model, tokeniser


def create_app(
    model: Decoder, tokeniser: Tokenizer, *, num_slots: int = 16, max_queue: int = 64, max_body_bytes: int = 65_536,
    max_prompt_tokens: int | None = None, request_seconds: float = 30.0, body_seconds: float = 5.0,
) -> FastAPI:
    """The application; its engine starts at once and ends with it (``app.state.engine``).

    Arguments:
        model: a decoder that ``models.slots.Slots`` takes.
        tokeniser: byte-level; its token <|end|>, where there is one, ends a text.
        num_slots: requests that write at the same time.
        max_queue: requests that may wait; the next one gets 429.
        max_body_bytes: of a request.
        max_prompt_tokens: None means the context less one.
        request_seconds: until a request must be done, and for shutting down.
        body_seconds: until a body must be there.

    Raises:
        ImportError: the extra "serving" is not installed.
        ValueError: a model or tokeniser that cannot be served, or a limit out of range.
    """
    _need_extra()
    from helpers.deployment.meters import Meters
    from helpers.deployment.web import Service, build

    limit = model.context - 1 if max_prompt_tokens is None else max_prompt_tokens
    if not 1 <= limit <= model.context:
        raise ValueError(f"max_prompt_tokens must lie in 1 … {model.context}, the model's context, got {limit}")
    meters = Meters()
    engine = Engine(model, num_slots, max_queue=max_queue, watch=meters)
    meters.attach(engine)
    return build(Service(
        engine, tokeniser, meters, stop=tokeniser.token_to_id(END), max_body_bytes=max_body_bytes,
        max_prompt_tokens=limit, request_seconds=request_seconds, body_seconds=body_seconds))


def server(app: FastAPI, *, host: str = "127.0.0.1", port: int = 8001) -> Any:
    """A uvicorn server for the application: on SIGTERM it refuses new requests (503) until the running ones are done.

    Raises:
        ImportError: the extra "serving" is not installed.
    """
    _need_extra()
    import uvicorn

    from helpers.deployment.limits import TimedProtocol

    engine = app.state.engine

    class Server(uvicorn.Server):
        """Drains the engine before it stops listening; a second signal ends it at once."""

        draining = False

        def handle_exit(self, number: int, frame: object) -> None:
            if self.draining:
                super().handle_exit(number, frame)
            self.draining = True

        async def on_tick(self, counter: int) -> bool:
            if self.draining:
                engine.drain()
                self.should_exit = self.should_exit or not engine.alive
            return await super().on_tick(counter)

    config = uvicorn.Config(
        app, host=host, port=port, http=TimedProtocol, ws="none", access_log=False, log_level="info",
        backlog=2048, timeout_keep_alive=5, timeout_graceful_shutdown=10,
        server_header=False)
    return Server(config)


def main(arguments: list[str] | None = None) -> int:
    """Load a folder and serve it until a signal comes; the exit status is 0 after an orderly end."""
    parser = argparse.ArgumentParser(prog="python -m helpers.deployment.service", description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, metavar="DIR", help=f"folder with {WEIGHTS} and {TOKENISER}")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--slots", type=int, default=16, help="requests that write at the same time")
    parser.add_argument("--queue", type=int, default=64, help="requests that may wait")
    parser.add_argument("--threads", type=int, default=1, help="of the matrix products; leave a core to the event loop")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        model, tokeniser = load(given.model)
        app = create_app(model, tokeniser, num_slots=given.slots, max_queue=given.queue)
        running = server(app, host=given.host, port=given.port)
    except (ValueError, FileNotFoundError, ImportError) as problem:
        print(problem, file=sys.stderr)
        return 2
    running.run()
    return 0 if app.state.engine.failure is None else 1


def _need_extra() -> None:
    """Say which extra is missing, in one sentence."""
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ImportError(f"the service needs {error.name}: pip install 'chaos-to-prosperity[serving]'") from None


if __name__ == "__main__":
    sys.exit(main())
