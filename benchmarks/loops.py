"""The same training by ``training.fit``, by a loop written out, and by the libraries a learner would otherwise use.

Each case is a function (task) → function that trains once from the given weights and returns the loss on all training
examples afterwards. A case that needs a library that is not installed raises ImportError when it is made.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers import models, training
from helpers.data import Dataset, Split

BATCH_SIZE = 64
STEPS_PER_EPOCH = 400
LR = 3e-3

Train = Callable[[], float]


@dataclass(frozen=True)
class Task:
    """What is trained: examples, a fresh model with the same weights each time, and the loss."""

    name: str
    x: Tensor
    y: Tensor
    make: Callable[[], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    epochs: int

    @property
    def num_steps(self) -> int:
        """Updates in one training."""
        return self.epochs * STEPS_PER_EPOCH

    def final_loss(self, model: nn.Module) -> float:
        """Mean loss of ``model`` on all examples."""
        model.eval()
        with torch.no_grad():
            return float(self.loss(model(self.x), self.y))


def task(name: str) -> Task:
    """The tasks "linear" (20 → 1, squared error) and "mlp" (784-128-10, cross-entropy); batches of 64, 400 an epoch."""
    generator = torch.Generator().manual_seed(0)
    num = BATCH_SIZE * STEPS_PER_EPOCH
    if name == "linear":
        x = torch.randn(num, 20, generator=generator)
        y = x @ torch.randn(20, 1, generator=generator) + 0.5 * torch.randn(num, 1, generator=generator)
        return Task(name, x, y, lambda: models.Linear(20, 1), F.mse_loss, 3)
    x = torch.rand(num, 784, generator=generator)
    teacher = torch.randn(784, 10, generator=generator)
    noise = torch.randn(num, 10, generator=generator)  # without noise the loss would go to zero and not compare
    y = (x @ (teacher - teacher.mean(0)) / 3 + 3 * noise).argmax(1)
    return Task(name, x, y, lambda: models.MLP(784, [128], 10), F.cross_entropy, 1)


def loop_written_out(work: Task) -> Train:
    """The reference: resident tensors, fused AdamW, nothing else."""

    def train() -> float:
        model = work.make()
        optimiser = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.0, fused=True)
        for _ in range(work.epochs):
            order = torch.randperm(len(work.x))
            for start in range(0, len(work.x), BATCH_SIZE):
                index = order[start : start + BATCH_SIZE]
                loss = work.loss(model(work.x[index]), work.y[index])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        return work.final_loss(model)

    return train


def helpers_fit(work: Task) -> Train:
    """``training.fit``, with its checks, its history and a validation split of one batch."""
    few = Split(work.x[:BATCH_SIZE], work.y[:BATCH_SIZE])
    dataset = Dataset(Split(work.x, work.y), few, few, SimpleNamespace(name=work.name))

    def train() -> float:
        run = training.fit(work.make(), dataset, lr=LR, epochs=work.epochs, batch_size=BATCH_SIZE)
        return work.final_loss(run.model)

    return train


def _loader(work: Task, **options: object) -> torch.utils.data.DataLoader:
    dataset = torch.utils.data.TensorDataset(work.x, work.y)
    return torch.utils.data.DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True, **options)


def plain_accelerate(work: Task) -> Train:
    """accelerate around a DataLoader, as its quick tour writes it."""
    from accelerate import Accelerator

    def train() -> float:
        accelerator = Accelerator(cpu=True)
        model = work.make()
        optimiser = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.0)
        model, optimiser, loader = accelerator.prepare(model, optimiser, _loader(work))
        for _ in range(work.epochs):
            for x, y in loader:
                optimiser.zero_grad()
                loss = work.loss(model(x), y)
                accelerator.backward(loss)
                optimiser.step()
        return work.final_loss(accelerator.unwrap_model(model))

    return train


def lightning_quiet(work: Task) -> Train:
    """Lightning with logging, checkpoints, progress bar and summary off."""
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = work.make()

        def training_step(self, batch: list[Tensor], number: int) -> Tensor:
            return work.loss(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.model.parameters(), lr=LR, weight_decay=0.0)

    def train() -> float:
        module = Module()
        trainer = lightning.Trainer(
            max_epochs=work.epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module, _loader(work))
        return work.final_loss(module.model)

    return train


def transformers_trainer(work: Task) -> Train:
    """transformers' Trainer with logging, saving and progress bar off."""
    from transformers import Trainer, TrainingArguments

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = work.make()

        def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
            return {"loss": work.loss(self.model(x), labels)}

    examples = [{"x": x, "labels": y} for x, y in zip(work.x, work.y, strict=True)]
    folder = tempfile.mkdtemp()

    def collate(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return {key: torch.stack([row[key] for row in rows]) for key in ("x", "labels")}

    def train() -> float:
        wrapped = Wrapped()
        arguments = TrainingArguments(
            output_dir=folder, num_train_epochs=work.epochs, per_device_train_batch_size=BATCH_SIZE, learning_rate=LR,
            lr_scheduler_type="constant", weight_decay=0.0, max_grad_norm=0.0, use_cpu=True, report_to=[],
            logging_strategy="no", save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = Trainer(wrapped, arguments, train_dataset=examples, data_collator=collate)
        with contextlib.redirect_stdout(io.StringIO()):
            trainer.train()
        return work.final_loss(wrapped.model)

    return train


def keras_fit(work: Task) -> Train:
    """Keras 3 on torch: ``model.fit`` without progress bar."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    x, y = work.x.numpy(), work.y.numpy()

    def train() -> float:
        start = [parameter.detach() for parameter in work.make().parameters()]
        hidden = [keras.layers.Dense(len(bias), activation="relu") for bias in start[1:-1:2]]
        model = keras.Sequential([keras.Input((x.shape[1],)), *hidden, keras.layers.Dense(len(start[-1]))])
        model.set_weights([value.T.numpy() for value in start])
        loss = "mse" if work.name == "linear" else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.AdamW(LR, weight_decay=0.0, epsilon=1e-8), loss)
        model.fit(x, y, batch_size=BATCH_SIZE, epochs=work.epochs, verbose=0)
        trained = work.make()
        with torch.no_grad():
            for parameter, value in zip(trained.parameters(), model.get_weights(), strict=True):
                parameter.copy_(torch.from_numpy(value.T))
        return work.final_loss(trained)

    return train


# name → (case, times that fit must be faster for the task "linear"; None: fit may take up to 1.10 of it)
CASES: dict[str, tuple[Callable[[Task], Train], float | None]] = {
    "training.fit": (helpers_fit, None),
    "loop written out": (loop_written_out, None),
    "accelerate": (plain_accelerate, 3.0),
    "lightning": (lightning_quiet, 4.5),
    "transformers": (transformers_trainer, 7.0),
    "keras": (keras_fit, 8.0),
}
