"""Small functions for a model to write: a *simulated* family of tasks, each with a sentence, tests and one solution.

A task is put together of three parts: what is made of the numbers of a list, which of them are taken, and how they
are changed first. Such as: the sum, of the even numbers, squared. Tuning, practice, validation and test hold
different compositions of the same parts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Any

from helpers.data.base import Card, checked_whole

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ENDS = {"sum": "sum({})", "largest": "max({})", "smallest": "min({})", "list": "[{}]", "sorted list": "sorted({})"}
CHANGES = {"": "x", "squares": "x * x", "cubes": "x ** 3", "doubles": "2 * x", "halves": "x // 2", "opposites": "-x",
           "absolute values": "abs(x)", "last digits": "x % 10", "texts": "str(x)"}
TAKEN = {"numbers": "", "even numbers": "x % 2 == 0", "odd numbers": "x % 2 == 1", "positive numbers": "x > 0",
         "negative numbers": "x < 0",
         **{f"numbers above {NUMBERS[k]}": f"x > {k}" for k in range(1, 10)},
         **{f"numbers below {NUMBERS[k]}": f"x < {k}" for k in range(1, 10)},
         **{f"multiples of {NUMBERS[k]}": f"x % {k} == 0" for k in (3, 4, 5)}}
SIZES = {"tuning": 160, "practice": 384, "validation": 64, "test": 128}
HIDDEN = ([12, -7, 3, 8, 5, -4, 1, 20, 9], [-10, 6, 2, 15, -3, 11, 4, 7, 0],  # together they tell any two apart
          [10, 1, -9, 7, 16, 2, -5, 5, 3], [4, 21, -6, 8, 9, -15, 6, 14, 10])
CARD = Card(
    "function_tasks", "Small functions of a list, with tests", "put together by helpers.data.function_tasks",
    "MIT", "736 of 849 compositions: 160 with solution, 384 with tests only, 64 to choose by, 128 to report on",
    "simulated",
    "Every task is one expression over one list of whole numbers, described in one form of sentence. Being good at "
    "these says nothing about real programs.")


@dataclass(frozen=True)
class Task:
    """One function for a model to write.

    Attributes:
        sentence: what it returns, in words.
        prompt: its head, with the sentence and one doctest; a model goes on from here.
        solution: one body that is right, ending with a line break.
        shown: the doctest of the prompt.
        hidden: four more doctests, which the model never sees.
    """

    sentence: str
    prompt: str
    solution: str
    shown: str
    hidden: str

    @property
    def tests(self) -> str:
        """All five doctests."""
        return self.shown + self.hidden


def expression(end: str, change: str, taken: str) -> str:
    """The right side of a composition, such as ``sum(x * x for x in xs if x > 3)``."""
    condition = f" if {TAKEN[taken]}" if TAKEN[taken] else ""
    return ENDS[end].format(f"{CHANGES[change]} for x in xs{condition}")


def sentence(end: str, change: str, taken: str) -> str:
    """What a composition returns, such as ``the sum of the squares of the numbers above three``."""
    return f"the {end} of the " + (f"{change} of the " if change else "") + taken


def _value(code: str, xs: list[int]) -> Any:
    return eval(code, {"xs": xs})  # noqa: S307 (our own expression, never a model's)


@cache
def _family() -> tuple[tuple[str, str, str], ...]:
    """All compositions whose results differ from those of every other on the hidden lists."""
    seen: dict[str, tuple[str, str, str]] = {}
    for end in ENDS:
        for change in CHANGES:
            for taken in TAKEN:
                if end == "sum" and change == "texts":
                    continue
                results = repr([_value(expression(end, change, taken), xs) for xs in HIDDEN])
                seen.setdefault(results, (end, change, taken))
    return tuple(seen.values())


def _task(end: str, change: str, taken: str, draw: random.Random) -> Task:
    code, words = expression(end, change, taken), sentence(end, change, taken)
    while True:
        xs = [draw.randint(-9, 15) for _ in range(3)]
        if not TAKEN[taken] or _value(f"any({TAKEN[taken]} for x in xs)", xs):
            break
    shown = f">>> f({xs})\n{_value(code, xs)!r}\n"
    hidden = "".join(f">>> f({ys})\n{_value(code, ys)!r}\n" for ys in HIDDEN)
    inside = "".join(f"    {line}\n" for line in shown.splitlines())
    prompt = f'def f(xs):\n    """Return {words}.\n\n{inside}    """\n'
    return Task(words, prompt, f"    return {code}\n", shown, hidden)


def function_tasks(*, seed: int = 0, num_tuning: int = SIZES["tuning"]) -> dict[str, list[Task]]:
    """Lists of tasks "tuning", "practice", "validation" and "test"; no composition stands in two of them.

    Arguments:
        seed: of the split, and of the list in each prompt.
        num_tuning: how many of the 160 tasks with solutions are returned.

    Raises:
        ValueError: a number of tasks out of range.

    Derived in: book/project/post_training.
    """
    if checked_whole("num_tuning", num_tuning) > SIZES["tuning"]:
        raise ValueError(f"there are {SIZES['tuning']} tasks for tuning, got num_tuning={num_tuning}: take fewer")
    draw = random.Random(seed)
    order, start, found = draw.sample(_family(), len(_family())), 0, {}
    for name, size in SIZES.items():
        found[name] = [_task(*parts, draw) for parts in order[start:start + size]]
        start += size
    found["tuning"] = found["tuning"][:num_tuning]
    return found
