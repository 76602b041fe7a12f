"""Recurrent networks for sequences of tokens or of vectors, on torch's own cells; short examples are packed."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from helpers import device
from helpers.models._count import Counted, checked_size

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(Counted, nn.Module):
    """Read a sequence step by step; logits after the last real step, or after every step.

    Derived in: book/algorithms/recurrence. Source: hochreiter1997, cho2014.

    Arguments:
        num_inputs: different tokens (with ``tokens``), or numbers in each vector of the sequence.
        num_hidden: width of the hidden state.
        num_outputs: logits.
        cell: "rnn", "gru" or "lstm".
        tokens: the input is token numbers [B, T], looked up in an embedding as wide as the hidden state; otherwise
            vectors [B, T, num_inputs].
        every_step: return [B, T, num_outputs] instead of [B, num_outputs].
        num_layers: cells stacked on each other.
        bidirectional: read from both ends; the hidden state is then twice as wide.
        padding: token number that fills short examples at their end; such steps are never read.
        forget_bias: added to the bias of the LSTM's forget gate at the start.
        seed: start of the random initial weights.

    Raises:
        ValueError: a size out of range, an unknown cell, or at the call a sequence of another shape or an example
            that holds nothing but padding.
    """

    def __init__(
        self, num_inputs: int, num_hidden: int, num_outputs: int, *, cell: str = "lstm", tokens: bool = True,
        every_step: bool = False, num_layers: int = 1, bidirectional: bool = False, padding: int | None = None,
        forget_bias: float = 0.0, seed: int = 0,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"unknown cell {cell!r}: use one of {', '.join(CELLS)}")
        if padding is not None and not tokens:
            raise ValueError("padding is a token number: it needs tokens=True")
        self.num_inputs, self.tokens = checked_size("num_inputs", num_inputs), tokens
        self.every_step, self.padding = every_step, padding
        num_hidden = checked_size("num_hidden", num_hidden)
        with device.seeded(seed):
            self.embedding = nn.Embedding(num_inputs, num_hidden) if tokens else None
            self.cell = CELLS[cell](
                num_hidden if tokens else num_inputs, num_hidden, num_layers=checked_size("num_layers", num_layers),
                bidirectional=bidirectional, batch_first=True,
            )
            width = num_hidden * (2 if bidirectional else 1)
            self.output = nn.Linear(width, checked_size("num_outputs", num_outputs))
        if forget_bias and cell == "lstm":
            with torch.no_grad():
                for name, parameter in self.cell.named_parameters():
                    if name.startswith("bias_ih"):
                        parameter[num_hidden:2 * num_hidden] += forget_bias

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, num_outputs], or [B, T, num_outputs] with ``every_step``."""
        wanted = 2 if self.tokens else 3
        if x.ndim != wanted or (not self.tokens and x.shape[2] != self.num_inputs):
            shape = "token numbers [examples, tokens]" if self.tokens else f"[examples, steps, {self.num_inputs}]"
            raise ValueError(f"Recurrent expects {shape}, got {list(x.shape)}")
        vectors = self.embedding(x) if self.tokens else x
        if self.padding is None:
            states, last = self.cell(vectors)
        else:
            lengths = (x != self.padding).sum(dim=1).cpu()
            if int(lengths.min()) == 0:
                raise ValueError(f"example {int(lengths.argmin())} holds nothing but padding: leave it out")
            packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
            packed, last = self.cell(packed)
            states, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
        if self.every_step:
            return self.output(states)
        hidden = last[0] if isinstance(last, tuple) else last  # [layers · directions, B, num_hidden]
        both = 2 if self.cell.bidirectional else 1
        return self.output(torch.cat(tuple(hidden[-both:]), dim=1))
