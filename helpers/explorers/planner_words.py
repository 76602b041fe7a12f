"""The words of the planners, one table a view."""

from __future__ import annotations

from typing import Any

WORDS: dict[str, dict[str, Any]] = {
    "training": {
        "title": "A training run: devices, days, money",
        "hint": "Drag along the line to add devices. The days fall; the rent stays, as long as utilisation does.",
        "source": "Computed in this page. Rents, power and shares from the book's price table, each with its date; "
                  "some are assumptions.",
        "accelerator": "accelerator", "plot": "How long it takes", "time": "this run", "here": "your choice",
        "devices": "devices", "seconds": "seconds", "minutes": "minutes", "hours": "hours", "days": "days",
        "fewest": "too few for the state", "day": "a day", "month": "a month",
        "year": "a year", "quantity": "quantity", "value": "value",
        "status": "{flops} FLOP on {devices} × {device}: {time}, {hours} device-hours, {cost} ({low} to {high} at the "
                  "rents of {date}), {energy} MWh worth {power}.",
        "fits": "The training state fits (fewest devices: {fewest}).",
        "small": "The training state does not fit (fewest devices: {fewest}).",
        "results": {
            "flops": "FLOP", "device_hours": "device-hours", "days": "days", "min_devices": "fewest devices",
            "fits": "fits (1 = yes)", "cost": "cost at the rent chosen, USD",
            "cost_low": "cost at the low rent, USD", "cost_high": "cost at the high rent, USD",
            "energy_kwh": "energy, kWh", "energy_cost": "electricity, USD",
        },
    },
    "serving": {
        "title": "A service: speed, cost per million tokens, margin",
        "hint": "Serve more sequences at once: cost falls until the cache fills the memory, and each user waits "
                "longer.",
        "source": "Computed in this page: a roofline without traffic between devices. Prices are for a million tokens "
                  "(M) and a device-hour. Prices and shares from the "
                  "book's price table, each with its date; loads and utilisations are assumptions.",
        "accelerator": "accelerator", "plot": "Cost per million tokens", "output": "output", "input": "input",
        "price": "price of output", "batch": "sequences at once", "per_million": "USD per million tokens",
        "speed": "What one user sees", "stream": "writing speed", "tokens_per_second": "tokens per second",
        "full": "memory full", "quantity": "quantity", "value": "value",
        "status": "{devices} × {device} write {rate} tokens per second, {stream} for each user. At a load of {load} a "
                  "million tokens costs {input} USD in and {output} USD out; a thousand requests cost {thousand}; "
                  "gross margin {margin}.",
        "small": "It does not fit: weights and cache need {memory}.",
        "results": {
            "input_rate": "input tokens per second", "output_rate": "output tokens per second",
            "stream_rate": "tokens per second for one user", "cost_input": "cost of a million in, USD",
            "cost_output": "cost of a million out, USD", "cost": "cost of a request, USD",
            "revenue": "revenue of a request, USD", "gross_margin": "gross margin", "memory_bytes_needed": "bytes",
            "fits": "fits (1 = yes)",
        },
    },
    "runway": {
        "title": "Runway (simulated)",
        "hint": "Widen the spreads: the middle path hardly moves, the chance of ruin does.",
        "source": "Simulated in this page: 300 ventures, each with its own growth, churn and costs. All starting "
                  "values but the gross margin are assumptions.",
        "plot": "Cash, simulated", "band": "median, 50 % and 90 %", "expected": "as planned",
        "month": "month", "cash_axis": "USD", "ruin": "Out of cash by then, simulated", "share": "share of ventures",
        "status": "Net burn {burn} in the first month, {simple} months at that rate. Of the simulated ventures {share} "
                  "run out of cash within {months} months; median cash then {median}.",
        "half": "Half of them are out of cash by month {half}.",
        "survive": "Fewer than half of them run out.",
    },
}
