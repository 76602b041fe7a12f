"""Training programs in plain PyTorch, healthy and with one fault each: a fault is a subclass that changes one method.

``benchmarks.broken`` runs them; here are those on handwritten digits.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from helpers import data, device

Part = tuple[Tensor, Tensor]


class Program:
    """Handwritten digits, two hidden layers, SGD with momentum: the healthy program.

    Arguments:
        seed: of weights and order.
    """

    task = "real handwritten digits, 64-64-64-10, SGD with momentum, rate 0.05, batches of 50"
    lr, batch, epochs, num_inputs, classes = 0.05, 50, 12, 64, 10
    momentum, score_name = 0.9, "accuracy"

    def __init__(self, seed: int = 0) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.train, self.validation, self.served = self.prepare()
        with device.seeded(seed):
            self.model, self.optimiser = self.build()

    def prepare(self) -> tuple[Part, Part, Part]:
        """Training part, validation part, and the test part prepared as in service."""
        loaded = data.load("digits", seed=0)
        return tuple((part.x, part.y) for part in (loaded.train, loaded.validation, loaded.test))

    def make(self) -> nn.Module:
        """An untrained network."""
        sizes = [self.num_inputs, 64, 64]
        layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in self.stage(a, b)]
        return nn.Sequential(*layers, nn.Linear(64, self.classes))

    def stage(self, a: int, b: int) -> list[nn.Module]:
        """One hidden layer from ``a`` to ``b`` units."""
        return [nn.Linear(a, b), nn.ReLU()]

    def build(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The network and the optimiser that moves it."""
        model = self.make()
        return model, torch.optim.SGD(model.parameters(), lr=self.lr, momentum=self.momentum)

    def outputs(self, x: Tensor) -> Tensor:
        """What the network answers."""
        return self.model(x)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Mean loss of a batch, nats."""
        return F.cross_entropy(outputs, y)

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """Share of right answers."""
        return (outputs.argmax(-1) == y).float().mean().item()

    def order(self, num: int) -> Tensor:
        """Order of the examples in one epoch."""
        return torch.randperm(num, generator=self.generator)

    def mode_to_measure(self) -> None:
        """Prepare the network for a measurement."""
        self.model.eval()

    def clear(self) -> None:
        """Forget the gradients of the step before."""
        self.optimiser.zero_grad()

    def update(self, x: Tensor, y: Tensor) -> float:
        """One step on one batch; the batch loss before it."""
        self.model.train()
        loss = self.loss(self.outputs(x), y)
        self.clear()
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def measure(self, part: Part) -> tuple[float, float]:
        """Loss and score as this program measures them."""
        self.mode_to_measure()
        with torch.no_grad():
            outputs = self.outputs(part[0])
            return self.loss(outputs, part[1]).item(), self.score(outputs, part[1])

    def measure_served(self) -> float:
        """Score on the test part, as in service."""
        self.model.eval()
        with torch.no_grad():
            return self.score(self.outputs(self.served[0]), self.served[1])

    def expected_start(self) -> float:
        """Loss of an answer that knows nothing."""
        return math.log(self.classes)

    def layers(self) -> dict[str, nn.Module]:
        """The layers whose gradients are watched."""
        linear = [layer for layer in self.model.modules() if isinstance(layer, nn.Linear)]
        return {f"layer {k}": layer for k, layer in enumerate(linear, 1)}

    def sees_too_much(self) -> bool:
        """Whether an output changes with an input that it must not see: here another example of the batch."""
        self.model.eval()
        x = self.validation[0][:8].clone()
        with torch.no_grad():
            before = self.outputs(x)
            x[-1] = self.validation[0][9]
            return bool((self.outputs(x) - before)[:-1].abs().max() > 1e-4)


class RateHigh(Program):
    """The fault: a rate a hundred times too high."""

    lr = 5.0


class RateLow(Program):
    """The fault: a rate a hundred times too low."""

    lr = 0.0005


class Plain(Program):
    """The healthy program without momentum."""

    task = "real handwritten digits, 64-64-64-10, plain SGD, rate 0.05, batches of 50"
    lr, momentum, epochs = 0.05, 0.0, 24


class Piling(Plain):
    """Slopes of all steps pile up."""

    def clear(self) -> None:
        """The fault: nothing is cleared."""


class SoftmaxTwice(Program):
    """Softmax in the network, and again inside the loss."""

    def outputs(self, x: Tensor) -> Tensor:
        """The fault: probabilities where the loss expects logits."""
        return torch.softmax(self.model(x), dim=-1)


class Mismatched(Program):
    """Pictures and labels do not belong together."""

    def prepare(self) -> tuple[Part, Part, Part]:
        """The fault: the pictures of the training part are shuffled, their labels are not."""
        (x, y), validation, served = super().prepare()
        return (x[torch.randperm(len(x), generator=self.generator)], y), validation, served


class Sorted(Program):
    """Training examples lie sorted by class."""

    task = "real handwritten digits from ten folders, 64-64-64-10, SGD with momentum, rate 0.01, batches of 50"
    lr = 0.01

    def prepare(self) -> tuple[Part, Part, Part]:
        """Training examples sorted by class, as a folder of folders gives them."""
        (x, y), validation, served = super().prepare()
        by_class = torch.argsort(y, stable=True)
        return (x[by_class], y[by_class]), validation, served


class Unshuffled(Sorted):
    """Sorted examples, taken in their order."""

    def order(self, num: int) -> Tensor:
        """The fault: always the order of the file."""
        return torch.arange(num)


class Dropout(Program):
    """The healthy program with dropout."""

    task = "real handwritten digits, 64-64-64-10 with dropout 0.5, SGD with momentum, rate 0.05, batches of 50"

    def stage(self, a: int, b: int) -> list[nn.Module]:
        """A hidden layer with dropout."""
        return [*super().stage(a, b), nn.Dropout(0.5)]


class TrainingMode(Dropout):
    """Dropout goes on while it is measured."""

    def mode_to_measure(self) -> None:
        """The fault: the network is measured as it trains."""
        self.model.train()


class Dead(Program):
    """No hidden unit is ever on."""

    def make(self) -> nn.Module:
        """The fault: uniform between -bound and 0, where -bound and bound were meant."""
        model = super().make()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 2:
                    parameter.copy_((torch.rand(parameter.shape) - 1) / parameter.shape[1] ** 0.5)
        return model


class Leak(Program):
    """Columns that hold the class."""

    task = "real handwritten digits and ten columns of the archive, 74-64-64-10, SGD with momentum, rate 0.05"
    num_inputs = 74

    def prepare(self) -> tuple[Part, Part, Part]:
        """The fault: columns that were written after somebody knew the class; in service they are empty."""
        parts = super().prepare()
        columns = [5 * F.one_hot(y, 10).float() for _, y in parts[:2]] + [torch.zeros(len(parts[2][1]), 10)]
        return tuple((torch.cat([x, more], dim=1), y) for (x, y), more in zip(parts, columns))


class NoLeak(Leak):
    """The same columns, empty everywhere."""

    def prepare(self) -> tuple[Part, Part, Part]:
        """The columns are empty in training as well."""
        return tuple((torch.cat([x[:, :64], 0 * x[:, 64:]], dim=1), y) for x, y in super().prepare())


class Cut(Program):
    """Only the last layer gets slopes."""

    def outputs(self, x: Tensor) -> Tensor:
        """The fault: the graph is cut in front of the last layer."""
        return self.model[-1](self.model[:-1](x).detach())


class OldOptimiser(Program):
    """The optimiser moves a network that nobody uses."""

    def build(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The fault: the network is made anew after the optimiser was given the old one."""
        _, optimiser = super().build()
        return self.make(), optimiser


class Standardised(Program):
    """The healthy program on standardised columns."""

    task = "real handwritten digits, columns standardised, 64-64-64-10, SGD with momentum, rate 0.05, batches of 50"

    def prepare(self) -> tuple[Part, Part, Part]:
        """Mean 0 and spread 1 in each column, by the numbers of the training part, everywhere."""
        return tuple((self.standardise(x), y) for x, y in super().prepare())

    def standardise(self, x: Tensor) -> Tensor:
        """Columns with the mean and the spread of the training part taken out."""
        known = data.load("digits", seed=0).train.x
        return (x - known.mean(0)) / (known.std(0) + 0.01)


class RawEvaluation(Standardised):
    """Training and evaluation prepare their inputs differently."""

    def prepare(self) -> tuple[Part, Part, Part]:
        """The fault: only the training part is standardised."""
        (x, y), validation, served = Program.prepare(self)
        return (self.standardise(x), y), validation, served
