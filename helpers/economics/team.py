"""Teams: channels of communication, the best size, and what people who join late do to the end (Brooks's law)."""

from __future__ import annotations

import math

from helpers.economics import checks


def channels(people: int) -> int:
    """Return the number of pairs in a team, n(n − 1)/2.

    Args:
        people: size of the team.

    Raises:
        ValueError: the number is not whole or below 1.

    Source: brooks1995. Derived in: book/outlook/management.
    """
    people = checks.count("people", people)
    return people * (people - 1) // 2


def channels_of_teams(people: int, teams: int) -> int:
    """Return the channels when people split into equal teams that talk through one speaker each.

    Args:
        people: everybody; divisible by `teams`.
        teams: number of teams.

    Raises:
        ValueError: a number is not whole, or people cannot be split evenly.

    Derived in: book/outlook/management.
    """
    people, teams = checks.count("people", people), checks.count("teams", teams)
    if people % teams:
        raise ValueError(f"{people} people cannot be split into {teams} equal teams; choose a divisor of {people}.")
    return teams * channels(people // teams) + channels(teams)


def output(people: float, overhead: float) -> float:
    """Return what a team gets done, in person-months a month: n(1 − κ(n − 1)).

    Args:
        people: size of the team n.
        overhead: share κ of a month that each person spends on each colleague.

    Raises:
        ValueError: a number is out of its range, or talking takes the whole month.

    Source: brooks1995 for the idea; the linear form is ours. Derived in: book/outlook/management.
    """
    people, overhead = checks.positive("people", people), checks.fraction("overhead", overhead)
    if overhead * (people - 1) >= 1:
        raise ValueError(f"{people:g} people who spend {overhead:g} of a month on each colleague have no time left; "
                         "lower the overhead or split the team.")
    return people * (1 - overhead * (people - 1))


def best_size(overhead: float) -> float:
    """Return the team size with the largest output, (1 + 1/κ)/2.

    Args:
        overhead: share κ of a month that each person spends on each colleague, above 0.

    Raises:
        ValueError: the overhead lies outside 0 to 1.

    Derived in: book/outlook/management.
    """
    return (1 + 1 / checks.fraction("overhead", overhead, above_zero=True)) / 2


def finish_month(work: float, people: int, *, added: int = 0, at: float = 0.0, ramp: float = 3.0,
                 training: float = 0.25, overhead: float = 0.03) -> float:
    """Return the month in which the work is done when people join late.

    From month `at` on, everybody talks to everybody. While a newcomer ramps up, in a straight line from nothing to
    full output, an experienced person loses the share `training` of a month to teaching, less and less as the
    newcomer learns.

    Args:
        work: person-months of work.
        people: size of the team at the start.
        added: newcomers.
        at: month in which they join.
        ramp: months until a newcomer is as productive as the others.
        training: person-months a month that teaching one newcomer takes at first.
        overhead: share of a month that each person spends on each colleague.

    Raises:
        ValueError: a number is out of its range, or teaching takes more time than the team has.

    Source: brooks1995 for the idea; the form is ours. Derived in: book/outlook/management.
    """
    work, people = checks.positive("work", work), checks.count("people", people)
    added, at = checks.count("added", added, at_least=0), checks.not_negative("at", at)
    ramp, training = checks.not_negative("ramp", ramp), checks.not_negative("training", training)
    before = output(people, overhead)
    left = work - before * at
    if left <= 0 or added == 0:
        return work / before
    if training * added > people:
        raise ValueError(f"{added} newcomers need {training * added:g} persons to teach them, the team has {people}; "
                         "add fewer at a time.")
    everybody = people + added
    busy = output(everybody, overhead) / everybody           # share of a month that is not spent on talking
    first = busy * (people - training * added)               # output on the first day after they join
    slope = (busy * everybody - first) / ramp if ramp else 0.0
    gained = first * ramp + slope * ramp**2 / 2              # done while they ramp up
    if left >= gained:
        return at + ramp + (left - gained) / (busy * everybody)
    # first·t + slope·t²/2 = left, solved for the positive t
    return at + 2 * left / (first + math.sqrt(first**2 + 2 * slope * left))
