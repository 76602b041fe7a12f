"""Multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from helpers import device
from helpers.models._count import Counted, check_features, checked_dropout, checked_size

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


class MLP(Counted, nn.Module):
    """Multilayer perceptron: linear layers with an activation between them, none after the last.

    Derived in: book/algorithms/multilayer_perceptron.

    Arguments:
        num_inputs: number of features.
        hidden: widths of the hidden layers, for example [128] or [64, 64]; [] gives a linear model.
        num_outputs: number of outputs (logits of the classes, or predicted values).
        activation: "relu", "tanh", "sigmoid", "gelu" or "silu".
        dropout: probability of dropping a hidden value during training, in [0, 1).
        seed: start of the random initial weights.

    Raises:
        ValueError: a size below 1, an unknown activation, a dropout outside [0, 1), or at the call inputs of another
            width.
    """

    def __init__(
        self,
        num_inputs: int,
        hidden: Sequence[int],
        num_outputs: int,
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if isinstance(hidden, (int, str)):
            raise ValueError(f"hidden must be a list of widths such as [128], got {hidden!r}")
        if activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {activation!r}: use one of {', '.join(ACTIVATIONS)}")
        self.num_inputs = checked_size("num_inputs", num_inputs)
        self.num_outputs = checked_size("num_outputs", num_outputs)
        self.hidden = [checked_size("a width in hidden", width) for width in hidden]
        self.activation = activation
        widths = [self.num_inputs, *self.hidden, self.num_outputs]
        layers: list[nn.Module] = []
        between = 2 if checked_dropout(dropout) else 1  # modules after a hidden layer
        with device.seeded(seed):
            for before, after in zip(widths[:-1], widths[1:], strict=True):
                layers += [nn.Linear(before, after), ACTIVATIONS[activation](), nn.Dropout(dropout)][: 1 + between]
        self.layers = nn.Sequential(*layers[:-between])

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [examples, num_outputs] for ``x`` [examples, num_inputs]."""
        check_features("MLP", x, self.num_inputs)
        return self.layers(x)
