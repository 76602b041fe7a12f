"""The assumptions behind a plan: one small file, venture.toml, read and checked; the example gives the defaults."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from helpers.economics import checks
from helpers.economics.ledger import Entry, entry, read_ledger, three_numbers
from helpers.economics.schedule import Task, in_order, work_packages
from helpers.economics.venture_file import known_key, read_toml

NAME = "Ask Python, the invented example of the book"
MONTHS = 36
HEAD = """\
# The assumptions behind one plan. Copy this file, change the copy, and let the chapter read the copy.
#   one number                 something that you decide or know
#   [low, likely, high]        something that you guess; values outside low and high are taken to be impossible
#   "ledger"                   taken from the recorded runs of the book; "ledger:ROW" takes another row
# A line that you leave out takes the value of the example, and the plan says so. Money is in USD; 5 per cent is 0.05;
# half a million is 500000 or 500_000, never 500,000 or 500.000 (which is 500).
"""
TASKS_HEAD = """\
# The work before launch: [optimistic, likely, pessimistic] working days, and what must be finished first.
# Give all tasks or leave the section out: your list replaces the example's.
[tasks]
"""


@dataclass(frozen=True)
class Assumption:
    """One assumption of a plan, a triangular distribution from low to high with its peak at likely.

    Attributes:
        key, section: its name, and the section of venture.toml where it stands.
        what, unit: what it says, and in which unit.
        low, likely, high: the three numbers; all equal when it is certain.
        origin: "yours", "example" or "ledger".
        why: where the numbers come from.
    """

    key: str
    section: str
    what: str
    unit: str
    low: float
    likely: float
    high: float
    origin: str
    why: str

    @property
    def certain(self) -> bool:
        """Whether the three numbers are one."""
        return self.low == self.high

    @property
    def mean(self) -> float:
        """Mean of the triangular distribution, (low + likely + high) / 3."""
        return (self.low + self.likely + self.high) / 3

    def __str__(self) -> str:
        """Say the numbers, the unit and the origin in one line."""
        numbers = f"{self.likely:g}" if self.certain else f"[{self.low:g}, {self.likely:g}, {self.high:g}]"
        return f"{self.section}.{self.key} = {numbers} {self.unit} ({self.origin})"


@dataclass(frozen=True)
class Venture:
    """All assumptions behind one plan.

    Attributes:
        name: of the venture.
        months: length of the plan.
        assumptions: key and `Assumption`, in the order of the file.
        tasks: the work before launch.
        tasks_origin: "yours" or "example".
    """

    name: str
    months: int
    assumptions: Mapping[str, Assumption]
    tasks: tuple[Task, ...]
    tasks_origin: str

    def __getitem__(self, key: str) -> Assumption:
        """Return one assumption; an unknown key raises ValueError with near matches."""
        return self.assumptions[checks.one_of("assumption", key, self.assumptions)]

    @property
    def uncertain(self) -> list[str]:
        """Keys of the assumptions whose low and high differ."""
        return [key for key, one in self.assumptions.items() if not one.certain]

    @staticmethod
    def bounds() -> dict[str, tuple[float, float]]:
        """Return the smallest and the largest value that each key allows."""
        return {row["key"]: (float(row["minimum"]), float(row["maximum"])) for row in _table()}

    def from_example(self) -> list[str]:
        """Return the names of what still stands as in the example: assumptions, and "tasks"."""
        kept = [key for key, one in self.assumptions.items() if one.origin == "example"]
        return kept + (["tasks"] if self.tasks_origin == "example" else [])

    def changed(self, **values: float | tuple[float, float, float]) -> Venture:
        """Return the venture with some assumptions replaced, such as changed(price=300, churn=(0.01, 0.02, 0.04)).

        Args:
            values: key and one number or [low, likely, high].

        Raises:
            ValueError: an unknown key (near matches are offered) or a value out of its range.
        """
        for key in values:
            checks.one_of("assumption", key, self.assumptions)
        rows = {row["key"]: row for row in _table()}
        found = {key: _checked(rows[key], value, f"{key}") for key, value in values.items()}
        return replace(self, assumptions=MappingProxyType({**self.assumptions, **found}))

    def widened(self, factor: float) -> Venture:
        """Return the venture with every range made wider or narrower around its likely value; 0 makes all certain.

        Args:
            factor: 1 leaves the ranges as they are; ends stay within what the key allows.

        Raises:
            ValueError: the factor is negative.
        """
        factor = checks.not_negative("factor", factor)
        found = {}
        for row in _table():
            one = self.assumptions[row["key"]]
            low = max(float(row["minimum"]), one.likely + factor * (one.low - one.likely))
            high = min(float(row["maximum"]), one.likely + factor * (one.high - one.likely))
            found[one.key] = replace(one, low=low, high=high)
        return replace(self, assumptions=MappingProxyType(found))


@cache
def _table() -> tuple[dict[str, str], ...]:
    """Read venture.csv once."""
    text = files("helpers.economics").joinpath("venture.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def read_venture(path: str | Path | None = None, ledger: Mapping[str, Entry] | None = None) -> Venture:
    """Read and check a file of assumptions; the file is only read.

    Args:
        path: the file venture.toml; None takes the example as it stands.
        ledger: rows from `read_ledger`; None means that nothing has been recorded.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no TOML, or holds an unknown section or key (near matches are offered), or a value that
            is missing, of the wrong type, out of its range or out of order.
    """
    if path is None:
        return _venture({}, read_ledger() if ledger is None else ledger)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}; write one with write_venture(path) and change it.")
    content = read_toml(path)
    if content:
        content.setdefault("name", f"the venture in {path.name}")
    return _venture(content, read_ledger() if ledger is None else ledger)


def _venture(content: dict[str, Any], ledger: Mapping[str, Entry]) -> Venture:
    rows = {row["key"]: row for row in _table()}
    sections = {row["section"]: None for row in _table()}
    known = ["name", "months", *sections, "tasks"]
    given: dict[str, Any] = {}
    for section, values in content.items():
        if section in rows:
            raise ValueError(f"{section!r} stands outside its section; move it below [{rows[section]['section']}].")
        known_key("section or key", section, known)
        if section in ("name", "months", "tasks"):
            continue
        if not isinstance(values, dict):
            raise ValueError(f"{section} must be a section, found {values!r}; write [{section}] on a line of its own.")
        for key, value in values.items():
            if key in rows and rows[key]["section"] != section:
                raise ValueError(f"{key!r} stands in [{section}]; move it to [{rows[key]['section']}].")
            known_key(f"key of [{section}]", key, [one for one in rows if rows[one]["section"] == section])
            given[key] = value
    found = {}
    for key, row in rows.items():
        default = "ledger" if row["why"] == "ledger" else three_numbers(row)
        found[key] = _assumption(row, given.get(key, default), default, ledger)
    name = content.get("name", NAME)
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f'name must be a text, found {name!r}; write name = "My venture".')
    months = _number("months", content.get("months", MONTHS))
    if not 6 <= checks.count("months", months) <= 120:
        raise ValueError(f"months must lie between 6 and 120, found {months:g}; most plans take 36.")
    tasks = _tasks(content["tasks"]) if "tasks" in content else work_packages()
    origin = "example" if tasks == work_packages() else "yours"
    first, market = found["first_customers"].high, found["market_size"].low
    if first > market:
        raise ValueError(f"market.first_customers reaches {first:g}, more than the market.market_size of {market:g} at "
                         "its low end; make one of the two smaller or larger.")
    return Venture(name.strip(), int(months), MappingProxyType(found), tasks, origin)


def _assumption(row: dict[str, str], value: Any, default: Any, ledger: Mapping[str, Entry]) -> Assumption:
    if isinstance(value, str) and value.split(":")[0].strip() == "ledger":
        source = entry(ledger, value.partition(":")[2].strip() or row["key"])
        return replace(_checked(row, [source.low, source.likely, source.high], f"{row['section']}.{row['key']}"),
                       origin="ledger", why=source.provenance)
    found = _checked(row, value, f"{row['section']}.{row['key']}")
    if default != "ledger" and (found.low, found.likely, found.high) == default:
        return replace(found, origin="example", why=row["why"])
    return found


def _number(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where} must be a number, found {value!r}; write it without quotes.")
    if not math.isfinite(value):
        raise ValueError(f"{where} must be finite, found {value!r}; write a number.")
    return float(value)


def _checked(row: Mapping[str, str], value: Any, where: str) -> Assumption:
    """Turn one number or [low, likely, high] into a checked assumption of the reader's own."""
    if isinstance(value, str | dict):
        raise ValueError(f'{where} must be a number, [low, likely, high] or "ledger", found {value!r}; '
                         "write a number without quotes.")
    if isinstance(value, list | tuple):
        if len(value) != 3:
            raise ValueError(f"{where} needs one number or three, [low, likely, high], found {list(value)!r}; "
                             "add what is missing.")
        low, likely, high = (_number(where, one) for one in value)
    else:
        low = likely = high = _number(where, value)
    least, most = float(row["minimum"]), float(row["maximum"])
    for one in (low, likely, high):
        if not least <= one <= most:
            hint = "write 5 percent as 0.05" if row["unit"].startswith("share") else f"the unit is {row['unit']}"
            limits = f"be {least:g} or more" if most > 1000 and one < least else f"lie between {least:g} and {most:,g}"
            raise ValueError(f"{where} must {limits}, found {one:g}; {hint}.")
    if not low <= likely <= high:
        raise ValueError(f"{where} needs low ≤ likely ≤ high, found [{low:g}, {likely:g}, {high:g}]; "
                         "put the three numbers in order.")
    return Assumption(row["key"], row["section"], row["what"], row["unit"], low, likely, high, "yours",
                      "your assumption")


