"""``sweep``: the same training with many learning rates, seeds, weight decays, data sets or models at once.

Small models of one shape and with the same inputs are stacked and trained as one batched run; where that does not
pay, or the model is no plain chain of layers, the members are trained one after another by the ordinary loop.
``Sweep.reason`` says which, and why.
"""

from __future__ import annotations

import inspect
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from helpers import device as devices
from helpers.data import Dataset
from helpers.training import optimisers, schedules
from helpers.training._group import Group, Member
from helpers.training.loop import Options
from helpers.training.losses import Loss

if TYPE_CHECKING:
    from helpers.economics import Bill


@dataclass
class Sweep:
    """Result of a sweep over K members: every model with every data set, learning rate, weight decay and seed.

    Attributes:
        shape: numbers of (models, data sets, learning rates, weight decays, seeds); K is their product, and
            ``sweep.validation_loss[:, -1].view(sweep.shape)`` sorts a result by them.
        lrs: learning rate of each member, [K]; with several seeds each learning rate stands once for each of them.
        seeds: seed of the initial weights of each member, [K].
        train_loss: [K, epochs + 1], column 0 before training; infinite from the epoch on in which a member diverged.
        validation_loss: the same on the validation split.
        train_accuracy: share of the training labels that are predicted, on the examples of ``train_loss``, or None
            where the targets are no classes; 0 where a member diverged.
        validation_accuracy: the same on the validation split.
        parameters: name → [K, epochs + 1, shape of the parameter] if they were kept, else None; a diverged member
            repeats its last finite ones.
        seconds: wall-clock seconds of the sweep.
        flops: FLOP in matrix products, or None where they were not counted.
        stacked: whether all members were trained in stacks.
        reason: why, in a sentence.
    """

    shape: tuple[int, int, int, int, int]
    lrs: list[float]
    seeds: list[int]
    train_loss: Tensor
    validation_loss: Tensor
    train_accuracy: Tensor | None
    validation_accuracy: Tensor | None
    parameters: dict[str, Tensor] | None = field(repr=False)
    seconds: float
    flops: float | None
    stacked: bool
    reason: str
    machine: devices.Machine = field(repr=False)
    _make: Callable[[int], nn.Module] = field(repr=False)

    @property
    def best(self) -> int:
        """Number of the member with the lowest validation loss after the last epoch."""
        return int(self.validation_loss[:, -1].argmin())

    def model(self, member: int, epoch: int = -1) -> nn.Module:
        """A model with the weights of ``member`` after ``epoch`` (default: the last).

        Raises:
            ValueError: the sweep was made without keep_parameters=True.
        """
        if self.parameters is None:
            raise ValueError("this sweep kept no parameters: pass keep_parameters=True to sweep")
        model = self._make(self.seeds[member])
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.parameters[name][member, epoch])
        return model.eval()

    def cost(self) -> Bill:
        """The bill of the whole sweep."""
        from helpers import economics

        cores = self.machine.num_threads if self.machine.kind == "cpu" else None
        return economics.bill(self.seconds, device_name=self.machine.name, num_cores=cores, flops=self.flops)


