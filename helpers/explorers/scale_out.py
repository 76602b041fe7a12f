"""From one device to 16,384: time, utilisation, failures and rent of a training run."""

from __future__ import annotations

from typing import Any

from helpers import economics
from helpers.economics import interruptions, parallelism

from .base import Explorer

SAVE_SECONDS, RESTART_SECONDS, TOKENS_A_PARAMETER, CHUNKS = 10.0, 600.0, 20, 4
#: Shapes of a published family of decoders (grattafiori2024); context 8,192 and 128,256 tokens for all.
SHAPES = {
    "1.5 billion": {"num_layers": 16, "d_model": 2048, "num_heads": 32, "num_kv_heads": 8, "d_ff": 8192},
    "8 billion": {"num_layers": 32, "d_model": 4096, "num_heads": 32, "num_kv_heads": 8, "d_ff": 14_336},
    "70 billion": {"num_layers": 80, "d_model": 8192, "num_heads": 64, "num_kv_heads": 8, "d_ff": 28_672},
    "405 billion": {"num_layers": 126, "d_model": 16_384, "num_heads": 128, "num_kv_heads": 8, "d_ff": 53_248},
}
VOCABULARY, CONTEXT = 128_256, 8192
DEVICES = [2**k for k in range(15)]
START = {"model": "70 billion", "devices": 1024, "tensor": 8, "pipeline": 4, "batch": 512, "full": 0,
         "hours_between_failures": round(interruptions.DEVICE_HOURS_BETWEEN_FAILURES, -2)}
WORDS = {
    "model": "parameters", "devices": "devices (H100)", "tensor": "tensor parallel", "pipeline": "pipeline stages",
    "batch": "sequences in a step", "full": "compute all activations twice",
    "hours": "hours to a failure", "time": "Time to train", "days": "days",
    "ideal": "no loss at all", "here": "this split", "share": "Share of the peak", "utilisation": "running",
    "useful": "useful", "quantity": "quantity", "value": "value",
    "seconds": "seconds", "minutes": "minutes", "hours_unit": "hours",
    "status": "{model} on {devices} devices: {time}, utilisation {utilisation}, {useful} of the time useful "
              "({failures} failures), {cost} at {price} USD an hour. A device holds {memory}.",
    "full_memory": "That is more than the {room} left to it.",
    "idle": "There are more replicas than sequences: some wait.",
    "impossible": "{tensor} × {pipeline} pieces need at least {fewest} devices.",
    "results": {
        "days": "days", "step_seconds": "seconds a step", "utilisation": "utilisation", "bubble": "bubble, share",
        "exposed": "communication that nothing hides, share", "useful": "useful share of the time",
        "failures": "failures expected", "device_hours": "device-hours", "cost": "rent, USD",
        "memory": "bytes on a device",
    },
}


