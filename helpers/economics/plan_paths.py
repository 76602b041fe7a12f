"""The paths of a plan: assumptions drawn from their ranges, cash and customers month by month, causes of death."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from helpers.economics import checks
from helpers.economics.hazards import Hazards
from helpers.economics.schedule import simulate, triangular_quantile
from helpers.economics.venture import Venture

DAYS_A_MONTH = 21  # working days
HORIZON = 24  # months within which the cause of death is asked for
NOT_IN_PATHS = ("pre_money", "raise_months")
CORRELATION = 0.3  # of the durations of tasks: a team that is slow at one thing is slow at others; assumed
Values = Mapping[str, "float | np.ndarray"]


def inputs(venture: Venture) -> list[str]:
    """Return the names of what a path draws: the assumptions that move cash, and "tasks" for the schedule."""
    return [key for key in venture.assumptions if key not in NOT_IN_PATHS] + ["tasks"]


def launch_days(venture: Venture, *, num_draws: int = 4000, num_points: int = 65, seed: int = 0) -> np.ndarray:
    """Return quantiles of the working days until launch, from the simulated schedule of the tasks.

    As many people work on the tasks as the team has (rounded, at least one).

    Args:
        venture: its tasks and team.
        num_draws: simulated schedules.
        num_points: quantiles, at levels from 0 to 1.
        seed: seed of the draws.

    Raises:
        ValueError: bad tasks.

    Derived in: book/outlook/management.
    """
    people = max(1, round(venture["team"].likely))
    drawn = simulate(venture.tasks, num_draws=num_draws, seed=seed, correlation=CORRELATION, people=people)
    return np.quantile(drawn.days, np.linspace(0, 1, num_points))


def draw_values(draws: np.ndarray, venture: Venture, days: np.ndarray) -> dict[str, float | np.ndarray]:
    """Turn uniform numbers into assumptions: triangular for each range, the schedule's quantiles for "tasks".

    Args:
        draws: [num_paths, num_inputs] uniform numbers, columns in the order of `inputs`.
        venture: the ranges.
        days: quantiles from `launch_days`.

    Returns:
        name of the input and its values [num_paths], or one number where it is certain; tasks in working days.

    Raises:
        ValueError: the draws have another shape.
    """
    names, draws = inputs(venture), np.asarray(draws, dtype=np.float64)
    if draws.ndim != 2 or draws.shape[1] != len(names) or len(draws) == 0:
        raise ValueError(f"draws must have shape [num_paths, {len(names)}], found {list(draws.shape)}; "
                         "draw one uniform number for each input.")
    values: dict[str, float | np.ndarray] = {}
    for column, name in enumerate(names[:-1]):
        one = venture.assumptions[name]
        width = one.high - one.low
        values[name] = one.likely if one.certain else one.low + width * triangular_quantile(
            draws[:, column], (one.likely - one.low) / width)
    values["tasks"] = np.interp(draws[:, -1], np.linspace(0, 1, len(days)), days)
    return values


def month_by_month(values: Values, months: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Follow cash and customers; yields both [num_paths] at the start and after each month (copy what you keep).

    With the launch at month L = tasks·slip/21: before it people and other costs, and device-hours and data spread
    evenly; after it hires, marketing, device-hours each month, and customers, of whom a part is lost and some are won;
    each new one is set up once.

    Args:
        values: from `draw_values`, or one number for each input.
        months: length.

    Derived in: book/outlook/business_plan.
    """
    v = values
    launch = np.atleast_1d(np.asarray(v["tasks"], dtype=np.float64)) * v["slip"] / DAYS_A_MONTH
    shape = np.broadcast_shapes(*(np.shape(one) for one in v.values()), launch.shape)
    cash, customers = np.zeros(shape) + v["cash"], np.zeros(shape)
    building = np.maximum(launch, 1)
    once = (v["gpu_hours"] * v["rent"] + v["data"]) / building
    fixed, hired = v["team"] * v["cost_per_person"] + v["other_costs"], v["hires"] * v["cost_per_person"]
    running = v["marketing"] + v["gpu_hours_after"] * v["rent"]
    won = v["marketing"] / v["acquisition_cost"]
    lost = np.minimum(1.0, v["churn"] + v["churn_unserved"] * (1 - v["right"]))
    price = v["price"] * (1 - v["fees"])
    tokens = v["questions"] * (v["tokens_in"] * v["input_price"] + v["tokens_out"] * v["output_price"]) / 1e6
    price_factor, token_factor = (1 + v["price_change"]) ** (1 / 12), (1 + v["token_price_change"]) ** (1 / 12)
    before: float | np.ndarray = 0.0
    setup = bool(np.any(v["setup"]))
    yield cash, customers
    for month in range(1, months + 1):
        live = np.clip(month - launch, 0, 1)
        room = np.maximum(0, 1 - customers / v["market_size"])
        new = (live - before) * v["first_customers"] + live * (won + v["referral"] * customers) * room
        customers += new - live * lost * customers
        cash += customers * (price - tokens - v["support"]) - fixed - hired * np.maximum(0, month - launch)
        cash -= live * running + once * np.clip(building - month + 1, 0, 1)
        if setup:
            cash -= v["setup"] * new
        price, tokens, before = price * price_factor, tokens * token_factor, live
        yield cash, customers


