"""Gradient descent on the loss of a straight line, one step after another, beside the line itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Explorer, numbers


class LinearDescent(Explorer):
    """Drag the starting point on the loss; the steps and the fitted line follow.

    Args:
        x, y: points, [n] or [n, 1].
        start: starting weight, or (weight, bias); a single number fits y = w·x without bias.
        lr: learning rate at first; default: a third of the edge 2/curvature.
        num_steps: the most steps that are drawn.
        title, hint: first lines of the figure.

    Raises:
        ValueError: x and y differ in length, or x has no spread.

    Source: edge of stability of gradient descent on a quadratic, 2 over the largest curvature.
    Derived in: book/algorithms/linear_regression.ipynb
    """

    module = "descent"

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        start: float | tuple[float, float] = -1.0,
        lr: float | None = None,
        num_steps: int = 30,
        x_label: str = "x",
        y_label: str = "y",
        title: str = "Gradient descent on the loss",
        hint: str = "Drag the starting point, then raise the learning rate towards the edge.",
        id: str | None = None,
    ) -> None:
        xs, ys = (np.asarray(v.detach().cpu() if hasattr(v, "detach") else v, dtype=np.float64).ravel() for v in (x, y))
        if xs.size != ys.size or xs.size < 2:
            raise ValueError(f"LinearDescent takes as many x as y, at least two; found {xs.size} and {ys.size}.")
        both = isinstance(start, tuple)
        begin = [float(v) for v in start] if isinstance(start, tuple) else [float(start)]
        facts = surface(xs, ys, both)
        state = {
            "title": title,
            "hint": hint,
            "x": numbers(xs, 5),
            "y": numbers(ys, 5),
            "x_label": x_label,
            "y_label": y_label,
            "both": both,
            "start": begin,
            "lr": lr or facts["edge"] / 3,
            "num_steps": num_steps,
            "source": "Computed in this page; equal to the Python function within 1e-6.",
        } | {key: numbers(value, 12) for key, value in facts.items()}
        super().__init__(state, id=id)

    @staticmethod
    def compute(
        hessian: list[list[float]], best: list[float], floor: float, start: list[float], lr: float, num_steps: int
    ) -> dict:
        """Steps of gradient descent on floor + ½ (p − best)ᵀ hessian (p − best).

        Args:
            hessian: second derivatives of the loss; best: parameters of least loss; floor: that loss.
            start: parameters before the first step; lr: learning rate; num_steps: number of steps.

        Returns:
            `path`, num_steps + 1 points, and `losses` at them.
        """
        matrix, at, target = np.asarray(hessian), np.asarray(start, dtype=np.float64), np.asarray(best)
        path, losses = [], []
        for _ in range(num_steps + 1):
            away = at - target
            path.append(at.tolist())
            losses.append(float(floor + 0.5 * away @ matrix @ away))
            at = at - lr * (matrix @ away)
        return {"path": path, "losses": losses}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        two = {"hessian": [[8.0, 2.0], [2.0, 2.0]], "best": [2.0, 0.5], "floor": 0.9}
        one = {"hessian": [[66.7]], "best": [2.01], "floor": 1.02}
        return [
            two | {"start": [-1.0, 3.0], "lr": 0.1, "num_steps": 30},
            two | {"start": [-1.0, 3.0], "lr": 0.24, "num_steps": 30},
            one | {"start": [-1.0], "lr": 0.0299, "num_steps": 25},
            one | {"start": [5.0], "lr": 0.031, "num_steps": 25},
        ]


def surface(x: np.ndarray, y: np.ndarray, both: bool) -> dict[str, Any]:
    """Shape of the mean squared error of y = w·x (+ b): hessian, best parameters, least loss, edge 2/curvature.

    Args:
        x, y: points, [n]; both: whether a bias is fitted too.

    Raises:
        ValueError: x has no spread, so that the best line is not unique.
    """
    design = np.stack([x, np.ones_like(x)], axis=1) if both else x[:, None]
    hessian = 2 * design.T @ design / len(x)
    curvature = np.linalg.eigvalsh(hessian)
    if curvature[0] <= 1e-12 * curvature[-1]:
        raise ValueError("LinearDescent needs points with different x; the best line is not unique here.")
    best = np.linalg.solve(hessian, 2 * design.T @ y / len(x))
    floor = float(((design @ best - y) ** 2).mean())
    return {"hessian": hessian, "best": best, "floor": floor, "edge": 2 / float(curvature[-1])}
