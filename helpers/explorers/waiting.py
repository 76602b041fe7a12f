"""How long a job waits for a device: utilisation, devices and variability as sliders."""

from __future__ import annotations

from helpers.economics import queueing

from .formula import Formula


class Waiting(Formula):
    """Sliders for utilisation, devices, job length and variability; the mean wait follows.

    Args:
        start: first values of utilisation, num_servers, service_time, arrival_cv2 and service_cv2.

    Raises:
        ValueError: an unknown name or a value out of its range in `start`.

    Derived in: book/outlook/management.
    """

    module = "waiting"

    def __init__(self, start: dict[str, float] | None = None, *, id: str | None = None) -> None:
        first = {"utilisation": 0.9, "num_servers": 1, "service_time": 4.0, "arrival_cv2": 1.0, "service_cv2": 1.0}
        for name in start or {}:
            queueing.checks.one_of("start value", name, first)
        first |= start or {}
        super().__init__(
            [
                {"name": "utilisation", "label": "utilisation", "min": 0.05, "max": 0.99, "step": 0.01,
                 "kind": "percent", "value": first["utilisation"]},
                {"name": "num_servers", "label": "devices with one queue", "min": 1, "max": 32, "step": 1,
                 "kind": "integer", "value": first["num_servers"]},
                {"name": "service_time", "label": "mean length of a job", "min": 0.1, "max": 100, "scale": "log",
                 "unit": "hours", "value": first["service_time"]},
                {"name": "arrival_cv2", "label": "variability of arrivals, c²", "min": 0, "max": 5, "step": 0.1,
                 "value": first["arrival_cv2"]},
                {"name": "service_cv2", "label": "variability of lengths, c²", "min": 0.1, "max": 20, "step": 0.1,
                 "value": first["service_cv2"]},
            ],
            [
                {"name": "wait", "label": "mean wait", "unit": "hours"},
                {"name": "times", "label": "wait over length"},
                {"name": "queue", "label": "jobs that wait"},
                {"name": "free", "label": "devices free, mean"},
            ],
            sentence="Devices: [[num_servers]], busy [[utilisation]] of the time. Jobs take [[service_time]] on "
                     "average: a job waits {wait}, {times} times its own length, and {queue} jobs stand in line.",
            chart={"x": "utilisation", "y": "wait", "scale": "log"},
            title="What a busy device costs in waiting",
            hint="Drag the utilisation in the chart. Then make the jobs more alike, or share more devices.",
            source="Computed in this page: Kingman's formula for one device, Allen and Cunneen's for several; exact "
                   "for random arrivals on one device, and for M/M/c.",
            id=id,
        )

    @staticmethod
    def compute(utilisation: float, num_servers: int, service_time: float, arrival_cv2: float, service_cv2: float
                ) -> dict[str, float]:
        """Mean wait and what follows from it by Little's law.

        Args:
            utilisation, num_servers, service_time, arrival_cv2, service_cv2: see `queueing.shared_wait`.

        Returns:
            wait in hours, wait over job length, mean number of waiting jobs, mean number of free devices.

        Raises:
            ValueError: the utilisation is 1 or more, or a number is out of its range.

        Source: kingman1961, little1961. Derived in: book/outlook/management.
        """
        wait = queueing.shared_wait(utilisation, service_time, num_servers, arrival_cv2=arrival_cv2,
                                    service_cv2=service_cv2)
        return {"wait": wait, "times": wait / service_time, "queue": utilisation * num_servers / service_time * wait,
                "free": (1 - utilisation) * num_servers}

    @staticmethod
    def cases() -> list[dict[str, float]]:
        """Settings at which the browser tests compare this function with the page."""
        middle = {"utilisation": 0.9, "num_servers": 1, "service_time": 4.0, "arrival_cv2": 1.0, "service_cv2": 1.0}
        return [middle, {**middle, "num_servers": 32, "utilisation": 0.99}, {**middle, "arrival_cv2": 0.0},
                {**middle, "service_cv2": 20.0, "num_servers": 5}, {**middle, "utilisation": 0.05, "num_servers": 8}]
