"""Shapes of learning-rate schedules: what is planned, what is run, and how much learning rate that adds up to."""

from __future__ import annotations

from helpers.training import schedules

from .base import Explorer

SHAPES = tuple(schedules.NAMED)
LONGEST = 400
WORDS = {
    "schedule": "schedule", "constant": "constant", "step": "step", "cosine": "cosine",
    "warmup_cosine": "warm-up, cosine", "wsd": "warm-up, stable, decay",
    "warmup": "warm-up share", "decay": "decay share", "floor": "floor",
    "planned": "updates planned", "run": "updates run", "update": "update", "multiplier": "multiplier",
    "curve": "The learning rate, as a share of its peak", "plan": "planned end", "seen": "run", "rest": "planned only",
    "status": "{run} updates, worth {worth} at the full rate ({share} of them). The last one uses {last} of the rate.",
    "early": "The run stops before the plan has arrived.",
    "late": "The run goes on after the plan has ended.",
}


class RateSchedule(Explorer):
    """A schedule made for a planned number of updates, and a run that may be shorter or longer than the plan.

    Args:
        schedule: shape at first: "constant", "step", "cosine", "warmup_cosine" or "wsd".
        planned: updates that the schedule is made for, at first.
        run: updates that are made, at first.

    Raises:
        ValueError: an unknown schedule.

    Source: loshchilov2017, goyal2017, hu2024. Derived in: book/algorithms/schedules_and_regularisation.
    """

    module = "rates"

    def __init__(
        self, schedule: str = "wsd", *, planned: int = 200, run: int = 200, id: str | None = None
    ) -> None:
        schedules.named(schedule)
        super().__init__({
            "title": "How the learning rate moves through a run", "words": WORDS, "shapes": list(SHAPES),
            "hint": "Choose a shape. Then let the run end before the plan, or go on beyond it.",
            "schedule": schedule, "planned": planned, "run": run, "longest": LONGEST,
            "source": "Computed in this page; equal to the Python functions within 1e-6.",
        }, id=id)

    @staticmethod
    def compute(schedule: str, warmup: float, decay: float, floor: float, planned: int, run: int) -> dict:
        """Multipliers of a run.

        Args:
            schedule: name of the shape.
            warmup, decay: shares of the plan that rise and fall, in [0, 1), where the shape has them.
            floor: multiplier at the end of the plan, where the shape has one.
            planned: updates that the shape is made for.
            run: updates that are made.

        Returns:
            ``values`` [run], ``worth`` (their sum: as many updates at the full rate) and ``last``.
        """
        takes = {"cosine": {"floor": floor}, "warmup_cosine": {"warmup": warmup, "floor": floor},
                 "wsd": {"warmup": warmup, "decay": decay, "floor": floor}}.get(schedule, {})
        values = [schedules.named(schedule)(step, planned, **takes) for step in range(run)]
        return {"values": values, "worth": sum(values), "last": values[-1]}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        base = {"warmup": 0.05, "decay": 0.1, "floor": 0.0, "planned": 100, "run": 100}
        return [base | {"schedule": "constant"}, base | {"schedule": "step", "planned": 70, "run": 90},
                base | {"schedule": "cosine", "floor": 0.1, "run": 60},
                base | {"schedule": "warmup_cosine", "warmup": 0.25, "planned": 50, "run": 80},
                base | {"schedule": "warmup_cosine", "warmup": 0.0, "planned": 30, "run": 30},
                base | {"schedule": "wsd", "decay": 0.35, "floor": 0.05, "planned": 90, "run": 120}]