class ScaleOut(Explorer):
    """Sliders for devices, split, batch and failures; time, utilisation and rent follow.

    Args:
        start: values that are shown first, by name: model, devices, tensor, pipeline, batch, full,
            hours_between_failures.

    Raises:
        ValueError: a name in `start` or the model is unknown.

    Source: grattafiori2024, narayanan2021. Derived in: book/project/scaling_out.
    """

    module = "scale_out"

    def __init__(self, start: dict[str, Any] | None = None, *, id: str | None = None) -> None:
        for name in start or {}:
            economics.checks.one_of("start value", name, START)
        first = START | (start or {})
        economics.checks.one_of("model", first["model"], SHAPES)
        rent = economics.price("h100_hour_median")
        super().__init__({
            "title": "One run on 1 to 16,384 devices", "words": WORDS, "start": first, "shapes": SHAPES,
            "device_numbers": DEVICES, "fixed": fixed(),
            "hint": "Add devices until the curve leaves the dashed line. What stops it: the bubble, the batch, or the "
                    "failures?",
            "source": f"Computed in this page by the model of the chapter: H100 in nodes of eight, "
                      f"{TOKENS_A_PARAMETER} tokens a parameter, sequences of {CONTEXT:,}, up to {CHUNKS} pieces on a "
                      f"stage, hours to a failure of one device, {SAVE_SECONDS:g} s to save and "
                      f"{RESTART_SECONDS / 60:g} minutes to restart (assumed), rent of {rent.date}.",
        }, id=id)

    @staticmethod
    def compute(
        num_layers: int, d_model: int, num_heads: int, num_kv_heads: int, d_ff: int, devices: int, tensor: int,
        pipeline: int, batch: int, full: int, hours_between_failures: float, **fixed: float,
    ) -> dict[str, float]:
        """What the page computes, from `plan_run`.

        Args:
            num_layers, d_model, num_heads, num_kv_heads, d_ff: sizes of a gated decoder.
            devices, tensor, pipeline: all devices, and the split; the rest are replicas.
            batch: sequences in a step.
            full: 1 computes all activations twice, 0 the attention scores only.
            hours_between_failures: mean hours of one device between failures.
            fixed: what `fixed()` returns.

        Returns:
            possible (0: fewer devices than pieces), days, step_seconds, utilisation, bubble, exposed, useful,
            failures, device_hours, cost in USD, memory in bytes, fits (1 or 0).
        """
        names = ("days", "step_seconds", "utilisation", "bubble", "exposed", "useful", "failures", "device_hours",
                 "cost", "memory", "fits")
        if devices < tensor * pipeline:
            return dict.fromkeys(("possible", *names), 0)
        shape = parallelism.Shape(
            num_layers, d_model, num_heads, int(fixed["vocabulary"]), int(fixed["context"]), num_kv_heads=num_kv_heads,
            d_ff=d_ff, gated=True, tied=False)
        layers = -(-num_layers // pipeline)
        layout = parallelism.Layout(
            devices // (tensor * pipeline), tensor, pipeline, batch, recompute="full" if full else "selective",
            chunks=min(CHUNKS, layers) if pipeline > 1 else 1)
        plan = interruptions.plan_run(
            shape, layout, TOKENS_A_PARAMETER * shape.count.parameters, accelerator="h100",
            hours_between_failures=hours_between_failures, save_seconds=fixed["save_seconds"],
            restart_seconds=fixed["restart_seconds"], price_per_hour=fixed["price"])
        step = plan.step
        found = (plan.plan.days, step.seconds, step.utilisation, step.bubble / step.seconds,
                 (step.tensor + step.sends + step.data) / step.seconds, plan.useful, plan.failures,
                 plan.plan.device_hours, plan.plan.cost_median, step.state_bytes + step.activation_bytes,
                 int(step.fits))
        return {"possible": 1} | dict(zip(names, found, strict=True))

    @staticmethod
    def cases() -> list[dict[str, float]]:
        """Settings at which the browser tests compare this function with the page."""
        first = {name: value for name, value in START.items() if name != "model"}
        more = ({}, {"devices": 16}, {"devices": 16_384, "hours_between_failures": 2000.0}, {"full": 1, "batch": 8192},
                {"devices": 1, "tensor": 1, "pipeline": 1, "batch": 64}, {"devices": 4096, "pipeline": 16},
                {"devices": 64, "tensor": 2, "pipeline": 1})
        return [{**shape, **first, **change, **fixed()} for shape in SHAPES.values() for change in more]


def fixed() -> dict[str, float]:
    """What no slider of `ScaleOut` turns."""
    device, links = economics.accelerator("h100"), parallelism.links_of("h100")
    return {
        "vocabulary": VOCABULARY, "context": CONTEXT, "save_seconds": SAVE_SECONDS, "restart_seconds": RESTART_SECONDS,
        "tokens_a_parameter": TOKENS_A_PARAMETER, "max_chunks": CHUNKS, "peak": device.flops_per_second,
        "room": device.memory_bytes * economics.price("device_memory_share").value, "fast": links.fast,
        "slow": links.slow, "node": links.node_devices, "kernel_share": parallelism.KERNEL_SHARE,
        "price": economics.price("h100_hour_median").value,
    }