def _tasks(content: Any) -> tuple[Task, ...]:
    if not isinstance(content, dict) or not content:
        raise ValueError(f"[tasks] must hold at least one task, found {content!r}; "
                         "write build = {days = [5, 8, 20]}.")
    tasks = []
    for name, task in content.items():
        if not isinstance(task, dict) or "days" not in task:
            raise ValueError(f"task {name!r} needs its days, found {task!r}; write {name} = {{days = [5, 8, 20]}}.")
        for key in task:
            checks.one_of(f"key of task {name!r}", key, {"days", "after", "what"})
        days = task["days"] if isinstance(task["days"], list) else [task["days"]] * 3
        if len(days) != 3:
            raise ValueError(f"task {name!r} needs days = [optimistic, likely, pessimistic], found {days!r}; "
                             "give three numbers.")
        after = task.get("after", [])
        after = [after] if isinstance(after, str) else after
        if not isinstance(after, list) or not all(isinstance(one, str) for one in after):
            raise ValueError(f'task {name!r} needs after = ["another task"], found {after!r}; name tasks in quotes.')
        numbers = [_number(f"days of task {name!r}", one) for one in days]
        tasks.append(Task(name, *numbers, tuple(after), str(task.get("what", ""))))
    in_order(tasks)
    return tuple(tasks)


