"""Linear models: regression and softmax classification."""

from __future__ import annotations

from torch import Tensor, nn

from helpers import device
from helpers.models._count import Counted, check_features, checked_size


class Linear(Counted, nn.Linear):
    """Linear regression, ``y = x Wᵀ + b``.

    ``weight`` has shape [num_outputs, num_inputs], ``bias`` [num_outputs]; both start uniform in ±1/√num_inputs.
    Derived in: book/algorithms/linear_regression.

    Arguments:
        num_inputs: number of features.
        num_outputs: number of values predicted for each example.
        seed: start of the random initial weights.

    Raises:
        ValueError: a size below 1, or at the call inputs whose last dimension is not ``num_inputs``.
    """

    def __init__(self, num_inputs: int, num_outputs: int = 1, *, seed: int = 0) -> None:
        with device.seeded(seed):
            super().__init__(checked_size("num_inputs", num_inputs), checked_size("num_outputs", num_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Predictions [examples, num_outputs] for ``x`` [examples, num_inputs]."""
        check_features(type(self).__name__, x, self.in_features)
        return super().forward(x)


class Softmax(Linear):
    """Softmax regression: one linear layer whose outputs are logits, one for each class.

    ``softmax(model(x), dim=-1)`` gives probabilities; the loss works on the logits, which is exact where the
    probabilities would underflow. Derived in: book/algorithms/softmax_regression.

    Arguments:
        num_inputs: number of features.
        num_classes: number of classes.
        seed: start of the random initial weights.

    Raises:
        ValueError: a size below 1, or at the call inputs whose last dimension is not ``num_inputs``.
    """

    def __init__(self, num_inputs: int, num_classes: int, *, seed: int = 0) -> None:
        super().__init__(num_inputs, checked_size("num_classes", num_classes), seed=seed)
