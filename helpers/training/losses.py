"""Which loss fits the targets, checks of the data, and evaluation of a whole split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.data import Split
from helpers.training.flops import Probe, chunk_size

Loss = Callable[[Tensor, Tensor], Tensor]

# The training loss of an epoch is measured after it on the first examples of the split: as many as there are
# validation examples, and never fewer than this. So both losses belong to the same weights and cost about the same.
_FEWEST_EVALUATED = 1024
IGNORED = -100  # a target that does not count, for padding and for tokens that need no prediction


def token_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy over the tokens [B, T] of logits [B, T, classes]; targets of −100 do not count."""
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


NAMED: dict[str, Loss] = {
    "mean squared error": F.mse_loss,
    "cross-entropy": F.cross_entropy,
    "token cross-entropy": token_cross_entropy,
    "binary cross-entropy": F.binary_cross_entropy_with_logits,
}


@dataclass(frozen=True)
class Score:
    """Result on a split.

    Attributes:
        loss: mean over the examples.
        accuracy: share of right classes, in [0, 1]; None where the targets are no classes.
        num_examples: number of examples.
        predictions: the predicted class [n], or the predicted values in the shape of the targets.
        outputs: what the model returned, [n, ...]: logits, or predicted values.
    """

    loss: float
    accuracy: float | None
    num_examples: int
    predictions: Tensor = field(repr=False, compare=False)
    outputs: Tensor | None = field(repr=False, compare=False)


