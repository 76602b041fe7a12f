"""A formula as a figure: sliders, a sentence whose numbers can be dragged, and one chart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .base import Explorer

KINDS = ("number", "integer", "si", "words", "money", "percent", "scientific")


class Formula(Explorer):
    """Base of explorers that compute a formula in the page; a subclass names its module and gives `compute`.

    Args:
        inputs: sliders; each {"name", "label", "min", "max", "value"} and optionally "scale" ("log"), "step", "kind",
            "unit", "mark" ({"value", "label"}).
        outputs: results of `compute`; each {"name", "label"} and optionally "kind", "unit".
        sentence: text in which [[input]] can be dragged and {output} follows.
        chart: {"x": input, "y": output} and optionally "scale", "domain", "marks" ([{"x", "y", "label"}]).
        fixed: further arguments of `compute` that no slider turns.
        title, hint, source: first lines of the figure, and where its numbers come from.

    Raises:
        ValueError: an input without range, an unknown kind, or a name in sentence or chart that is neither input nor
            output.
    """

    compute: Callable[..., dict]

    def __init__(
        self,
        inputs: list[dict[str, Any]],
        outputs: list[dict[str, Any]],
        *,
        sentence: str = "",
        chart: dict[str, Any] | None = None,
        fixed: dict[str, Any] | None = None,
        title: str = "",
        hint: str = "",
        source: str = "Computed in this page; equal to the Python function within 1e-6.",
        id: str | None = None,
    ) -> None:
        for one in inputs:
            if not {"name", "label", "min", "max", "value"} <= set(one):
                raise ValueError(f"An input needs name, label, min, max and value, found {sorted(one)}.")
            if not one["min"] <= one["value"] <= one["max"] or one["min"] >= one["max"]:
                raise ValueError(f"Input {one['name']}: {one['value']} is not between {one['min']} and {one['max']}.")
            if one.get("scale") == "log" and one["min"] <= 0:
                raise ValueError(f"Input {one['name']} runs on a log scale and needs min above 0, found {one['min']}.")
        for one in [*inputs, *outputs]:
            if one.get("kind", "number") not in KINDS:
                raise ValueError(f"{one['name']} has kind {one['kind']!r}; there are {', '.join(KINDS)}.")
        first = {one["name"]: one["value"] for one in inputs} | (fixed or {})
        results = type(self).compute(**first)
        known = set(first) | set(results)
        used = {one["name"] for one in outputs} | ({chart["x"], chart["y"]} if chart else set())
        used |= {piece.split("]]")[0] for piece in sentence.split("[[")[1:]}
        used |= {piece.split("}")[0] for piece in sentence.split("{")[1:]}
        if used - known:
            raise ValueError(f"{', '.join(sorted(used - known))}: neither an input nor a result of compute.")
        state = {"title": title, "hint": hint, "source": source, "inputs": inputs, "outputs": outputs}
        super().__init__(state | {"sentence": sentence, "chart": chart, "fixed": fixed or {}}, id=id)
