"""Many small networks of one shape trained as one: their parameters are stacked and the gradients written out.

Activations lie features first, [num_models, features, examples]: a softmax or a sum over the few outputs then runs
along contiguous memory, and the first layer, whose inputs all models share, is one matrix product for all of them.
Models do not interact, so that one which diverges does not disturb the others.

Shapes below: K models, B examples, I inputs and O outputs of a layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from helpers.training import optimisers

_relu_backward = torch.ops.aten.threshold_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def chain(model: nn.Module) -> list[nn.Module] | None:
    """The layers of a plain chain (linear, ReLU, tanh; ending in a linear layer), or None for any other model."""
    if isinstance(model, nn.Linear):
        layers: list[nn.Module] = [model]
    else:
        children = list(model.children())
        inner = children[0] if len(children) == 1 and isinstance(children[0], nn.Sequential) else model
        if not isinstance(inner, nn.Sequential) or any(True for _ in model.parameters(recurse=False)):
            return None
        if inner is not model and not type(model).__module__.startswith("helpers.models."):
            return None  # a forward pass of the reader's own may do more than its layers
        layers = list(inner)
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    if not linear or layers[0] is not linear[0] or layers[-1] is not linear[-1]:
        return None
    for before, after in zip(layers, layers[1:], strict=False):
        if isinstance(before, nn.Linear) == isinstance(after, nn.Linear):
            return None
    kinds = (nn.Linear, nn.ReLU, nn.Tanh)
    plain = all(isinstance(layer, kinds) for layer in layers) and all(layer.bias is not None for layer in linear)
    floats = all(parameter.dtype is torch.float32 and parameter.requires_grad for parameter in model.parameters())
    return layers if plain and floats else None


class Stack:
    """K copies of a chain with their own parameters and learning rates.

    Arguments:
        models: one model a seed, all of one shape; they stay as they are.
        lrs: learning rate of each of the K copies.
        starts: for each copy the number of the model whose weights it starts from.
        loss: "mean squared error", "cross-entropy" or "binary cross-entropy".
        optimiser, momentum: as in ``optimisers.make``.
        weight_decay: λ of each of the K copies.
    """

    def __init__(
        self,
        models: list[nn.Module],
        lrs: Tensor,  # [K]
        starts: list[int],
        loss: str,
        optimiser: str,
        *,
        weight_decay: Tensor,  # [K]
        momentum: float,
    ) -> None:
        layers = chain(models[0])
        assert layers is not None, "only a chain can be stacked"
        self.activations = [type(layer) for layer in layers[1::2]]
        self.names = [name for name, _ in models[0].named_parameters()]  # weight, bias, weight, bias …
        self.device = lrs.device
        parameters = [list(model.parameters()) for model in models]
        self.values = [torch.stack([parameters[start][i].detach() for start in starts]) for i in range(len(self.names))]
        self.num_models = len(starts)
        self.loss, self.kind = loss, optimiser
        self.lrs, self.weight_decay = lrs.to(torch.float32), weight_decay.to(torch.float32)
        self._decays = bool(weight_decay.any())
        # The optimiser moves parameters that start at zero with learning rate 1; what they become is the direction.
        self._directions = [nn.Parameter(torch.zeros_like(value)) for value in self.values]
        moved: list = self._directions
        if optimiser == "muon":  # as muon.split does: hidden weights, then the last layer and the biases
            hidden = self._directions[:-2:2]
            moved = [{"params": hidden, "muon": True}] if hidden else []
            moved.append({"params": [*self._directions[1:-2:2], *self._directions[-2:]], "muon": False})
        self._optimiser = optimisers.make(optimiser, moved, 1.0, momentum=momentum)
        self._move = optimisers.bare_step(self._optimiser)
        self._buffers: dict[tuple, Tensor] = {}

    @torch.no_grad()
    def outputs(self, x: Tensor) -> Tensor:
        """Outputs [K, O, B] for inputs x [B, I]."""
        return self._forward(x, "evaluate")[-1]

    @torch.no_grad()
    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Sum of the losses of the examples, [K], from outputs [K, O, B] and prepared targets.

        Targets are labels [B] or values [B, O] that all models share, or the same with K in front, a set for each.
        """
        if self.loss == "cross-entropy":
            picked = outputs.gather(1, y.expand(len(outputs), -1).unsqueeze(1))
            return (outputs.logsumexp(1) - picked.squeeze(1)).sum(1)
        if self.loss == "binary cross-entropy":
            return (nn.functional.softplus(outputs) - outputs * y.mT).sum((1, 2))
        return (outputs - y.mT).square().mean(1).sum(1)

    @torch.no_grad()
    def step(self, x: Tensor, target: Tensor, multiplier: float = 1.0) -> None:
        """One update of all models on the batch x [B, I] with its ``target`` [B, O], or [K, B, O]: one for each."""
        hidden = self._forward(x, "train")
        delta = hidden[-1]
        if self.loss == "cross-entropy":
            delta = torch.softmax(delta, 1, out=self._buffer("softmax", delta))
        elif self.loss == "binary cross-entropy":
            delta.sigmoid_()
        num_examples, num_outputs = target.shape[-2:]
        square = self.loss == "mean squared error"
        delta.sub_(target.mT).mul_(2.0 / (num_examples * num_outputs) if square else 1.0 / num_examples)
        for layer in range(len(self.activations), -1, -1):
            weight = self.values[2 * layer]
            num_models, num_outputs, num_inputs = weight.shape
            gradient = self._buffer(("gradient", layer), weight)
            if layer == 0:
                flat = gradient.view(num_models * num_outputs, num_inputs)
                torch.mm(delta.reshape(num_models * num_outputs, -1), x, out=flat)
            else:
                torch.bmm(delta, hidden[layer].transpose(1, 2), out=gradient)
            self._directions[2 * layer].grad = gradient
            self._directions[2 * layer + 1].grad = delta.sum(2)
            if layer > 0:
                below = self._buffer(("delta", layer), hidden[layer])
                torch.bmm(weight.transpose(1, 2), delta, out=below)
                if self.activations[layer - 1] is nn.ReLU:
                    delta = _relu_backward(below, hidden[layer], 0, grad_input=below)
                else:
                    delta = _tanh_backward(below, hidden[layer], grad_input=below)
        self._update(multiplier)

    def targets(self, y: Tensor, num_outputs: int) -> Tensor:
        """Prepared targets as ``step`` takes them, [..., n, O]: a one-hot row for each label, or the values."""
        if self.loss != "cross-entropy":
            return y
        return nn.functional.one_hot(y, num_outputs).to(torch.float32)

    def freeze(self, diverged: Tensor) -> None:
        """Stop the models where ``diverged`` [K] is true; their parameters become zero and no longer move."""
        self.lrs = torch.where(diverged, 0.0, self.lrs)
        states = [value for state in self._optimiser.state.values() for value in state.values()]
        for tensor in [*self.values, *(value for value in states if value is not None and value.ndim > 0)]:
            tensor[diverged] = 0.0

    def _update(self, multiplier: float) -> None:
        if self._decays and self.kind in ("adamw", "muon"):
            keep = 1.0 - self.weight_decay * multiplier * self.lrs
            for value in self.values:
                value.mul_(_like(keep, value))
        elif self._decays:
            for value, direction in zip(self.values, self._directions, strict=True):
                direction.grad.addcmul_(value, _like(self.weight_decay, value))
        if self.kind == "sgd":
            for value, direction in zip(self.values, self._directions, strict=True):
                value.addcmul_(direction.grad, _like(self.lrs, value), value=-multiplier)
            return
        for direction in self._directions:
            direction.zero_()
        self._move(self._optimiser)
        for value, direction in zip(self.values, self._directions, strict=True):
            value.addcmul_(direction, _like(self.lrs, value), value=multiplier)

    def _forward(self, x: Tensor, use: str) -> list[Tensor]:
        hidden = [x]
        for layer, (weight, bias) in enumerate(zip(self.values[::2], self.values[1::2], strict=True)):
            num_models, num_outputs, num_inputs = weight.shape
            out = self._buffer((use, layer), shape=(num_models, num_outputs, len(x)))
            if layer == 0:
                flat = out.view(num_models * num_outputs, len(x))
                torch.mm(weight.view(num_models * num_outputs, num_inputs), x.t(), out=flat)
                out.add_(bias.unsqueeze(2))
            else:
                torch.baddbmm(bias.unsqueeze(2), weight, hidden[-1], out=out)
            if layer < len(self.activations):
                out = out.relu_() if self.activations[layer] is nn.ReLU else out.tanh_()
            hidden.append(out)
        return hidden

    def _buffer(self, name: object, like: Tensor | None = None, shape: tuple[int, ...] | None = None) -> Tensor:
        """Memory that is kept between steps; fresh memory for every product would cost as much as the product."""
        key = (name, tuple(like.shape) if shape is None else shape)
        if key not in self._buffers:
            self._buffers[key] = torch.empty(key[1], device=self.device)
        return self._buffers[key]


def _like(values: Tensor, parameter: Tensor) -> Tensor:
    return values.view(-1, *[1] * (parameter.ndim - 1))
