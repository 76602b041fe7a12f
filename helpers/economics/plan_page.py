"""The plan on one page: as a table, as HTML that needs nothing else, and as CSV."""

from __future__ import annotations

import csv
import html as text
import io
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers.economics.plan_paths import unit_economics

if TYPE_CHECKING:
    from helpers.economics.plan import VenturePlan
    from helpers.economics.tasks import Task

LOW, HIGH = 0.05, 0.95
PERCENTILES, RANGE, INTERVAL = ("5 %", "50 %", "95 %"), ("low", "likely", "high"), ("90 % from", "value", "to")
MEANING = {
    "team and schedule": "From many simulated schedules; one launch in twenty is later than the 95 %.",
    "price and one customer": "At launch, but for the last line. Gross margin: what is left of the price after fees, "
                              "tokens and support. Lifetime value: this profit, summed until the customer leaves. "
                              "Break-even: so many customers pay for people, other costs, "
                              "marketing and device-hours of a month.",
    "cash": "Money in the bank at the end of a month; below 0 it is money that is missing.",
    "runway": "Out of cash: the first month at whose end the cash is below 0.",
    "funding": "Money that keeps cash at 0 or more until the plan ends; a path that still loses money then needs more.",
    "hangs on": "Total index: the share of the variance of the lowest cash that stays when all other guesses are "
                "known.",
    "causes": "Capital comes from the paths above; the other causes strike as often as in a published survival table, "
              "split by post-mortem mentions, which is assumed, and not fitted to this venture.",
    "assumptions": "All that the plan was told.",
}
STYLE = """
.venture-plan{LIGHT;max-width:46rem;font:15px/1.5 system-ui,sans-serif;color:var(--plan-ink);
background:var(--plan-paper);padding:1rem;border-radius:8px;margin:0 auto}
html[data-theme=dark] .venture-plan,body[data-jp-theme-light=false] .venture-plan{DARK}
@media (prefers-color-scheme:dark){.plan-page .venture-plan{DARK}.plan-page{background:PAPER}}
.plan-page{margin:0}
.venture-plan table{border-collapse:collapse;width:100%;min-width:34rem;table-layout:fixed;
margin:0 0 1rem;font-size:14px;color:inherit;display:table}
.venture-plan p.plan-part{font-weight:600;font-size:16px;margin:1rem 0 .1rem}
.venture-plan th,.venture-plan td{text-align:right;padding:.15rem .4rem;border-bottom:1px solid var(--plan-grid);
color:inherit;background:none;vertical-align:top}
.venture-plan th:first-child{width:32%}.venture-plan th:last-child{width:29%}
.venture-plan table.plan-single{min-width:0}.venture-plan .plan-single th:first-child{width:46%}
.venture-plan th:first-child,.venture-plan th:last-child,.venture-plan td:last-child{text-align:left}
.venture-plan tbody th{font-weight:400}.venture-plan p{margin:.2rem 0 .8rem;color:inherit}
.venture-plan p.plan-note{margin:0 0 .2rem;color:var(--plan-muted);font-size:14px}
.venture-plan .plan-name{font-size:20px}
.venture-plan td{white-space:nowrap}.venture-plan td:last-child{white-space:normal}
.venture-plan .plan-scroll{overflow-x:auto}.venture-plan svg{width:100%;height:auto;display:block;font-size:13px}
@media (max-width:560px){.venture-plan table{min-width:0}.venture-plan svg{font-size:20px}
.venture-plan table tr{display:grid;grid-template-columns:repeat(3,1fr);border-bottom:1px solid var(--plan-grid)}
.venture-plan .plan-single tr{grid-template-columns:1fr}.venture-plan .plan-single th:first-child{width:auto}
.venture-plan th,.venture-plan td{border:0;text-align:left}
.venture-plan table th:first-child,.venture-plan table td:last-child,.venture-plan table th:last-child{width:auto;
grid-column:1/-1}.venture-plan td:last-child{color:var(--plan-muted)}.venture-plan thead th:last-child{display:none}}
"""


@cache
def _style() -> str:
    """Return the page's style in the colours of the book, light and dark."""
    palette = json.loads(files("helpers").joinpath("palette.json").read_text(encoding="utf-8"))
    names = ("ink", "paper", "grid", "muted", "blue", "red", "orange")
    light, dark = (";".join(f"--plan-{name}:{palette[mode][name]}" for name in names) for mode in ("light", "dark"))
    return STYLE.replace("LIGHT", light).replace("DARK", dark).replace("PAPER", palette["dark"]["paper"])


