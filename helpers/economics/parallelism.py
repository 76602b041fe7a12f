"""Many devices on one model: time of a step, memory of a device, utilisation, failures, and what the run costs.

A step is modelled as arithmetic at a fixed share of the peak, plus the communication that nothing hides, plus the
pipeline's bubble. Bytes are counted; latency, stragglers and congestion are not.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from helpers.economics import checks
from helpers.economics.accelerators import Accelerator, accelerator
from helpers.economics.counting import Count
from helpers.economics.decoder import count_transformer
from helpers.economics.memory import memory_activations, memory_training
from helpers.economics.prices import price

#: Share of the peak that the matrix products of a step reach by themselves. Fitted to one published run only, 54.2 per
#: cent of 530 billion parameters on 2,240 A100 (korthikanti2023); all other runs are predicted with it.
KERNEL_SHARE = 0.608

#: Bytes of a 16-bit number: weights, gradients and activations on the wire.
WIRE = 2


def ring_bytes(num_bytes: float, num_devices: int) -> float:
    """Return the bytes that each device sends in a ring all-reduce: 2 (N − 1)/N of the message.

    Args:
        num_bytes: size of the message on each device.
        num_devices: devices N in the ring.

    Raises:
        ValueError: negative bytes, or a number of devices that is not whole and at least 1.

    Derived in: book/project/scaling_out.
    """
    num_devices = checks.count("num_devices", num_devices)
    return 2 * (num_devices - 1) / num_devices * checks.not_negative("num_bytes", num_bytes)


def bubble_share(pipeline: int, num_micro_batches: int, chunks: int = 1) -> float:
    """Return the share of a step in which a stage of the pipeline waits: (p − 1)/(v m + p − 1).

    Args:
        pipeline: stages p.
        num_micro_batches: micro-batches m that pass in one step.
        chunks: pieces v of the model on each device, 1 without interleaving.

    Raises:
        ValueError: a number that is not whole and at least 1.

    Source: huang2019, narayanan2021. Derived in: book/project/scaling_out.
    """
    p, m = checks.count("pipeline", pipeline), checks.count("num_micro_batches", num_micro_batches)
    return (p - 1) / (checks.count("chunks", chunks) * m + p - 1)


@dataclass(frozen=True)
class Shape:
    """Sizes of a dense decoder, as `count_transformer` takes them."""

    num_layers: int
    d_model: int
    num_heads: int
    vocabulary: int
    context: int
    num_kv_heads: int | None = None
    d_ff: int | None = None
    gated: bool = False
    tied: bool = True

    @cached_property
    def count(self) -> Count:
        """Parameters and forward FLOP per token, attention counted in full."""
        return count_transformer(
            self.num_layers, self.d_model, self.num_heads, vocabulary=self.vocabulary, context=self.context,
            num_kv_heads=self.num_kv_heads, d_ff=self.d_ff, gated=self.gated, tied=self.tied)


@dataclass(frozen=True)
class Layout:
    """How a step is spread over devices.

    Attributes:
        data, tensor, pipeline: replicas, devices that share each layer, and stages; their product is all devices.
        batch: sequences in a step, over all replicas.
        chunks: pieces of the model on each stage (interleaved pipeline).
        micro_batch: sequences that pass the pipeline together.
        recompute: "none", "selective" (attention scores again in the backward pass) or "full" (everything again).
        zero_stage: what the replicas share among them, see `memory_training`.

    Raises:
        ValueError: a number that is not whole and at least 1, an unknown way to recompute, or an unknown stage.
    """

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    batch: int = 1
    chunks: int = 1
    micro_batch: int = 1
    recompute: str = "selective"
    zero_stage: int = 1

    def __post_init__(self) -> None:
        for name in ("data", "tensor", "pipeline", "batch", "chunks", "micro_batch"):
            checks.count(name, getattr(self, name))
        checks.one_of("recompute", self.recompute, ("none", "selective", "full"))
        if self.zero_stage not in (0, 1, 2, 3):
            raise ValueError(f"zero_stage must be 0, 1, 2 or 3, found {self.zero_stage!r}; 0 shards nothing.")

    @property
    def num_devices(self) -> int:
        """All devices."""
        return self.data * self.tensor * self.pipeline

    @property
    def num_micro_batches(self) -> int:
        """Micro-batches of the busiest replica."""
        return math.ceil(self.batch / (self.data * self.micro_batch))


@dataclass(frozen=True)
class Links:
    """Speed of the wires: node_devices with `fast` bytes/s each to the others, `slow` bytes/s each to other nodes."""

    node_devices: int
    fast: float
    slow: float

    def __post_init__(self) -> None:
        checks.count("node_devices", self.node_devices)
        checks.positive("fast", self.fast)
        checks.positive("slow", self.slow)


@cache
def _links() -> dict[str, Links]:
    text = files("helpers.economics").joinpath("links.csv").read_text(encoding="utf-8")
    return {row["name"]: Links(int(row["node_devices"]), float(row["fast"]), float(row["slow"]))
            for row in csv.DictReader(text.splitlines())}


def links_of(name: str) -> Links:
    """Return the usual wires of a system with this accelerator, per device and direction.

    Args:
        name: short name from the accelerator table: a100, h100, h200 or b200.

    Raises:
        ValueError: the table has no such system; pass `Links`.
    """
    return _links()[checks.one_of("system", name, _links())]


@dataclass(frozen=True)
class StepTime:
    """Seconds and bytes of one optimiser step on the busiest device.

    Attributes:
        compute: arithmetic, what is computed twice included.
        tensor, sends, data: exposed communication inside layers, between stages, and between replicas.
        bubble: waiting for the pipeline to fill and to drain.
        tokens: tokens in the step.
        utilisation: share of the peak spent on the FLOP of the model (attention in full, nothing counted twice).
        utilisation_6nd: the same with 6 FLOP per parameter and token, as `plan_training` counts.
        state_bytes, activation_bytes: weights, gradients and optimiser; activations (an upper model).
        fits: whether both fit into the share of the memory that the price table gives.
    """

    compute: float
    tensor: float
    sends: float
    data: float
    bubble: float
    tokens: int
    utilisation: float
    utilisation_6nd: float
    state_bytes: float
    activation_bytes: float
    fits: bool

    @property
    def seconds(self) -> float:
        """Length of the step."""
        return self.compute + self.tensor + self.sends + self.data + self.bubble


def step_time(
    shape: Shape, layout: Layout, device: str | Accelerator = "h100", *, links: Links | None = None,
    kernel_share: float = KERNEL_SHARE,
) -> StepTime:
    """Model one step of training.

    Args:
        shape: the decoder.
        layout: replicas, tensor and pipeline split, batch.
        device: short name from the accelerator table, or a row of it.
        links: speed of the wires; None takes `links_of` the device.
        kernel_share: share of the peak that matrix products reach by themselves.

    Raises:
        ValueError: more stages than layers, more pieces than layers on a stage, tensor split wider than the heads, or
            an unknown device.

    Source: shoeybi2019, narayanan2021, korthikanti2023, rajbhandari2020. Derived in: book/project/scaling_out.
    """
    device = accelerator(device) if isinstance(device, str) else device
    links = links_of(device.name) if links is None else links
    d, t, p, b, v = layout.data, layout.tensor, layout.pipeline, layout.micro_batch, layout.chunks
    layers = math.ceil(shape.num_layers / p)
    if p > shape.num_layers:
        raise ValueError(f"pipeline must be at most the {shape.num_layers} layers, found {p}; lower it.")
    if v > layers:
        raise ValueError(f"chunks must be at most the {layers} layers of a stage, found {v}; lower it.")
    if t > shape.num_heads:
        raise ValueError(f"tensor must be at most the {shape.num_heads} heads, found {t}; lower it.")
    part = layers / shape.num_layers / t                     # of the model on the busiest device
    parameters, forward = shape.count.parameters, shape.count.flops
    tokens = b * shape.context
    scores = 4 * shape.context * shape.d_model * shape.num_layers
    passes = {"none": 3.0, "selective": 3 + scores / forward, "full": 4.0}[layout.recompute]
    compute = passes * forward * tokens * part / (device.flops_per_second * checks.fraction(
        "kernel_share", kernel_share, above_zero=True))
    hidden = WIRE * tokens * shape.d_model                   # bytes of one micro-batch between two layers
    wire = links.fast if t <= links.node_devices else links.slow
    tensor = (6 if layout.recompute == "full" else 4) * layers * ring_bytes(hidden, t) / wire
    sends = 2 * v * hidden / t / links.slow if p > 1 else 0.0
    m = layout.num_micro_batches
    bubble = (compute + tensor + sends) * (p - 1) / v
    near = max(1, links.node_devices // t)                   # replicas in a node, whose links carry one ring each
    wire = links.fast if layout.num_devices <= links.node_devices else min(links.fast, links.slow * near)
    weights = WIRE * parameters * part
    exchange = ring_bytes(weights, d) / wire
    backward = compute * (passes - 1) / passes               # of the last micro-batch, behind which gradients travel
    if layout.zero_stage == 3:                               # weights gathered twice a micro-batch, gradients sent once
        data = m * max(0.0, exchange - compute) + max(0.0, exchange / 2 - backward)
    else:
        data = max(0.0, exchange - backward)
    seconds = m * (compute + tensor + sends) + bubble + data
    work = layout.batch * shape.context / (layout.num_devices * device.flops_per_second * seconds)
    state = memory_training(parameters * part, zero_stage=layout.zero_stage, num_devices=d)
    waiting = min(m, p) * (1 + (p - 1) / (p * v) if v > 1 else 1)
    activations = waiting * layers * memory_activations(
        1, shape.d_model, shape.num_heads, context=shape.context, batch=b, tensor_parallel=t, sequence_parallel=True,
        recompute=layout.recompute)
    return StepTime(
        compute=m * compute, tensor=m * tensor, sends=m * sends, data=data, bubble=bubble,
        tokens=layout.batch * shape.context, utilisation=3 * forward * work, utilisation_6nd=6 * parameters * work,
        state_bytes=state, activation_bytes=activations,
        fits=state + activations <= device.memory_bytes * price("device_memory_share").value)
