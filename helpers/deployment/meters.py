"""What the service tells Prometheus: requests by status, queue, slots, tokens, times to and between tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from helpers.deployment.engine import Engine

FIRST_TOKEN = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)   # upper edges in seconds
BETWEEN = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)


class Meters:
    """Counters of one service, in a registry of its own; an engine's ``watch``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("service_requests", "answers by path and status", ["path", "status"],
                                registry=self.registry)
        self._first = Histogram("service_first_token_seconds", "from the queue to the first token", buckets=FIRST_TOKEN,
                                registry=self.registry)
        self._between = Histogram("service_between_tokens_seconds", "between two tokens of a request", buckets=BETWEEN,
                                  registry=self.registry)
        ProcessCollector(registry=self.registry)

    def first_token(self, seconds: float) -> None:
        """A request got its first token."""
        self._first.observe(seconds)

    def between(self, seconds: float) -> None:
        """A request got a further token."""
        self._between.observe(seconds)

    def attach(self, engine: Engine) -> None:
        """Read the engine's own numbers whenever somebody asks."""
        self.registry.register(_State(engine))

    def page(self) -> bytes:
        """All numbers in Prometheus's text format."""
        return generate_latest(self.registry)


class _State:
    """The engine's numbers at the moment of asking."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics, as the registry wants it."""
        engine = self.engine
        yield GaugeMetricFamily("service_queue_length", "requests that wait for a slot", engine.num_waiting)
        yield GaugeMetricFamily("service_active_slots", "requests that have a slot", engine.num_active)
        yield GaugeMetricFamily("service_slots", "slots", engine.num_slots)
        tokens = CounterMetricFamily("service_tokens", "tokens read and written", labels=["kind"])
        tokens.add_metric(["read"], engine.num_read)
        tokens.add_metric(["written"], engine.num_written)
        yield tokens
        yield CounterMetricFamily("service_steps", "steps in which tokens were written", engine.num_steps)
        yield CounterMetricFamily("service_cancelled", "requests whose client went away", engine.num_cancelled)