class Row(NamedTuple):
    """One line of the plan: what it says, its 5th, 50th and 95th percentile, unit and a remark."""

    part: str
    name: str
    low: float | None
    middle: float | None
    high: float | None
    unit: str
    note: str = ""


def _spread(part: str, name: str, values: float | np.ndarray, unit: str, note: str = "") -> Row:
    values = np.atleast_1d(values)
    method = "linear" if np.isfinite(values).all() else "nearest"  # a payback may never come
    low, middle, high = np.quantile(values, [LOW, 0.5, HIGH], method=method)
    return Row(part, name, float(low), float(middle), float(high), unit, note)


def rows(plan: VenturePlan) -> list[Row]:
    """Return the plan as a table.

    Args:
        plan: from `plan_venture`.
    """
    v, months = plan.values, plan.venture.months
    building = np.maximum(plan.launch, 1)
    people = (v["team"] * v["cost_per_person"] + v["other_costs"]) * plan.launch
    compute, data = v["gpu_hours"] * v["rent"], v["data"]
    found = [
        _spread("budget", "people and other costs until launch", people, "USD"),
        _spread("budget", "compute until launch", compute, "USD"),
        _spread("budget", "data until launch", data, "USD"),
        _spread("budget", "burn a month until launch", (people + compute + data) / building, "USD a month"),
        _spread("team and schedule", "people on the payroll until launch", v["team"], "people"),
        _spread("team and schedule", "launch", plan.launch, "months", "from the simulated schedule"),
        _spread("price and one customer", "price", v["price"], "USD a month"),
    ]
    units = unit_economics(v)
    lines = {"serving": ("tokens for one customer", "USD a month"), "profit": ("profit of one customer", "USD a month"),
             "margin": ("gross margin", "share"), "churn": ("customers lost", "share a month"),
             "lifetime_value": ("lifetime value", "USD"), "payback": ("payback of winning a customer", "months"),
             "ratio": ("lifetime value over cost of winning", "ratio"),
             "break_even": ("break-even at launch, customers needed", "customers")}
    found += [_spread("price and one customer", name, units[key], unit) for key, (name, unit) in lines.items()]
    later = unit_economics(v, months)["break_even"]
    found.append(_spread("price and one customer", f"break-even in month {months}, with hires", later, "customers"))
    marks = [month for month in (12, 24, 36) if month < months] + [months]
    found += [_spread("cash", f"cash after {month} months", plan.cash[month], "USD") for month in marks]
    found += [_spread("cash", f"customers after {months} months", plan.customers[months], "customers")]
    for chance, name in ((0.1, "one path in ten is out of cash by"), (0.5, "every second path is out of cash by")):
        month = plan.month_of_ruin(chance)
        note = "" if month is not None else f"not within {months} months"
        found.append(Row("runway", name, None, None if month is None else float(month), None, "month", note))
    found.append(Row("runway", f"out of cash within {months} months", None, float(plan.ruin[-1]), None, "share"))
    found.append(Row("runway", f"still losing money in month {months}", None, plan.losing, None, "share"))
    found += _raising(plan)
    index = plan.sensitivity if plan.uncertain else None
    for name in index.largest(3) if index else ():
        place = index.names.index(name)
        what = "the schedule" if name == "tasks" else plan.venture[name].what
        found.append(Row("hangs on", name, *(float(one) for one in (
            index.total_interval[place, 0], index.total[place], index.total_interval[place, 1])), "share", what))
    horizon = min(24, months)
    for name, chance in sorted(plan.causes.items(), key=lambda pair: -pair[1]):
        shown = "still alive" if name == "alive" else f"ended by {name}"
        found.append(Row(f"after {horizon} months", shown, None, chance, None, "share"))
    return found


