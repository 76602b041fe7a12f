"""Training on a stream of tokens that stays on disk: measured, saved and handed out at equal intervals.

The windows of a batch are read from a memory-mapped array when they are needed. One pass takes every window once, in
an order and from a first token that depend on the seed and the pass only, so a run that stops goes on to the same
numbers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.data import Split
from helpers.data.base import checked_whole, windows_at
from helpers.training import checkpoints, schedules
from helpers.training.checkpoints import RunState
from helpers.training.fit import resumed
from helpers.training.flops import PASSES_PER_STEP
from helpers.training.loop import Loop, Options

_CHUNK = 16  # windows that are evaluated at once


@dataclass
class Stage:
    """Where a run stands after an interval.

    Attributes:
        row: its row of the history: step (updates made), tokens (read so far), train_loss (mean over the interval's
            batches, each before its update; None at step 0), validation_loss (nats a token), seconds, flops. What the
            caller adds to it goes into the checkpoint too.
        history: the rows so far, this one included.
        model: the model, in evaluation mode; train it only through the loop.
    """

    row: dict
    history: list[dict]
    model: nn.Module = field(repr=False)


class Windows:
    """Which windows of a stream belong to which batch.

    Arguments:
        num_tokens: length of the stream.
        context: tokens a window; one more is read as the last target.
        batch_size: windows a batch.
        every: batches in an interval.
        seed: of the order and of the first token of each pass.
    """

    def __init__(self, num_tokens: int, context: int, batch_size: int, every: int, seed: int) -> None:
        self.context, self.batch_size, self.every, self.seed = context, batch_size, every, seed
        self.a_pass = (num_tokens - context) // context          # windows that fit behind any first token
        if self.a_pass < batch_size:
            raise ValueError(f"a batch of {batch_size} windows of {context} tokens needs a stream of at least "
                             f"{(batch_size + 1) * context} tokens, got {num_tokens}")
        self._starts: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self.every

    def order(self, interval: int) -> Tensor:
        """First tokens of the windows of interval number ``interval`` (from 0), batch after batch."""
        wanted = interval * self.every * self.batch_size + np.arange(self.every * self.batch_size)
        passes = wanted // self.a_pass
        found = np.empty(len(wanted), dtype=np.int64)
        for number in np.unique(passes):
            rows = passes == number
            found[rows] = self._pass(int(number))[wanted[rows] % self.a_pass]
        return torch.from_numpy(found)

    def _pass(self, number: int) -> np.ndarray:
        if number not in self._starts:
            generator = np.random.default_rng([self.seed, number])
            first = int(generator.integers(self.context))
            self._starts = {number: first + self.context * generator.permutation(self.a_pass)}
        return self._starts[number]


class StreamLoop(Loop):
    """The loop over a stream: an epoch is an interval of ``every`` updates."""

    def __init__(self, model: nn.Module, stream: np.ndarray, context: int, every: int, options: Options) -> None:
        self.stream, self.context = _checked(stream, model), context
        windows = Windows(len(stream), context, options.batch_size, every, options.seed)
        super().__init__(model, windows_at(stream, windows.order(0)[:options.batch_size].numpy(), context), options)
        self.batches, self.num_examples = windows, windows.a_pass
        self.num_steps = options.epochs * every
        self.batch_size = options.batch_size
        # of one window in one update
        self.flops_per_window = None if self.goal.flops is None else PASSES_PER_STEP * self.goal.flops
        # a GPU keeps the whole stream and gathers there; on a processor it stays on disk
        self.resident = resident(self.stream, self.device) if self.device.type == "cuda" else None

    def batch(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The windows that begin at the tokens ``index``."""
        if self.resident is not None:
            return gathered(self.resident, index.to(self.device, non_blocking=True), self.context)
        split = windows_at(self.stream, index.numpy(), self.context)
        return split.x.to(self.device), split.y.to(self.device)


def resident(stream: np.ndarray, device: torch.device) -> Tensor:
    """The tokens [n] of ``stream`` on ``device``: int32, four bytes a token."""
    return torch.from_numpy(np.asarray(stream).astype(np.int32)).to(device)


