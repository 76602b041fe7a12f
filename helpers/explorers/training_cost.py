"""A sentence about a training run whose numbers can be dragged."""

from __future__ import annotations

from .formula import Formula


class TrainingCost(Formula):
    """Size, tokens and devices of a training run → FLOP, days and money.

    Args:
        flops_per_second: dense peak of one device; price_per_hour: rent of one device, USD.
        note: what the two numbers are and their date; shown below the figure.
        utilisation: share of the peak that is reached.
        parameters, tokens, devices: values shown first.

    Source: training takes about 6 FLOP a parameter and token.
    Derived in: book/concepts/what_is_large.ipynb
    """

    module = "training_cost"

    def __init__(
        self,
        flops_per_second: float,
        price_per_hour: float,
        note: str,
        *,
        utilisation: float = 0.4,
        parameters: float = 7e10,
        tokens: float = 2e12,
        devices: int = 1024,
        title: str = "What a training run takes",
        hint: str = "Drag the blue numbers.",
        id: str | None = None,
    ) -> None:
        share = {
            "name": "utilisation",
            "label": "share of peak",
            "min": 0.05,
            "max": 0.8,
            "step": 0.01,
            "kind": "percent",
        }
        super().__init__(
            [
                _log("parameters", "parameters", 1e6, 1e13, parameters, "words"),
                _log("tokens", "training tokens", 1e8, 1e14, tokens, "words"),
                _log("devices", "devices", 1, 1e5, devices, "integer"),
                share | {"value": utilisation},
            ],
            [
                {"name": "flops", "label": "training", "kind": "scientific", "unit": "FLOP"},
                {"name": "days", "label": "time", "unit": "days"},
                {"name": "cost", "label": "cost", "kind": "money"},
            ],
            sentence="A model of [[parameters]] parameters, trained on [[tokens]] tokens, takes {flops}. "
            "On [[devices]] devices at [[utilisation]] of their peak that is {days}, and {cost}.",
            chart={"x": "parameters", "y": "cost", "scale": "log"},
            fixed={"flops_per_second": flops_per_second, "price_per_hour": price_per_hour},
            title=title,
            hint=hint,
            source=f"Computed in this page, 6 FLOP a parameter and token. {note}",
            id=id,
        )

    @staticmethod
    def compute(
        parameters: float,
        tokens: float,
        devices: float,
        utilisation: float,
        flops_per_second: float,
        price_per_hour: float,
    ) -> dict:
        """FLOP, days and USD of a training run; arguments as in the figure."""
        flops = 6 * parameters * tokens
        hours = flops / (devices * flops_per_second * utilisation) / 3600
        return {"flops": flops, "days": hours / 24, "cost": hours * devices * price_per_hour}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        device = {"flops_per_second": 9.89e14, "price_per_hour": 2.5, "utilisation": 0.4}
        return [device | {"parameters": n, "tokens": 20 * n, "devices": 64} for n in (1e6, 1e9, 7e10, 1e13)]


def _log(name: str, label: str, low: float, high: float, value: float, kind: str) -> dict:
    return {"name": name, "label": label, "min": low, "max": high, "scale": "log", "value": value, "kind": kind}