def _raising(plan: VenturePlan) -> list[Row]:
    """Return when to look for money, how much, and which share of the venture it costs."""
    first, wait = plan.month_of_ruin(0.1), plan.venture["raise_months"].high
    note = "no need within the plan"
    if first is not None:
        note = f"one path in ten is out by month {first}, less {wait:g} months"
    if first is not None and first < wait:
        note = f"late already: one path in ten is out by month {first}, the longest wait takes {wait:g}"
    start = None if first is None else max(0.0, first - wait)
    found = [Row("funding", "start to look for money by", None, start, None, "month", note)]
    value = plan.venture["pre_money"]
    for chance in (0.5, 0.9):
        need = plan.funding(chance)
        most, middle, least = (need / (before + need) for before in (value.low, value.likely, value.high))
        note = f"at {value.likely:,.0f} USD before the round"
        if not value.certain and need:
            note += f"; {said(least, 'share')} at {value.high:,.0f}, {said(most, 'share')} at {value.low:,.0f}"
        found += [Row("funding", f"money beyond the start that carries {chance:.0%} of the paths", None, need, None,
                      "USD"), Row("funding", "share of the venture sold for it", None, middle, None, "share", note)]
    return found


def table(plan: VenturePlan) -> str:
    """Return plan, assumptions and cash by month as CSV text.

    Args:
        plan: from `plan_venture`.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["part", "name", "low", "middle", "high", "unit", "note", "the three numbers"])
    for row in rows(plan):
        kind = "one value" if row.low is None else INTERVAL if row.part == "hangs on" else PERCENTILES
        writer.writerow([*(_exact(one) for one in row), kind if isinstance(kind, str) else "; ".join(kind)])
    told = "; ".join(RANGE)
    for one in plan.venture.assumptions.values():
        writer.writerow([f"assumption: {one.section}", one.key, *map(_exact, (one.low, one.likely, one.high)), one.unit,
                         f"{one.what} ({one.origin}: {one.why})", told])
    for task in plan.venture.tasks:
        days = (task.optimistic, task.likely, task.pessimistic)
        writer.writerow(["assumption: tasks", task.name, *map(_exact, days), "working days", _described(task), told])
    for month, (low, _, middle, _, high) in enumerate(plan.quantiles.T):
        writer.writerow(["cash by month", month, *map(_exact, (low, middle, high)), "USD",
                         f"out of cash by then: {plan.ruin[month]:.4f}", "; ".join(PERCENTILES)])
    return out.getvalue()


def _described(task: Task) -> str:
    return "; ".join([task.what] * bool(task.what) + [f"after {', '.join(task.after)}"] * bool(task.after))


def _exact(value: object) -> object:
    if value is None:
        return ""
    return f"{float(value):.6g}" if isinstance(value, float | np.floating) else value


def said(value: float | None, unit: str) -> str:
    """Return a number as people read it, with the unit left to the column beside it.

    Args:
        value: the number; None and what is not finite are said in words.
        unit: "share" gives per cent.
    """
    if value is None:
        return ""
    if not np.isfinite(value):
        return "never" if value > 0 else "−∞"
    if unit.startswith("share"):
        return f"{100 * value:.3g} %"
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def _picture(plan: VenturePlan) -> str:
    """Draw cash against months: bands of 90 and 50 per cent, the median, the likely path, zero."""
    bands, months = plan.quantiles, plan.venture.months
    lowest, highest = min(0.0, float(bands[0].min())), max(0.0, float(bands[4].max()))
    height = (highest - lowest) or 1.0
    across = lambda month: 90 + 590 * month / months  # noqa: E731
    down = lambda money: 230 - 210 * (money - lowest) / height  # noqa: E731
    points = lambda line: " ".join(  # noqa: E731
        f"{across(month):.1f},{down(min(max(money, lowest), highest)):.1f}" for month, money in line)
    there, back = range(months + 1), range(months, -1, -1)
    areas = "".join(
        f'<polygon points="{points([*((m, bands[low][m]) for m in there), *((m, bands[high][m]) for m in back)])}" '
        f'fill="var(--plan-blue)" opacity="{shade}"/>' for low, high, shade in ((0, 4, 0.15), (1, 3, 0.25)))
    median, likely = points(zip(there, bands[2], strict=True)), points(zip(there, plan.likely, strict=True))
    labels = "".join(f'<text x="{across(m):.0f}" y="252" text-anchor="middle">{m}</text>'
                     for m in range(0, months + 1, 6))
    labels += "".join(f'<text x="84" y="{down(money) + 4:.0f}" text-anchor="end">{said(money / 1e6, "")} M</text>'
                      for money in (lowest, 0, highest))
    return (f'<svg viewBox="0 0 700 275" role="img" aria-label="Simulated cash over {months} months: median and bands" '
            f'font-family="system-ui,sans-serif" fill="currentColor">{areas}'
            f'<line x1="90" x2="680" y1="{down(0):.1f}" y2="{down(0):.1f}" stroke="var(--plan-red)"/>'
            f'<polyline points="{median}" fill="none" stroke="var(--plan-blue)" stroke-width="2.5"/>'
            f'<polyline points="{likely}" fill="none" stroke="var(--plan-orange)" stroke-width="2" '
            f'stroke-dasharray="6 4"/>'
            f'{labels}<text x="680" y="270" text-anchor="end">month</text>'
            f'</svg><p class="plan-note">Cash in USD (M: millions), simulated. Blue: median, 50 % and 90 % of the '
            f'paths; orange, dashed: every assumption at its likely value.</p>')


def _remark(row: Row) -> str:
    return "; ".join(part for part in (row.unit.removeprefix("share").strip(), row.note) if part)


def _block(part: str, lines: list[Row], head: tuple[str, str, str]) -> str:
    """Return one part of the page as a table that scrolls by itself where it is too wide."""
    meaning = MEANING.get("causes" if part.startswith("after ") else part, "")
    single = all(row.low is None for row in lines)
    cells = "".join(
        f'<tr><th scope="row">{text.escape(row.name)}</th>'
        + "".join(f"<td>{said(value, row.unit)}</td>" for value in (row[3:4] if single else row[2:5]))
        + f"<td>{text.escape(_remark(row))}</td></tr>" for row in lines)
    names = ("quantity", *(["value"] if single else head), "unit, remark")
    columns = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (f'<p class="plan-part">{text.escape(part[0].upper() + part[1:])}</p>'
            + (f'<p class="plan-note">{meaning}</p>' if meaning else "")
            + f'<div class="plan-scroll" tabindex="0" role="region" aria-label="{text.escape(part)}">'
            f'<table{" class=plan-single" if single else ""}><thead><tr>{columns}</tr></thead>'
            f"<tbody>{cells}</tbody></table></div>")


def body(plan: VenturePlan) -> str:
    """Return the page as a piece of HTML with its own style.

    Args:
        plan: from `plan_venture`.
    """
    venture, parts = plan.venture, {}
    for row in rows(plan):
        parts.setdefault(row.part, []).append(row)
    kept = venture.from_example()
    own = (f"All {len(venture.assumptions)} assumptions are yours or measured." if not kept else
           f"{len(kept)} of {len(venture.assumptions) + 1} assumptions are those of the book's example: "
           f"{', '.join(kept)}.")
    blocks = [_block(part, lines, INTERVAL if part == "hangs on" else PERCENTILES) for part, lines in parts.items()]
    taken = "; ".join(f"{key}, {one.why}" for key, one in venture.assumptions.items() if one.origin == "ledger")
    own += f" From the ledger: {taken}." if taken else ""
    return (f'<div class="venture-plan"><style>{_style()}</style><p class="plan-name">'
            f"<strong>{text.escape(venture.name)}</strong></p>"
            f"<p>Simulated: {plan.num_paths:,} paths over {venture.months} months, seed {plan.seed}. "
            f"{text.escape(own)}</p>{_picture(plan)}{''.join(blocks)}</div>")


def html(plan: VenturePlan) -> str:
    """Return the plan and its assumptions as one HTML document that needs nothing else.

    Args:
        plan: from `plan_venture`.
    """
    lines = [Row("", one.key, one.low, one.likely, one.high, one.unit, f"{one.what} ({one.origin}: {one.why})")
             for one in plan.venture.assumptions.values()]
    lines += [Row("", task.name, task.optimistic, task.likely, task.pessimistic, "working days", _described(task))
              for task in plan.venture.tasks]
    used = _block("assumptions", lines, RANGE)
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width='
            f'device-width, initial-scale=1"><title>{text.escape(plan.venture.name)}</title></head>'
            f'<body class="plan-page">{body(plan)}'
            f'<div class="venture-plan">{used}</div></body></html>\n')


def write(path: str | Path, content: str, replace: bool = False) -> Path:
    """Write a text file; a file that exists is left as it is unless `replace` is True.

    Args:
        path: where to write it.
        content: the text.
        replace: allow an existing file to be replaced.

    Raises:
        FileExistsError: the file exists and `replace` is False.
        FileNotFoundError: the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(path.parent)!r}; make it first.")
    if path.exists() and not replace:
        raise FileExistsError(f"{str(path)!r} exists already and was left as it is; choose another name or pass "
                              "replace=True.")
    path.write_text(content, encoding="utf-8")
    return path
