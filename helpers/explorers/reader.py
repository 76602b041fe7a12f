"""Draw a digit: a convolutional network reads it inside the page, and can be fooled there."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from helpers.data import strokes as pens

from .base import Explorer, pack_float16

CLASSES = "0123456789"
LETTER_A = [[[0.05, 1.0], [0.5, 0.0], [0.95, 1.0]], [[0.22, 0.62], [0.78, 0.62]]]
WORDS = {
    "example": "shown", "own": "your drawing", "digit": "digit {name}", "letter": "a letter A", "pen": "pen",
    "turn": "turn", "right": "move right", "down": "move down", "noise": "noise", "attack": "attack",
    "pixels": "px", "degrees": "°", "draw": "Draw here", "sees": "What the network sees, 28 × 28",
    "answer": "What it answers", "undo": "Take back", "clear": "Clear", "share": "probability", "class": "digit",
    "area": "Drawing area. Draw with the mouse or a finger. Arrow keys move the picture, "
            "Backspace takes back a stroke, Delete clears.",
    "empty": "Nothing is drawn. Draw a digit, or choose one.",
    "below": "less than {share}", "over": "over {share}",
    "status": "Read as {answer} with {share}; next {second} with {rest}.",
    "fooled": "Before the attack it read {before} with {clean}.",
}


class GlyphReader(Explorer):
    """A drawing, the picture that the network sees, and its ten probabilities, all computed where it is drawn.

    Args:
        weights: parameters of ``models.CNN(1, channels, 10, image_size=28, hidden=None)`` without batch normalisation,
            in the order of ``parameters()``; rounded to 16 bits.
        channels: channels after each stage.
        digit: drawing shown first.
        source: where the network comes from.

    Raises:
        ValueError: another number of weights than the channels ask for, or more than 100,000.

    Derived in: book/algorithms/convolution.
    """

    module = "reader"

    def __init__(self, weights: Any, channels: Sequence[int], *, digit: int = 3, source: str = "",
                 hint: str = "Draw a digit from 0 to 9 with the mouse or a finger. Then try to fool the network.",
                 id: str | None = None) -> None:
        flat = np.asarray(weights, dtype=np.float64).ravel()
        wanted = num_weights(channels)
        if len(flat) != wanted:
            raise ValueError(f"A reader with channels {list(channels)} has {wanted:,} weights, found {len(flat):,}.")
        if wanted > 100_000:
            raise ValueError(f"A network in a page has at most 100,000 weights, found {wanted:,}: use fewer channels.")
        super().__init__({
            "title": "Draw a digit, and see it read", "hint": hint, "words": WORDS, "source": source,
            "weights": pack_float16(flat), "channels": list(channels), "classes": list(CLASSES), "size": 28,
            "examples": [pens.example(k, 1 if k in (1, 9) else 0) for k in range(10)] + [LETTER_A],
            "start": str(digit),
        }, id=id)

    @classmethod
    def from_record(cls, record: Mapping[str, Any], **options: Any) -> GlyphReader:
        """The explorer of a recorded reader, such as ``records.load("glyph-reader")``; options as in the class."""
        source = f"A network of {record['results']['num_parameters']:,} weights in 16 bits; it runs in this page."
        return cls(recorded_weights(record), record["configuration"]["network"]["channels"], source=source, **options)

    @staticmethod
    def compute(
        weights: Sequence[float], channels: Sequence[int], strokes: Sequence[Any], pen: float = 1.3, turn: float = 0.0,
        right: float = 0.0, down: float = 0.0, noise: float = 0.0, attack: float = 0.0, size: int = 28,
    ) -> dict:
        """Picture of a drawing and the network's answer, by PyTorch in float64.

        Args:
            weights, channels: the network.
            strokes, pen, turn, right, down, size: as in ``helpers.data.strokes.picture``.
            noise: largest change of a pixel by a fixed random pattern.
            attack: change of every pixel against the answer, by the sign of the loss's slope there.

        Returns:
            ``image``: grey values, row by row; ``logits``; ``before``: logits without the attack.
        """
        import torch
        import torch.nn.functional as F

        image = torch.tensor(pens.picture(strokes, pen=pen, turn=turn, right=right, down=down, size=size))
        image = (image + noise * torch.tensor(grain(size * size), dtype=torch.float64).reshape(size, size)).clamp(0, 1)
        flat, place = torch.tensor(np.asarray(weights, dtype=np.float64)), 0

        def take(*shape: int) -> Any:
            nonlocal place
            place += int(np.prod(shape))
            return flat[place - int(np.prod(shape)) : place].reshape(shape)

        layers, before, side = [], 1, size
        for after in channels:
            layers.append((take(after, before, 3, 3), take(after)))
            before, side = after, side // 2
        head = (take(10, before * side * side), take(10))

        def forward(x: Any) -> Any:
            for weight, bias in layers:
                x = F.max_pool2d(F.relu(F.conv2d(x, weight, bias, padding=1)), 2)
            return F.linear(x.flatten(1), *head)

        x = image[None, None].requires_grad_()
        clean = forward(x)
        if attack:
            (slope,) = torch.autograd.grad(F.cross_entropy(clean, clean.argmax(dim=1)), x)
            x = (x.detach() + attack * slope.sign()).clamp(0, 1)
        return {"image": x.detach().flatten().tolist(), "logits": forward(x)[0].tolist(), "before": clean[0].tolist()}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared: small random networks on small pictures."""
        rng = np.random.default_rng(0)
        out = []
        for channels, size, more in (
            ([3], 10, {}), ([4, 5], 13, {"turn": 20.0, "right": 2.0, "down": -1.0}),
            ([4, 6], 12, {"noise": 0.3}), ([3, 4, 5], 28, {"noise": 0.2, "attack": 0.1, "pen": 0.7}),
        ):
            weights = (rng.normal(size=num_weights(channels, size)) * 0.4).round(3).tolist()
            out.append({"weights": weights, "channels": channels, "size": size,
                        "strokes": pens.example(len(channels) + 2), **more})
        return [*out, {**out[0], "strokes": []}, {**out[0], "strokes": [[[0.3, 0.4]]]}]


def recorded_weights(record: Mapping[str, Any]) -> np.ndarray:
    """Weights of a recorded reader, rounded to 16 bits, in the order of ``parameters()``: float64, shape [n]."""
    return np.frombuffer(base64.b64decode(record["results"]["weights_float16"]), dtype="<f2").astype(np.float64)


def num_weights(channels: Sequence[int], size: int = 28, num_classes: int = 10) -> int:
    """Parameters of the network that reads: stages of 3×3 convolution and pooling, then one dense layer."""
    pairs = zip([1, *channels], channels)
    return sum(9 * a * b + b for a, b in pairs) + num_classes * (channels[-1] * (size >> len(channels)) ** 2 + 1)


def grain(num: int) -> list[float]:
    """Fixed pattern of numbers in [−1, 1) that looks random and is the same in Python and in the page."""
    state, out = 1, []
    for _ in range(num):
        state = state * 48271 % 2147483647                     # Lehmer's generator: exact in doubles
        out.append(2 * state / 2147483647 - 1)
    return out
