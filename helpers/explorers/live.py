"""Training in JupyterLab beside an explorer: Run returns at once, Stop stops, and other cells still run."""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import numbers, pack_float16, pack_uint8

SLICE_SECONDS = 0.04  # training between two turns of the kernel's event loop
WORDS = {
    "rate": "learning rate",
    "epochs": "epochs",
    "run": "Run",
    "run_hint": "Train with these settings",
    "stop": "Stop",
    "stop_hint": "Stop after this step",
    "progress": "progress",
    "running": "live run: learning rate {lr:.3g}",
    "done": "live run: learning rate {lr:.3g}, {epochs} epochs, training loss {loss:.4g}",
    "stopped": "live run: stopped after {epochs} epochs, learning rate {lr:.3g}",
    "failed": "live run: {reason}",
}


class Live:
    """A panel with learning rate, epochs, Run, Stop and progress for `SweepReplay`; on a page only the replay is left.

    Args:
        make_model: function that returns a fresh model; it may take ``width``, which `Boundary` sets by its slider.
        dataset: data set with `train` and `validation`.
        lr: learning rate at first; lrs: lowest and highest of the slider.
        epochs: passes over the training set at first; max_epochs: the most that can be chosen.
        batch_size: examples a step; None takes the full training set.
        optimiser: name that `training.steps` knows.
        seed: seed of the order of the examples.
    """

    def __init__(
        self,
        make_model: Callable[..., Any],
        dataset: Any,
        *,
        lr: float = 0.1,
        lrs: tuple[float, float] = (1e-4, 10.0),
        epochs: int = 20,
        max_epochs: int = 200,
        batch_size: int | None = 64,
        optimiser: str = "sgd",
        seed: int = 0,
    ) -> None:
        if not 0 < lrs[0] < lrs[1]:
            raise ValueError(f"lrs= takes a lowest and a higher rate above 0, found {lrs}.")
        self.make_model, self.dataset = make_model, dataset
        self.lr, self.lrs, self.epochs, self.max_epochs = lr, lrs, epochs, max_epochs
        self.batch_size, self.optimiser, self.seed = batch_size, optimiser, seed
        self.view = "none"
        self.width: int | None = None
        self.model: Any = None
        self.result: dict[str, Any] = {}
        self.publish: Callable[[dict[str, Any]], None] = lambda result: None
        self._task: asyncio.Task | None = None
        self._controls: dict[str, Any] = {}

    def attach(self, explorer: Any, drawing: Any) -> Any:
        """Put the panel above a drawing; its trait `live` receives the run, its trait `choice` sets the rate.

        Raises:
            ImportError: ipywidgets is not installed.
        """
        try:
            import ipywidgets as widgets
        except ImportError as error:
            raise ImportError("Live training needs ipywidgets; install it with: pip install -e '.[book]'") from error
        self.view = explorer.state.get("view", "none")
        self.width = explorer.state.get("start", {}).get("width")
        low, high = (math.log10(rate) for rate in self.lrs)
        wide = {"description_width": "90px"}
        rate = widgets.FloatLogSlider(
            value=self.lr, min=low, max=high, step=0.05, description=WORDS["rate"], style=wide, readout_format=".2g"
        )
        limits = {"min": 1, "max": self.max_epochs}
        epochs = widgets.IntSlider(value=self.epochs, description=WORDS["epochs"], style=wide, **limits)
        run = widgets.Button(
            description=WORDS["run"], icon="play", button_style="primary", tooltip=WORDS["run_hint"]
        )
        stop = widgets.Button(description=WORDS["stop"], icon="stop", disabled=True, tooltip=WORDS["stop_hint"])
        progress = widgets.FloatProgress(value=0.0, min=0.0, max=1.0, description=WORDS["progress"], style=wide)
        self._controls = {"rate": rate, "epochs": epochs, "run": run, "stop": stop, "progress": progress}

        def publish(result: dict[str, Any]) -> None:
            drawing.live = dict(result)
            progress.value = result["progress"]
            run.disabled, stop.disabled = result["running"], not result["running"]

        def follow(change: dict[str, Any]) -> None:
            chosen = change["new"].get("lr")
            self.width = change["new"].get("width", self.width)
            if chosen and self.lrs[0] <= chosen <= self.lrs[1] and not self.running:
                rate.value = chosen

        self.publish = publish
        drawing.observe(follow, names="choice")
        run.on_click(lambda _: self.start(lr=rate.value, epochs=epochs.value))
        stop.on_click(lambda _: self.stop())
        panel = widgets.VBox([widgets.HBox([rate, epochs]), widgets.HBox([run, stop, progress])])
        return widgets.VBox([panel, drawing])

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._task is not None and not self._task.done()

    def start(self, *, lr: float | None = None, epochs: int | None = None) -> None:
        """Begin a run on the running event loop and return at once; a run under way is stopped first."""
        self.stop()
        self._task = asyncio.get_event_loop().create_task(self.train(lr or self.lr, epochs or self.epochs))

    def stop(self) -> None:
        """Stop the run under way; the model keeps what it has learned so far."""
        if self.running:
            self._task.cancel()

    async def train(self, lr: float, epochs: int) -> None:
        """One run in slices; the result so far is published at every slice.

        Args:
            lr: learning rate; epochs: passes over the training set.
        """
        from helpers import training

        batch = self.batch_size or len(self.dataset.train)
        per_epoch = math.ceil(len(self.dataset.train) / batch)
        takes_width = self.width is not None and "width" in inspect.signature(self.make_model).parameters
        self.model = self.make_model(width=self.width) if takes_width else self.make_model()
        result = {"lr": lr, "epochs": epochs, "train": [], "validation": [], "accuracy": [], "progress": 0.0}
        self.result = result | {"running": True, "note": WORDS["running"].format(lr=lr)}
        self._record(0, per_epoch * epochs)
        options = {"lr": lr, "epochs": epochs, "batch_size": batch, "optimiser": self.optimiser, "seed": self.seed}
        try:
            began = time.perf_counter()
            for step in training.steps(self.model, self.dataset.train, **options):
                if step.number % per_epoch == 0:
                    self._record(step.number, per_epoch * epochs)
                if time.perf_counter() - began > SLICE_SECONDS:
                    self.publish(self.result)
                    await asyncio.sleep(0.01)
                    began = time.perf_counter()
            loss = self.result["train"][-1]
            self._end("done", lr=lr, epochs=epochs, loss=math.inf if loss is None else loss)
        except asyncio.CancelledError:
            self._end("stopped", lr=lr, epochs=len(self.result["train"]) - 1)
        except training.TrainingDiverged as diverged:
            self._end("failed", reason=diverged)
        except Exception as error:  # the panel must come back whatever the model does
            self._end("failed", reason=f"{type(error).__name__}: {error}")

    def _end(self, how: str, **values: Any) -> None:
        self.result |= {"running": False, "note": WORDS[how].format(**values)}
        self.publish(self.result)

    def _record(self, number: int, total: int) -> None:
        """Add the losses of now; pictures or the fitted line too, where the explorer shows them."""
        from helpers.training.losses import evaluated

        train, _ = self._measure(evaluated(self.dataset.train, self.dataset.validation))  # as fit and sweep do
        validation, accuracy = self._measure(self.dataset.validation)
        self.result["train"].append(numbers(train, 5))
        self.result["validation"].append(numbers(validation, 5))
        if accuracy is not None:
            self.result["accuracy"].append(numbers(accuracy, 5))
        self.result["progress"] = number / total
        values = [parameter.detach().cpu().double().numpy() for parameter in self.model.parameters()]
        if self.view == "weights":
            from .sweep import picture

            self.result["pictures"] = pack_uint8(picture(values[0])[1])
        if self.view == "boundary":
            flat = np.concatenate([value.ravel() for value in values])
            self.result["weights"] = pack_float16(np.nan_to_num(flat.clip(-6e4, 6e4)))
        if self.view == "line":
            line = [float(value.ravel()[0]) for value in values[:2]]
            self.result["line"] = (line + [0.0])[:2] if all(map(math.isfinite, line)) else None

    def _measure(self, split: Any) -> tuple[float, float | None]:
        from helpers import training

        score = training.evaluate(self.model, split)
        return score.loss, score.accuracy