def lowest_cash(values: Values, months: int) -> np.ndarray:
    """Return the lowest cash of each path, [num_paths]; below 0 it is the money that was missing."""
    flow = month_by_month(values, months)
    lowest = next(flow)[0].copy()
    for cash, _ in flow:
        np.minimum(lowest, cash, out=lowest)
    return lowest


def unit_economics(values: Values, month: int | None = None) -> dict[str, float | np.ndarray]:
    """Return what one customer brings and costs, in USD and months.

    Args:
        values: from `draw_values`, or one number for each input.
        month: with the prices and the hires of this month; None takes the prices as given and nobody hired.

    Returns:
        serving (tokens a month), profit (price less fees, tokens and support), margin (profit over price), churn
        (share a month), lifetime_value (profit / churn), payback (months until CAC and setup have come back; infinite
        when there is no profit), ratio (lifetime value over CAC and setup) and break_even (customers whose profit pays
        the team and hires, other costs, marketing and device-hours of a month; infinite when there is no profit).

    Source: casado2020. Derived in: book/outlook/business_plan.
    """
    v = values
    serving = v["questions"] * (v["tokens_in"] * v["input_price"] + v["tokens_out"] * v["output_price"]) / 1e6
    price, people = v["price"], v["team"]
    if month is not None:
        price = price * (1 + v["price_change"]) ** ((month - 1) / 12)
        serving = serving * (1 + v["token_price_change"]) ** ((month - 1) / 12)
        people = people + v["hires"] * np.maximum(0, month - v["tasks"] * v["slip"] / DAYS_A_MONTH)
    profit = price * (1 - v["fees"]) - serving - v["support"]
    churn = np.minimum(1.0, v["churn"] + v["churn_unserved"] * (1 - v["right"]))
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = np.where(np.greater(price, 0), profit / np.maximum(price, 1e-300), -np.inf)
        value = np.where(churn > 0, profit / np.where(churn > 0, churn, 1), np.sign(profit) * np.inf)
        winning = v["acquisition_cost"] + v["setup"]
        monthly = people * v["cost_per_person"] + v["other_costs"] + v["marketing"] + v["gpu_hours_after"] * v["rent"]
        payback, needed = (np.where(profit > 0, cost / np.where(profit > 0, profit, 1), np.inf)
                           for cost in (winning, monthly))
    return {"serving": serving, "profit": profit, "margin": margin, "churn": churn, "lifetime_value": value,
            "payback": payback, "ratio": value / winning, "break_even": needed}


def death_causes(ruin: np.ndarray, hazards: Hazards, months: int = HORIZON) -> dict[str, float]:
    """Return the chance that each cause ends the venture within the months, and of being alive, which sum to 1.

    Running out of cash is the plan's own: it ends a path at the end of the month in which its cash falls below 0. The
    other causes strike with their hazards, independently of cash; the first of all ends the venture.

    Args:
        ruin: [num_months + 1] share of paths out of cash by each month.
        hazards: of the causes; the one of "capital" is left out.
        months: length of time.

    Raises:
        ValueError: the plan is shorter than the months.

    Source: aalen1978. Derived in: book/outlook/seven_causes.
    """
    months = checks.count("months", months)
    if months >= len(ruin):
        raise ValueError(f"months must be at most {len(ruin) - 1}, the length of the plan, found {months}; "
                         "make the plan longer.")
    others = hazards.without("capital") if "capital" in hazards.names else hazards
    ages = np.arange(months + 1)
    ended, alive = others.cumulative_incidence(ages), np.atleast_1d(others.survival(ages))
    dying = np.diff(np.asarray(ruin, dtype=np.float64)[: months + 1], prepend=0.0)
    funded = 1 - ruin[months]
    found = {name: float(row @ dying + funded * row[-1]) for name, row in zip(others.names, ended, strict=True)}
    return found | {"capital": float(alive @ dying), "alive": float(funded * alive[-1])}