@dataclass(frozen=True)
class Objective:
    """A loss that fits a model and its targets; made by ``objective``.

    Attributes:
        name: name of the loss.
        loss: function (outputs, prepared targets) → mean over the batch.
        flops: FLOP of a forward pass for one example, or None.
        chunk: examples to evaluate at once.
        num_outputs: outputs of the model for an example.
    """

    name: str
    loss: Loss
    flops: float | None
    chunk: int
    num_outputs: int

    def prepare(self, y: Tensor, like: torch.dtype = torch.float32) -> Tensor:
        """Targets in the form the loss takes: a column of floats for a binary logit or a single value."""
        if self.name == "binary cross-entropy":
            return y.reshape(-1, 1).to(like)
        return y.unsqueeze(-1) if self.name == "mean squared error" and y.ndim == 1 else y

    def predict(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Predicted classes or values in the shape of the targets ``y``."""
        if self.name == "binary cross-entropy":
            return (outputs > 0).reshape(y.shape).to(y.dtype)
        if not y.is_floating_point() and outputs.ndim == y.ndim + 1:
            return outputs.argmax(dim=1 if outputs.ndim > 3 else -1)
        return outputs.reshape(y.shape) if outputs.numel() == y.numel() else outputs


def objective(model: nn.Module, split: Split, loss: Loss | None = None) -> Objective:
    """Choose the loss: mean squared error for float targets, cross-entropy for integer ones (binary with one output).

    Looks at the model's outputs for two examples of ``split``, which lies on the model's device.

    Raises:
        ValueError: labels out of range, NaN or infinite features, shapes or dtypes that do not fit; the message names
            the value and where it stands.
    """
    check_features(split.x)
    if split.x.dtype is torch.uint8:
        raise ValueError("the features are uint8 (0 … 255): give the model floats in [0, 1], with x.float() / 255")
    parameter = next(model.parameters(), None)
    if parameter is not None and split.x.is_floating_point() and split.x.dtype != parameter.dtype:
        raise ValueError(
            f"the features are {_short(split.x.dtype)} but the model is {_short(parameter.dtype)}: "
            f"convert one of them, for example with x.to(torch.{_short(parameter.dtype)})"
        )
    was_training = model.training
    model.eval()
    with torch.no_grad(), Probe(model) as probe:
        few = split.x[:2]
        outputs = model(few)
    model.train(was_training)
    y = split.y
    if loss is not None:
        name, function = getattr(loss, "__name__", type(loss).__name__), loss
    else:
        name = _choose(outputs, y)
        function = NAMED[name]
        if name == "mean squared error":
            width = y.shape[1:] if y.ndim > 1 else torch.Size([1])
            if outputs.shape[1:] != width:
                raise ValueError(
                    f"the model returns {list(outputs.shape[1:])} values an example, the targets have {list(width)}"
                )
            if not torch.isfinite(y).all():
                position = int((~torch.isfinite(y)).reshape(len(y), -1).any(dim=1).nonzero()[0])
                raise ValueError(f"the targets hold NaN or infinite numbers, first in example {position}")
        else:
            check_labels(y, max(2, outputs.shape[-1 if name == "token cross-entropy" else 1]))
    flops = None if probe.flops is None else probe.flops / len(few)
    return Objective(name, function, flops, chunk_size(max(1, probe.largest // len(few))), outputs[0].numel())


def _choose(outputs: Tensor, y: Tensor) -> str:
    if y.is_floating_point():
        return "mean squared error"
    if outputs.ndim != 2 or y.ndim != 1:
        if outputs.ndim == y.ndim + 1 and outputs.ndim > 2:
            return "token cross-entropy" if outputs.ndim == 3 else "cross-entropy"
        raise ValueError(
            f"integer targets need outputs [examples, classes] and labels [examples], "
            f"got outputs {list(outputs.shape[1:])} an example and targets {list(y.shape)}"
        )
    return "binary cross-entropy" if outputs.shape[1] == 1 else "cross-entropy"


def check_labels(y: Tensor, num_classes: int) -> None:
    """Raises ValueError naming the first label outside 0 … num_classes − 1."""
    low, high = y.aminmax()
    if int(low) < 0 or int(high) >= num_classes:
        wrong = ((y < 0) | (y >= num_classes)).reshape(len(y), -1)
        if y.ndim > 1:
            wrong &= y.reshape(len(y), -1) != IGNORED
        if not wrong.any():
            return
        position = int(wrong.any(dim=1).nonzero()[0])
        label = int(y.reshape(len(y), -1)[position][wrong[position]][0])
        raise ValueError(
            f"label {label} of example {position} is out of range: the model tells {num_classes} classes apart, "
            f"so labels must lie in 0 … {num_classes - 1} ({int(wrong.sum())} of {y.numel()} labels are outside)"
        )


def check_features(x: Tensor) -> None:
    """Raises ValueError saying how many features are NaN or infinite, and where the first one stands."""
    if len(x) == 0:
        raise ValueError("there are no examples to train on")
    if x.is_floating_point() and not torch.isfinite(x.sum()) and not torch.isfinite(x).all():
        wrong = ~torch.isfinite(x)
        first = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"{int(wrong.sum())} of {x.numel()} features are NaN or infinite, the first one at example {first[0]}, "
            f"position {first[1:]}: remove these examples or fill the gaps"
        )


@torch.no_grad()
def evaluate_on(
    model: nn.Module, split: Split, goal: Objective, *, keep_outputs: bool = True
) -> tuple[float, Tensor, Tensor | None]:
    """Mean loss over all examples of ``split``, each once, the predictions, and the outputs [n, ...] if kept.

    Model and split lie on one device.
    """
    was_training = model.training
    model.eval()
    outputs, predictions, total, weights = [], [], 0.0, 0
    for x, y in zip(split.x.split(goal.chunk), split.y.split(goal.chunk), strict=True):
        out = model(x).float()
        weight = int((y != IGNORED).sum()) if goal.name == "token cross-entropy" else len(x)
        if weight:
            total, weights = total + goal.loss(out, goal.prepare(y)) * weight, weights + weight
        predictions.append(goal.predict(out, y))
        if keep_outputs:
            outputs.append(out)
    model.train(was_training)
    kept = torch.cat(outputs) if keep_outputs else None
    return float(total) / max(weights, 1), torch.cat(predictions), kept


def score_of(loss: float, predictions: Tensor, outputs: Tensor | None, split: Split) -> Score:
    """Put loss, accuracy and predictions together; targets that are not integers have no accuracy."""
    accuracy = None
    if not split.y.is_floating_point() and predictions.shape == split.y.shape:
        counted = split.y != IGNORED
        right = (predictions == split.y) & counted
        accuracy = int(right.sum()) / max(1, int(counted.sum()))
    return Score(loss, accuracy, len(split), predictions, outputs)


def evaluated(train: Split, validation: Split) -> Split:
    """The training examples on which the training loss is measured."""
    num = min(len(train), max(_FEWEST_EVALUATED, len(validation)))
    return train if num == len(train) else train.take(num)


def evaluate(model: nn.Module, split: Split, loss: Loss | None = None) -> Score:
    """Loss, accuracy and predictions of ``model`` on every example of ``split``, in evaluation mode.

    Arguments:
        model: any module; the computation runs where its parameters are.
        split: examples x [n, ...] and targets y [n] or [n, outputs].
        loss: function (outputs, targets) → mean; None chooses it from the targets, as ``fit`` does.

    Raises:
        ValueError: labels out of range, NaN or infinite features, or shapes that do not fit.
    """
    parameter = next(model.parameters(), None)
    there = split.to(parameter.device) if parameter is not None else split
    goal = objective(model, there, loss)
    return score_of(*evaluate_on(model, there, goal), there)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
