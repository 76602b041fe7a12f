"""Floating-point operations (FLOP) of a model, counted from the shapes of its matrix products."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# A training step costs three forward passes: the backward pass needs two products for each one of the forward pass.
PASSES_PER_STEP = 3


class Probe:
    """Watches one forward pass: FLOP of its matrix products, and the largest output of a layer.

    Use it as a context around ``model(x)``. ``flops`` is None if the model keeps weights in layers of another kind,
    since their products are not counted here.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.flops: int | None = 0
        self.largest = 1  # numbers in the largest output
        self._handles: list = []

    def __enter__(self) -> Probe:
        for module in self.model.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                self._handles.append(module.register_forward_hook(self._count))
            elif isinstance(module, nn.RNNBase):
                self._handles.append(module.register_forward_hook(self._count_recurrent))
            elif hasattr(module, "flops"):  # attention says itself what its products cost
                self._handles.append(module.register_forward_hook(self._add))
            elif any(parameter.ndim > 1 for parameter in module.parameters(recurse=False)):
                if not isinstance(module, nn.Embedding):
                    self.flops = None
            if next(module.children(), None) is None:
                self._handles.append(module.register_forward_hook(self._measure))
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _count(self, module: nn.Linear | nn.Conv2d, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        products = module.weight[0].numel()  # multiply-adds for one output number
        if self.flops is not None:
            self.flops += 2 * products * output.numel()

    def _count_recurrent(self, module: nn.RNNBase, inputs: tuple, output: object) -> None:
        steps = inputs[0].data  # of a packed sequence too: the real steps [..., inputs]
        weights = sum(parameter.numel() for parameter in module.parameters() if parameter.ndim > 1)
        if self.flops is not None:
            self.flops += 2 * weights * (steps.numel() // steps.shape[-1])

    def _add(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if self.flops is not None:
            self.flops += module.flops(inputs[0])

    def _measure(self, module: nn.Module, inputs: tuple, output: object) -> None:
        if isinstance(output, Tensor):
            self.largest = max(self.largest, output.numel())


def flops_forward(model: nn.Module, x: Tensor) -> int | None:
    """FLOP of one forward pass of ``model`` for the examples ``x``: 2 for each multiply-add in a matrix product.

    Training costs three times as much (``PASSES_PER_STEP``). Biases, activations and pooling are not counted.
    None for a model with weights in other layers than linear ones, convolutions, embeddings, torch's recurrent cells
    and modules that count themselves with a method ``flops(x)``, as attention does.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad(), Probe(model) as probe:
        model(x)
    model.train(was_training)
    return probe.flops


def chunk_size(largest: int) -> int:
    """Examples to evaluate at once when the largest layer output has ``largest`` numbers an example (about 64 MB)."""
    return max(1, min(8192, 2 ** math.floor(math.log2(max(1.0, 2**24 / largest)))))