def sweep(
    make_model: Callable[..., nn.Module] | Sequence[Callable[..., nn.Module]],
    dataset: Dataset | Sequence[Dataset],
    *,
    lrs: Sequence[float],
    epochs: int,
    seeds: Sequence[int] = (0,),
    batch_size: int | None = 64,
    optimiser: str = "adamw",
    schedule: str | schedules.Schedule = "constant",
    loss: Loss | None = None,
    weight_decay: float | Sequence[float] = 0.0,
    momentum: float = 0.9,
    seed: int = 0,
    device: str | torch.device | None = None,
    keep_parameters: bool = False,
) -> Sweep:
    """Train a fresh model for each learning rate and seed, and measure it after each epoch.

    Several models, data sets or weight decays may be given too; then each is combined with all others. Members that
    train on the same examples see the same batches in the same order. A member that diverges gets an infinite loss
    and is frozen; the others go on. Members of one model whose data sets share the tensors ``x`` (and differ in their
    labels, for example) are stacked together.

    Arguments:
        make_model: function that returns a new model, or a list of such functions; with several seeds it must take
            ``seed``, for example ``lambda seed: models.MLP(2, [32], 2, seed=seed)``.
        dataset: its train and validation splits are used; or a list of data sets.
        lrs: learning rates, each above 0.
        epochs, batch_size, optimiser, schedule, loss, momentum, device: as in ``fit``.
        seeds: seeds of the initial weights.
        weight_decay: as in ``fit``, or a list of values.
        seed: order of the examples.
        keep_parameters: keep the weights after every epoch, for replays; needs models of one shape.

    Raises:
        ValueError: nothing to train, a value out of range, or data that do not fit the model.
    """
    makers, datasets = _listed(make_model), _listed(dataset)
    rates = [optimisers.checked_rate(lr) for lr in (lrs.tolist() if hasattr(lrs, "tolist") else lrs)]
    starts = [devices.checked_seed(start) for start in seeds]
    decays = [optimisers.checked_decay(one) for one in _listed(weight_decay)]
    shape = (len(makers), len(datasets), len(rates), len(decays), len(starts))
    if 0 in shape:
        raise ValueError(
            "a sweep needs at least one model, data set, learning rate, weight decay and seed, got "
            f"{shape[0]}, {shape[1]}, {shape[2]}, {shape[3]} and {shape[4]}"
        )
    for one in datasets:
        if not hasattr(one, "train") or not hasattr(one, "validation"):
            raise ValueError(f"sweep needs a data set with train and validation splits, got {type(one).__name__}")
    if keep_parameters and len(makers) > 1:
        raise ValueError(f"keep_parameters=True needs models of one shape: give one make_model, not {len(makers)}")
    options = Options(
        lr=rates[0], epochs=epochs, batch_size=batch_size, optimiser=optimiser, schedule=schedule, loss=loss,
        momentum=momentum, seed=seed, device=device,
    )  # fmt: skip
    begin = time.perf_counter()
    makes = [_maker(make, starts) for make in makers]
    members = [Member(*one) for one in itertools.product(range(shape[0]), range(shape[1]), rates, decays, starts)]
    groups = _grouped(members, makes, datasets, options, keep_parameters)
    reports = [group.run() for group in groups.values()]
    reasons = dict.fromkeys(reason for _, reason in reports)
    return Sweep(
        shape=shape,
        lrs=[member.lr for member in members],
        seeds=[member.seed for member in members],
        train_loss=_sorted(groups, "train_loss"),
        validation_loss=_sorted(groups, "validation_loss"),
        train_accuracy=_sorted(groups, "train_accuracy"),
        validation_accuracy=_sorted(groups, "validation_accuracy"),
        parameters=_parameters(groups) if keep_parameters else None,
        seconds=time.perf_counter() - begin,
        flops=_total([group.flops for group in groups.values()]),
        stacked=all(stacked for stacked, _ in reports),
        reason=(f"in {len(groups)} groups: " if len(groups) > 1 else "") + "; ".join(reasons),
        machine=devices.machine(next(iter(groups.values())).loop.device),
        _make=makes[0],
    )


def _listed(value: object) -> list:
    """A list as it is, anything else as a list of one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _grouped(
    members: list[Member],
    makes: list[Callable[[int], nn.Module]],
    datasets: list[Dataset],
    options: Options,
    keep: bool,
) -> dict[tuple[int, ...], Group]:
    """Groups of one model and the same inputs, by the numbers of their members."""
    rows: dict[tuple, list[int]] = {}
    for number, member in enumerate(members):
        one = datasets[member.dataset]
        key = (member.model, *_place(one.train.x), *_place(one.validation.x), one.train.y.dtype)
        rows.setdefault(key, []).append(number)
    groups = {}
    for numbers in rows.values():
        own = [members[number] for number in numbers]
        used = {member.dataset: datasets[member.dataset] for member in own}
        groups[tuple(numbers)] = Group(makes[own[0].model], used, own, options, keep)
    return groups


def _place(x: Tensor) -> tuple:
    """Equal for two tensors that are the same numbers in the same memory."""
    return x.data_ptr(), tuple(x.shape), x.stride(), x.device


def _sorted(groups: dict[tuple[int, ...], Group], name: str) -> Tensor | None:
    """The curves of all members in their order, [K, epochs + 1]."""
    values = [getattr(group, name) for group in groups.values()]
    if any(value is None for value in values):
        return None
    order = torch.tensor([number for numbers in groups for number in numbers])
    return torch.cat(values)[order.argsort()]


def _parameters(groups: dict[tuple[int, ...], Group]) -> dict[str, Tensor]:
    order = torch.tensor([number for numbers in groups for number in numbers]).argsort()
    kept = [group.kept for group in groups.values()]
    return {name: torch.cat([one[name] for one in kept])[order] for name in kept[0]}


def _total(flops: list[float | None]) -> float | None:
    return None if None in flops else sum(flops)


def _maker(make_model: Callable[..., nn.Module], seeds: list[int]) -> Callable[[int], nn.Module]:
    if not callable(make_model) or isinstance(make_model, nn.Module):
        raise ValueError("sweep needs a function that makes a new model, such as lambda: models.Linear(1)")
    if "seed" in inspect.signature(make_model).parameters:
        return lambda seed: make_model(seed=seed)
    if len(seeds) > 1:
        raise ValueError(f"for {len(seeds)} seeds make_model must take seed: lambda seed: models.Linear(1, seed=seed)")
    return lambda seed: make_model()
