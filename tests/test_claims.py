import math

import numpy as np
import pytest
import torch

from helpers.claims import ClaimError, claim


@pytest.mark.parametrize("value, bound, line", [
    (0.9512, {"at_least": 0.95}, "✓ quantity ≥ 0.95\n"),
    (0.95, {"at_least": 0.95}, "✓ quantity ≥ 0.95\n"),
    (3, {"at_most": 4}, "✓ quantity ≤ 4\n"),
    (3, {"above": 2.5}, "✓ quantity > 2.5\n"),
    (3, {"below": 4}, "✓ quantity < 4\n"),
    (2.02, {"equals": 2.0, "tolerance": 0.05}, "✓ quantity = 2.0 ± 0.05\n"),
    (4828481, {"equals": 4828481}, "✓ quantity = 4828481\n"),
    ((100, 1), {"equals": (100, 1)}, "✓ quantity = (100, 1)\n"),
    (0.15, {"between": (0.1, 0.2)}, "✓ quantity in [0.1, 0.2]\n"),
    (True, {}, "✓ quantity\n"),
    (torch.tensor(0.96), {"at_least": 0.95}, "✓ quantity ≥ 0.95\n"),
    (np.float32(0.96), {"at_least": np.float64(0.95)}, "✓ quantity ≥ 0.95\n"),
    (torch.tensor([True]), {}, "✓ quantity\n"),
    (np.bool_(True), {}, "✓ quantity\n"),
    (0, {"at_most": 0}, "✓ quantity ≤ 0\n"),
])
def test_a_true_claim_prints_one_stable_line(capsys, value, bound, line):
    claim("quantity", value, **bound)
    captured = capsys.readouterr()
    assert captured.out == line
    assert captured.err == ""


@pytest.mark.parametrize("value, bound, message", [
    (0.9312, {"at_least": 0.95}, "claim quantity is false: expected ≥ 0.95, found 0.9312"),
    (5, {"at_most": 4}, "claim quantity is false: expected ≤ 4, found 5"),
    (2, {"above": 2}, "claim quantity is false: expected > 2, found 2"),
    (4, {"below": 4}, "claim quantity is false: expected < 4, found 4"),
    (2.1, {"equals": 2.0, "tolerance": 0.05}, "claim quantity is false: expected = 2.0 ± 0.05, found 2.1"),
    (7, {"equals": 8}, "claim quantity is false: expected = 8, found 7"),
    (0.3, {"between": (0.1, 0.2)}, "claim quantity is false: expected in [0.1, 0.2], found 0.3"),
    (False, {}, "claim quantity is false: expected True, found False"),
])
def test_a_false_claim_says_what_was_expected_and_found(capsys, value, bound, message):
    with pytest.raises(ClaimError) as raised:
        claim("quantity", value, **bound)
    assert str(raised.value) == message
    assert isinstance(raised.value, AssertionError)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("bound", [{"at_least": 0}, {"at_most": 0}, {"above": 0}, {"below": 0}, {"equals": math.nan},
                                   {"equals": 0, "tolerance": 1}, {"between": (-1, 1)}])
def test_nan_is_always_false(bound):
    with pytest.raises(ClaimError, match="found nan"):
        claim("quantity", math.nan, **bound)


@pytest.mark.parametrize("arguments, message", [
    ((("quantity", 1.0), {}), "needs a bound such as at_least=, or a truth value; found 1.0"),
    ((("quantity", 1.0), {"at_least": 0, "at_most": 2}), "takes one bound, found at_least, at_most"),
    ((("quantity", 1.0), {"tolerance": 0.1}), "tolerance belongs to equals"),
    ((("two words", True), {}), "found 'two words'"),
    ((("quantity", torch.ones(3)), {"at_least": 0}), r"found shape \(3,\)"),
    ((("quantity", "text"), {"at_least": 0}), "compares numbers, found 'text'"),
    ((("quantity", 1), {"between": (2, 1)}), r"low ≤ high, found \(2, 1\)"),
])
def test_a_claim_that_makes_no_sense_is_refused(arguments, message):
    positional, named = arguments
    with pytest.raises(ValueError, match=message):
        claim(*positional, **named)
