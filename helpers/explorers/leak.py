"""What a reward buys: recorded practice under two rewards and several weights of the KL term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .base import Explorer, numbers

WORDS = {
    "reward": "reward asks", "beta": "KL weight β", "round": "round", "share": "share of the answers",
    "passed": "pass all tests", "parsed": "are valid Python", "divergence": "nats an answer away from the start",
    "curves": "While practising", "far": "What distance buys", "example": "an answer",
    "status": "Reward: {reward}, β = {beta}, round {round}: {passed} pass all tests, {parsed} are valid Python, "
              "{divergence} nats away. One answer: {answer}",
}


class Leak(Explorer):
    """True and proxy reward while a model practises, for every recorded reward and weight of the KL term.

    Args:
        rewards: names of the rewards.
        betas: weights of the KL term, rising.
        rounds: numbers of the rounds at which was measured, from 0.
        passed, parsed, divergence: measurements [rewards, betas, rounds].
        answers: one answer for each of these, as nested lists of texts.
        source: where the runs come from.

    Raises:
        ValueError: measurements of another shape.

    Derived in: book/project/post_training.
    """

    module = "leak"

    def __init__(
        self, rewards: Sequence[str], betas: Sequence[float], rounds: Sequence[int], passed: Any, parsed: Any,
        divergence: Any, answers: Sequence[Sequence[Sequence[str]]], *, source: str = "", id: str | None = None,
    ) -> None:
        wanted = (len(rewards), len(betas), len(rounds))
        for name, values in (("passed", passed), ("parsed", parsed), ("divergence", divergence),
                             ("answers", answers)):
            if np.shape(values) != wanted:
                raise ValueError(f"Leak takes {name} for every reward, weight and round {wanted}, found the shape "
                                 f"{np.shape(values)}.")
        super().__init__({
            "title": "KL and the leak in the reward", "words": WORDS, "rewards": list(rewards),
            "hint": "Begin with the reward that leaks and no KL term. Then raise β, then ask for the tests.",
            "betas": [float(beta) for beta in betas], "rounds": [int(n) for n in rounds],
            "passed": numbers(passed, 3), "parsed": numbers(parsed, 3), "divergence": numbers(divergence, 3),
            "answers": [[[text.strip()[:80] for text in row] for row in block] for block in answers],
            "source": source}, id=id)


def from_record(record: Mapping[str, Any], *, id: str | None = None) -> Leak:
    """The explorer of the recorded runs in ``ask-python-verifier``."""
    plan, curves, found = record["configuration"]["plan"], record["curves"], record["results"]
    seed = plan["seeds"][0]
    names = [[f"{leak}-{beta}-{seed}" for beta in plan["betas"]] for leak in ("leak", "honest")]
    names[1][0] = f"method-0-{seed}"                        # the policy gradient without a KL term

    def taken(key: str) -> list:
        return [[curves[f"{name}, {key}"] for name in row] for row in names]

    answers = [[[texts[0] for texts in found["first"][name]] for name in row] for row in names]
    return Leak(["does it parse?", "do the tests pass?"], plan["betas"], curves[f"{names[0][0]}, round"],
                taken("passed"), taken("parsed"), taken("divergence"), answers, id=id,
                source=f"Recorded on {record['device']}, {record['date'][:10]}; one seed, validation tasks.")