def template() -> str:
    """Return the text of a venture.toml that holds the example, with a comment above each value."""
    lines, section = [HEAD, f'name = "{NAME}"', f"months = {MONTHS}"], ""
    for row in _table():
        if row["section"] != section:
            section = row["section"]
            lines += ["", f"[{section}]"]
        value = '"ledger"' if row["why"] == "ledger" else _written(three_numbers(row))
        why = "from the recorded runs" if row["why"] == "ledger" else row["why"]
        least, most = float(row["minimum"]), float(row["maximum"])
        limits = f"{least:g} or more" if most > 1000 else f"{least:g} to {most:g}"
        lines += [f"# {row['what']}; {row['unit']}, {limits} ({why})",
                  f"{row['key']} = {value}"]
    lines += ["", TASKS_HEAD.rstrip()]
    for task in work_packages():
        after = f", after = [{', '.join(f'{one!r}'.replace(chr(39), chr(34)) for one in task.after)}]"
        days = f"[{task.optimistic:g}, {task.likely:g}, {task.pessimistic:g}]"
        lines.append(f'{task.name} = {{days = {days}{after if task.after else ""}, what = "{task.what}"}}')
    return "\n".join(lines) + "\n"


def _written(numbers: tuple[float, float, float]) -> str:
    text = [f"{int(one):_}" if one == int(one) else f"{one:g}" for one in numbers]
    return text[0] if len(set(text)) == 1 else f"[{', '.join(text)}]"


def write_venture(path: str | Path) -> Path:
    """Write the example as a file to change; a file that exists is left as it is.

    Args:
        path: where to write it.

    Raises:
        FileExistsError: there is a file already.
        FileNotFoundError: the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(path.parent)!r}; make it first.")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError:
        raise FileExistsError(f"{str(path)!r} exists already and was left as it is; choose another name.") from None
    return path
