"""The memo of a choice between routes: one page of Markdown, with list prices as a range over vendors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from helpers.economics import checks
from helpers.economics.choices import Decision, decide, reasons, regrets
from helpers.economics.prices import price_range
from helpers.economics.routes import Route, Situation, parts


def _prices_at(s: Situation, size: str, place: int) -> Situation:
    """The situation at the low (0), median (1) or high (2) list price over vendors."""
    rows = {kind: price_range(f"api_{size}_{kind}")[place].value for kind in ("input", "cached", "output")}
    return s.changed(**{f"{kind}_price": value for kind, value in rows.items()})


def over_vendors(s: Situation, routes: Sequence[Route], size: str = "large") -> dict[str, Decision]:
    """The decision at the low, median and high list price over vendors.

    Args:
        s: the situation. routes: the routes.
        size: "large" or "small" models of the price table.

    Raises:
        ValueError: the size is unknown, or no route is left.
    """
    checks.one_of("size", size, ("large", "small"))
    return {level: decide(_prices_at(s, size, place), routes) for place, level in enumerate(("low", "median", "high"))}


def _not(allowed: bool) -> str:
    return "" if allowed else "not "


def _doubts(s: Situation) -> dict[str, dict[str, Any]]:
    """What the memo tries in turn."""
    return {"ten times the volume": {"volume": 10 * s.volume}, "a tenth of it": {"volume": s.volume / 10},
            "steady list prices": {"price_decline": 0.0}, "a fall of 90% a year": {"price_decline": 0.9},
            "people at double": {"person_month": 2 * s.person_month}}


def _if_wrong(s: Situation, routes: Sequence[Route]) -> str:
    """The doubts that would turn the choice, with their regret, and those that would not."""
    table = regrets(s, routes, _doubts(s))
    turned = [f"with {label} {right} would have been right (regret {lost:,.0f} USD)"
              for label, (right, lost) in table.items() if lost > 0]
    same = [label for label, (_, lost) in table.items() if lost <= 0]
    return "; ".join(turned + ([f"the choice stays right with {', '.join(same)}"] if same else []))


def _if_more_is_required(s: Situation, routes: Sequence[Route]) -> str:
    """What five more points of quality would ask for."""
    try:
        higher = decide(s.changed(quality=min(1.0, s.quality + 0.05)), routes)
    except ValueError:
        return "with five more points of quality required no route is left"
    return f"with five more points of quality required it is {higher.route}, {higher.cost:,.0f} USD"


def memo(s: Situation, routes: Sequence[Route], *, title: str = "Train, tune or rent", size: str = "large") -> str:
    """One page to take away, as Markdown: the choice, every route's cost, the boundaries, what would turn it.

    Args:
        s: the situation. routes: the routes. title: heading of the page.
        size: "large" or "small" vendor models for the range of list prices.

    Raises:
        ValueError: no route is left; the message says which gate excluded which.

    Derived in: book/outlook/train_tune_or_rent.
    """
    made, spread = decide(s, routes), over_vendors(s, routes, size)
    dates = [row.date for kind in ("input", "cached", "output") for row in price_range(f"api_{size}_{kind}")]
    second = list(made.costs.items())[1:2]
    others = f"The next best, {second[0][0]}, costs {second[0][1]:,.0f} USD." if second else "No other route is open."
    lines = [f"# {title}", "", f"**Choice: {made.route}.** {made.cost:,.0f} USD over {s.months} months, discounted at "
             f"{s.discount:.0%} a year; {made.per_thousand:,.2f} USD for a thousand requests. {others}", "",
             f"**For** {s.volume:,.0f} requests a day of {s.input_tokens + s.passage_tokens:,.0f} tokens in and "
             f"{s.output_tokens:,.0f} out, {s.quality:.0%} of our own evaluation right, answers within "
             f"{s.max_seconds:g} s, {s.people:g} people, live within {s.deadline:g} months. "
             f"Our data may {_not(s.data_may_leave)}leave; we may {_not(s.may_train_on_data)}train on them and may "
             f"{_not(s.may_train_on_answers)}train on a vendor's answers; open weights may {_not(s.may_use_weights)}be "
             "used.", "",
             "| route | build | data | compute | people | serving | switching | total, USD |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for route in routes:
        if route.name not in made.excluded:
            row = [float(value) for value in parts(route, s).values()]
            cells = " | ".join(f"{value:,.0f}" for value in row)
            lines.append(f"| {route.name} | {cells} | **{sum(row):,.0f}** |")
    needs = f"{made.examples:,.0f}, by the learning curve assumed" if made.examples else "none of our own"
    turns = [f"at {volume:,.0f} requests a day from {below} to {above}" for volume, below, above in made.boundaries]
    lines += ["", f"**Excluded:** {reasons(made.excluded) or 'none'}. **Examples needed:** {needs}.", "",
              f"**The choice turns** {', '.join(turns) or 'at no volume'}; {_if_more_is_required(s, routes)}.", "",
              f"**At list prices up to {max(dates)}** (lowest, median and highest {size} model over vendors, each "
              f"price by itself): {', '.join(f'{level} {d.route}' for level, d in spread.items())}.", "",
              f"**If we are wrong:** {_if_wrong(s, routes)}.", "",
              f"**Assumed:** prices by the token fall {s.price_decline:.0%} a year; rent {s.rent:g} USD a device-hour; "
              f"load {s.load:.0%}; a month of a person {s.person_month:,.0f} USD; every learning curve.", "",
              "**Decide again** when the evaluation, the volume, a list price or a right has changed, and in six "
              "months at the latest.", ""]
    return "\n".join(lines)
