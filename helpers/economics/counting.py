"""Count parameters and forward FLOP of networks, layer by layer, without building them.

FLOP means matrix products and convolutions only: 2 per multiply-add. Biases, norms, activations, pooling and
table look-ups count 0. A backward pass costs twice the forward pass. Parameters are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helpers.economics import checks


@dataclass(frozen=True)
class Layer:
    """One row of a count.

    Attributes:
        name: name of the layer.
        parameters: numbers that are learned.
        active_parameters: those that take part for one token; fewer than `parameters` only with experts.
        flops: forward FLOP per example or token, as the `Count` says.
    """

    name: str
    parameters: int
    active_parameters: int
    flops: int


@dataclass(frozen=True)
class Count:
    """Parameters and forward FLOP of a network.

    Attributes:
        layers: the rows, in order of the forward pass.
        per: what `flops` refers to, "example" or "token".
        kv_elements: numbers that the key-value cache keeps per token, 0 for networks without one.
    """

    layers: tuple[Layer, ...]
    per: str = "example"
    kv_elements: int = 0

    @property
    def parameters(self) -> int:
        """All learned numbers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def active_parameters(self) -> int:
        """Learned numbers that take part for one token."""
        return sum(layer.active_parameters for layer in self.layers)

    @property
    def flops(self) -> int:
        """Forward FLOP per example or token."""
        return sum(layer.flops for layer in self.layers)

    @property
    def flops_training(self) -> int:
        """Forward and backward FLOP per example or token: three times forward."""
        return 3 * self.flops

    def __str__(self) -> str:
        """Say parameters and FLOP in one line."""
        active = "" if self.active_parameters == self.parameters else f", {self.active_parameters:,} active"
        return f"{self.parameters:,} parameters{active}, {self.flops:,} FLOP forward per {self.per}"


def _dense(name: str, num_inputs: int, num_outputs: int, *, bias: bool = True, times: int = 1) -> Layer:
    """Count one affine map that is applied `times` times per example."""
    parameters = num_inputs * num_outputs + (num_outputs if bias else 0)
    return Layer(name, parameters, parameters, 2 * num_inputs * num_outputs * times)


def count_mlp(num_inputs: int, hidden: Sequence[int], num_outputs: int, *, bias: bool = True) -> Count:
    """Count a multilayer perceptron; an empty `hidden` is linear or softmax regression.

    Args:
        num_inputs: features per example.
        hidden: units of each hidden layer.
        num_outputs: outputs per example.
        bias: whether each layer has a bias vector.

    Returns:
        `Count` per example.

    Raises:
        ValueError: a width is not a whole number of at least 1.

    Source: goodfellow2016. Derived in: book/concepts/what_is_large.
    """
    widths = [checks.count("num_inputs", num_inputs)]
    widths += [checks.count("hidden", width) for width in hidden]
    widths.append(checks.count("num_outputs", num_outputs))
    pairs = enumerate(zip(widths[:-1], widths[1:], strict=True), start=1)
    return Count(tuple(_dense(f"dense {i}", a, b, bias=bias) for i, (a, b) in pairs))


def count_cnn(
    in_channels: int,
    channels: Sequence[int],
    num_outputs: int,
    *,
    image_size: int,
    hidden: int | None = 128,
    kernel: int = 3,
    pool: int = 2,
    padding: str = "valid",
    global_pool: bool = False,
) -> Count:
    """Count a convolutional network: stages of convolution, ReLU and max-pooling, then dense layers.

    Convolutions have stride 1 and a bias; pooling has stride `pool` and drops an incomplete border.

    Args:
        in_channels: channels of the image.
        channels: output channels of each stage.
        num_outputs: outputs per image.
        image_size: height and width of the image in pixels.
        hidden: units of the dense layer before the output; None leaves it out.
        kernel: height and width of the kernels in pixels, odd for padding "same".
        pool: height and width of the pooling window in pixels.
        padding: "valid" (no border) or "same" (size kept).
        global_pool: average each channel over the image before the dense layers.

    Returns:
        `Count` per image.

    Raises:
        ValueError: a size is not a whole number of at least 1, the padding is unknown, or the image gets too small.

    Source: goodfellow2016. Derived in: book/concepts/what_is_large.
    """
    checks.one_of("padding", padding, ("valid", "same"))
    size = checks.count("image_size", image_size)
    inputs = checks.count("in_channels", in_channels)
    kernel, pool = checks.count("kernel", kernel), checks.count("pool", pool)
    if padding == "same" and kernel % 2 == 0:
        raise ValueError(f"kernel must be odd with padding 'same', found {kernel}; "
                         f"use {kernel + 1} or padding 'valid'.")
    layers = []
    for stage, outputs in enumerate(channels, start=1):
        outputs = checks.count("channels", outputs)
        size = size if padding == "same" else size - kernel + 1
        if size < pool:
            raise ValueError(f"image_size {image_size} is too small for {len(channels)} stages: stage {stage} has "
                             f"{max(size, 0)} pixels left to pool by {pool}; use fewer stages or a larger image.")
        weights = inputs * outputs * kernel * kernel
        layers.append(Layer(f"convolution {stage}", weights + outputs, weights + outputs, 2 * weights * size * size))
        size, inputs = size // pool, outputs
    features = inputs if global_pool else inputs * size * size
    if hidden is not None:
        layers.append(_dense("dense", features, checks.count("hidden", hidden)))
        features = hidden
    layers.append(_dense("output", features, checks.count("num_outputs", num_outputs)))
    return Count(tuple(layers))


def count_lstm(
    num_inputs: int,
    hidden: int,
    *,
    num_layers: int = 1,
    num_outputs: int = 0,
    vocabulary: int = 0,
    length: int = 1,
    every_step: bool = False,
) -> Count:
    """Count a one-directional LSTM as torch builds it: two bias vectors per layer.

    Args:
        num_inputs: features per step, or the width of the embedding when `vocabulary` is given.
        hidden: units of the state.
        num_layers: LSTM layers on top of each other.
        num_outputs: outputs of a dense layer on the state; 0 leaves it out.
        vocabulary: rows of an embedding table in front; 0 leaves it out.
        length: steps per example.
        every_step: apply the output layer at each step (language model) instead of once (classifier).

    Returns:
        `Count` per example of `length` steps.

    Raises:
        ValueError: a size is not a whole number of the allowed range.

    Source: hochreiter1997. Derived in: book/concepts/what_is_large.
    """
    inputs, hidden = checks.count("num_inputs", num_inputs), checks.count("hidden", hidden)
    length = checks.count("length", length)
    layers = []
    if checks.count("vocabulary", vocabulary, at_least=0):
        layers.append(Layer("embedding", vocabulary * inputs, vocabulary * inputs, 0))
    for number in range(1, checks.count("num_layers", num_layers) + 1):
        weights = 4 * hidden * (inputs + hidden)
        parameters = weights + 8 * hidden
        layers.append(Layer(f"lstm {number}", parameters, parameters, 2 * weights * length))
        inputs = hidden
    if checks.count("num_outputs", num_outputs, at_least=0):
        layers.append(_dense("output", hidden, num_outputs, times=length if every_step else 1))
    return Count(tuple(layers))
