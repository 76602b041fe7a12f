"""Transformers from one block: a decoder (next token), an encoder (masked tokens, classes) and a vision transformer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from helpers import device
from helpers.models._count import Counted, checked_size
from helpers.models.attention import Block, Cache, Config, State
from helpers.models.positions import rotation, sinusoids

_STANDARD_DEVIATION = 0.02  # of the initial weights. Source: radford2019


class Stack(Counted, nn.Module):
    """Positions, blocks and a last norm: vectors [B, T, D] in, vectors [B, T, D] out.

    Arguments:
        config: of the blocks.
        context: most tokens in an example.
    """

    def __init__(self, config: Config, context: int) -> None:
        super().__init__()
        self.config, self.context = config, checked_size("context", context)
        if config.positions == "learned":
            self.positions = nn.Embedding(context, config.d_model)
        elif config.positions == "sinusoidal":
            self.register_buffer("waves", sinusoids(context, config.d_model), persistent=False)
        elif config.positions == "rotary":
            for name, values in zip(("cosine", "sine"), rotation(context, config.d_head), strict=True):
                self.register_buffer(name, values, persistent=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = (nn.RMSNorm if config.norm == "rms" else nn.LayerNorm)(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, real: Tensor | None = None, caches: Sequence[Cache | State] | None = None,
        switches: Tensor | None = None,
    ) -> Tensor:
        """Run the blocks.

        Arguments:
            x: vectors [B, T, D].
            real: bool [B, S], false for padding.
            caches: one ``Cache`` a block; the tokens of ``x`` follow those in it.
            switches: multiplier [layers, H] of each head's output; 0 switches a head off.
        """
        start = caches[0].length if caches else 0
        end = start + x.shape[1]
        if end > self.context:
            raise ValueError(f"the sequence has {end} tokens, the model's context is {self.context}: "
                             f"cut it to {self.context} tokens or build the model with a longer context")
        turn = None
        if self.config.positions == "learned":
            x = x + self.positions.weight[start:end]
        elif self.config.positions == "sinusoidal":
            x = x + self.waves[start:end]
        elif self.config.positions == "rotary":
            turn = self.cosine[start:end], self.sine[start:end]
        x = self.dropout(x)
        for number, block in enumerate(self.blocks):
            x = block(x, turn, real, caches[number] if caches else None,
                      switches[number] if switches is not None else None)
        return self.norm(x)

    def initialise(self) -> None:
        """Draw all weights: normal with deviation 0.02, the last matrix of each branch smaller by √(2 layers).

        Source: radford2019.
        """
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                continue
            last = name.endswith("output.weight")
            smaller = math.sqrt(2 * self.config.num_layers) if last else 1.0
            nn.init.normal_(parameter, std=_STANDARD_DEVIATION / smaller)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)


def _checked_tokens(tokens: Tensor) -> Tensor:
    if tokens.ndim != 2 or tokens.is_floating_point():
        raise ValueError(f"the model expects token numbers [examples, tokens], got {tokens.dtype} {list(tokens.shape)}")
    return tokens


class Decoder(Counted, nn.Module):
    """Language model: token numbers [B, T] → logits of the next token [B, T, vocabulary].

    Derived in: book/algorithms/transformers.

    Arguments:
        vocabulary: number of different tokens.
        context: most tokens in an example.
        tied: the output projection shares the embedding's weights.
        softcap: logits are bent into ±softcap by softcap · tanh(z / softcap); None leaves them.
        seed: start of the random initial weights.
        block: ``attention.Config`` by keyword, such as num_layers=4, d_model=128, num_heads=4.

    Raises:
        ValueError: a size out of range, or at the call tokens of another shape or a sequence above the context.
    """

    def __init__(
        self, vocabulary: int, context: int, *, tied: bool = True, softcap: float | None = None, seed: int = 0,
        **block: object,
    ) -> None:
        super().__init__()
        config = Config(**block)
        self.vocabulary, self.context = checked_size("vocabulary", vocabulary), checked_size("context", context)
        if softcap is not None and not softcap > 0:
            raise ValueError(f"softcap must be above 0 or None, got {softcap!r}")
        self.config, self.softcap = config, softcap
        with device.seeded(seed):
            self.embedding = nn.Embedding(vocabulary, config.d_model)
            self.stack = Stack(config, context)
            self.output = nn.Linear(config.d_model, vocabulary, bias=False)
            nn.init.normal_(self.embedding.weight, std=_STANDARD_DEVIATION)
            nn.init.normal_(self.output.weight, std=_STANDARD_DEVIATION)
            self.stack.initialise()
        if tied:
            self.output.weight = self.embedding.weight

    def forward(
        self, tokens: Tensor, caches: Sequence[Cache | State] | None = None, switches: Tensor | None = None
    ) -> Tensor:
        """Logits [B, T, vocabulary] for the token that follows each of ``tokens`` [B, T]."""
        x = self.stack(self.embedding(_checked_tokens(tokens)), None, caches, switches)
        logits = self.output(x)
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)

    def caches(self, num_examples: int = 1) -> list[Cache | State]:
        """Empty caches, one a block, to be passed to ``forward`` again and again."""
        like = self.embedding.weight
        return [block.attention.cache(num_examples, self.context, like) for block in self.stack.blocks]


class Encoder(Counted, nn.Module):
    """Bidirectional model: token numbers [B, T] → logits of each token [B, T, outputs], or one row [B, outputs].

    Derived in: book/algorithms/transformers. Source: devlin2019.

    Arguments:
        vocabulary: number of different tokens.
        context: most tokens in an example.
        num_outputs: logits a token (the vocabulary for masked prediction) or an example (classes).
        pooled: average the tokens that are not padding and return one row an example.
        padding: token number that fills short examples; nobody attends to it. None: no padding.
        seed: start of the random initial weights.
        block: ``attention.Config`` by keyword, without ``causal``.

    Raises:
        ValueError: a size out of range, or at the call tokens of another shape or a sequence above the context.
    """

    def __init__(
        self, vocabulary: int, context: int, num_outputs: int, *, pooled: bool = False, padding: int | None = None,
        seed: int = 0, **block: object,
    ) -> None:
        super().__init__()
        config = replace(Config(**block), causal=False)
        self.vocabulary, self.pooled, self.padding = checked_size("vocabulary", vocabulary), pooled, padding
        with device.seeded(seed):
            self.embedding = nn.Embedding(vocabulary, config.d_model)
            self.stack = Stack(config, context)
            self.output = nn.Linear(config.d_model, checked_size("num_outputs", num_outputs))
            nn.init.normal_(self.embedding.weight, std=_STANDARD_DEVIATION)
            self.stack.initialise()

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits [B, T, num_outputs], or [B, num_outputs] with ``pooled``, for ``tokens`` [B, T]."""
        x = self.embedding(_checked_tokens(tokens))
        real = None if self.padding is None else tokens != self.padding
        x = self.stack(x, real)
        if not self.pooled:
            return self.output(x)
        if real is None:
            return self.output(x.mean(dim=1))
        weight = real.unsqueeze(-1).to(x.dtype)
        return self.output((x * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0))