def gathered(tokens: Tensor, index: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """Windows [B, context] that begin at ``index`` [B], and the same one token later; int64, by one gather."""
    places = index[:, None] + torch.arange(context + 1, device=tokens.device)
    windows = tokens[places].long()
    return windows[:, :-1], windows[:, 1:]


def stages(
    model: nn.Module, stream: np.ndarray, validation: Split, *, lr: float, num_steps: int, every: int,
    batch_size: int = 16, optimiser: str = "adamw", schedule: str | schedules.Schedule = "warmup_cosine",
    weight_decay: float = 0.0, seed: int = 0, device: str | torch.device | None = None,
    precision: str | torch.dtype | None = None, checkpoint: str | Path | None = None, resume: bool = False,
) -> Iterator[Stage]:
    """Train ``model`` in place on windows of ``stream`` and yield a ``Stage`` before and after each interval.

    Arguments:
        model: a decoder; its ``context`` is the length of the windows.
        stream: token numbers [n], such as a memory-mapped array.
        validation: windows of held-out text; never trained on.
        lr, batch_size, optimiser, schedule, weight_decay, seed, device, precision: as in ``training.steps``.
        num_steps: updates of the whole run, a multiple of ``every``.
        every: updates in an interval.
        checkpoint: file written after each interval, before the stage is yielded, and again if the caller added
            something to its row.
        resume: go on from ``checkpoint`` if it exists: the stage it holds is yielded again, those before stand in its
            ``history``, and the rest is the same as without the interruption.

    Raises:
        ValueError: an option or a token out of range; a checkpoint that is damaged or of another run.
        FileNotFoundError: the folder of ``checkpoint`` does not exist.
        TrainingDiverged: the loss became NaN or infinite.

    Derived in: book/project/language_model.
    """
    checked_whole("every", every)
    checked_whole("num_steps", num_steps)
    if num_steps % every:
        raise ValueError(f"num_steps must be a multiple of every, got {num_steps} and {every}")
    if resume and checkpoint is None:
        raise ValueError("resume=True needs checkpoint=PATH, the file to continue from")
    options = Options(lr=lr, epochs=num_steps // every, batch_size=batch_size, optimiser=optimiser, schedule=schedule,
                      weight_decay=weight_decay, seed=seed, device=device, precision=precision)
    if checkpoint is not None:
        checkpoints.check_place(checkpoint)
    loop = StreamLoop(model, stream, model.context, every, options)
    return _run(loop, validation.to(loop.device), checkpoint, resume)


def _run(loop: StreamLoop, validation: Split, path: str | Path | None, resume: bool) -> Iterator[Stage]:
    state = RunState(model={}, configuration=loop.options.configuration() | {
        "every": loop.batches.every, "context": loop.context, "num_tokens": len(loop.stream),
        "model": type(loop.model).__name__, "num_parameters": sum(p.numel() for p in loop.parameters)})
    if resume and Path(path).exists():
        state = resumed(loop, path, state.configuration)
    start = time.perf_counter() - state.seconds
    for interval in range(state.epoch if state.history else 0, loop.options.epochs + 1):
        if interval == len(state.history):                      # not the stage that a checkpoint holds
            losses = [step.loss for step in loop.epoch(interval)] if interval else []
            steps = interval * loop.batches.every
            state.history.append({
                "step": steps, "tokens": steps * loop.batch_size * loop.context,
                "train_loss": float(torch.stack(losses).mean()) if losses else None,
                "validation_loss": loss_of(loop.model, validation, dtype=loop.dtype), "seconds": None,
                "flops": loop.flops_per_window and loop.flops_per_window * steps * loop.batch_size})
            state.epoch = interval
            state.seconds = state.history[-1]["seconds"] = time.perf_counter() - start
            _save(loop, state, path)
        known = len(state.history[-1])
        loop.model.eval()
        waiting = time.perf_counter()
        yield Stage(state.history[-1], state.history, loop.model)
        start += time.perf_counter() - waiting                  # the caller's own time is not the run's
        if len(state.history[-1]) > known:
            _save(loop, state, path)


def _save(loop: StreamLoop, state: RunState, path: str | Path | None) -> None:
    if path is not None:
        state.model, state.optimiser = loop.model.state_dict(), checkpoints.optimiser_tensors(loop.optimiser)
        checkpoints.save(path, state)


@torch.no_grad()
def loss_of(model: nn.Module, split: Split, *, dtype: torch.dtype = torch.float32) -> float:
    """Mean cross-entropy in nats over the tokens of all windows.

    Arguments:
        model: a decoder; it is used in evaluation mode and left as it was.
        split: windows x and targets y, each [num, context].
        dtype: float32, or bfloat16 for the matrix products.

    Raises:
        ValueError: there are no windows.
    """
    if not len(split):
        raise ValueError("there is no window to measure the loss on: take a longer text or a shorter context")
    was_training, total = model.training, 0.0
    where = next(model.parameters()).device
    model.eval()
    for x, y in zip(split.x.split(_CHUNK), split.y.split(_CHUNK), strict=True):
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
            logits = model(x.to(where))
        total += float(F.cross_entropy(logits.flatten(0, 1).float(), y.to(where).flatten(), reduction="sum"))
    model.train(was_training)
    return total / split.y.numel()


def _checked(stream: np.ndarray, model: nn.Module) -> np.ndarray:
    if stream.ndim != 1 or stream.dtype.kind not in "iu":
        raise ValueError(f"a stream holds whole token numbers [n], got {stream.dtype} {list(stream.shape)}")
    if len(stream) and not 0 <= int(stream.min()) <= int(stream.max()) < model.vocabulary:
        raise ValueError(f"token numbers lie in 0 … {model.vocabulary - 1}, "
                         f"got {int(stream.min())} … {int(stream.max())}: the stream is of another tokeniser")
    return stream