class VisionTransformer(Counted, nn.Module):
    """Images as a sequence of patches: [B, C, size, size] → logits [B, num_outputs].

    Derived in: book/algorithms/transformers. Source: dosovitskiy2021; an average replaces its class token.

    Arguments:
        in_channels: channels C of the image.
        num_outputs: logits an image.
        image_size: height and width in pixels, a multiple of ``patch``.
        patch: height and width of a patch in pixels.
        seed: start of the random initial weights.
        block: ``attention.Config`` by keyword, without ``causal``; positions are learned unless given.

    Raises:
        ValueError: a size out of range, or at the call images of another shape.
    """

    def __init__(
        self, in_channels: int, num_outputs: int, *, image_size: int, patch: int, seed: int = 0, **block: object
    ) -> None:
        super().__init__()
        config = replace(Config(**{"positions": "learned", **block}), causal=False)
        if checked_size("image_size", image_size) % checked_size("patch", patch):
            raise ValueError(f"patch must divide image_size, got {patch} and {image_size}")
        self.image_shape, self.patch = (checked_size("in_channels", in_channels), image_size, image_size), patch
        with device.seeded(seed):
            self.embedding = nn.Linear(in_channels * patch * patch, config.d_model)
            self.stack = Stack(config, (image_size // patch) ** 2)
            self.output = nn.Linear(config.d_model, checked_size("num_outputs", num_outputs))
            self.stack.initialise()

    def patches(self, x: Tensor) -> Tensor:
        """Cut images [B, C, size, size] into rows of pixels [B, patches, C · patch²], left to right, top to bottom."""
        return nn.functional.unfold(x, self.patch, stride=self.patch).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, num_outputs] for images ``x`` [B, C, size, size]."""
        if x.ndim != 4 or tuple(x.shape[1:]) != self.image_shape:
            wanted = ", ".join(map(str, self.image_shape))
            raise ValueError(f"VisionTransformer expects images [examples, {wanted}], got {list(x.shape)}")
        return self.output(self.stack(self.embedding(self.patches(x))).mean(dim=1))
