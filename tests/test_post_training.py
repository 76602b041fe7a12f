"""Learning from preferences and from tests: the losses against their formulas, the loop at toy size, the tasks."""

import copy
import doctest
import json
import math
from dataclasses import replace

import pytest
import torch

from benchmarks import verifier
from helpers import data, models
from helpers.data.function_tasks import HIDDEN, function_tasks
from helpers.evaluation.code import parses
from helpers.evaluation.sandbox import Sandbox
from helpers.models import house
from helpers.training import policy
from helpers.training import preferences as pr

TINY = {"vocabulary": 2048, "context": 96, "num_layers": 1, "d_model": 16, "num_heads": 2, "feed_forward": "swiglu"}


@pytest.fixture(scope="module")
def tokeniser():
    return data.tokeniser()


# ---------------------------------------------------------------- tasks


def test_every_solution_passes_and_no_other_solution_does():
    tasks = [task for group in function_tasks().values() for task in group]
    answers = {}
    for task in tasks:
        assert parses(task.prompt + task.solution) and task.shown.splitlines()[0] in task.prompt
        room = {}
        exec(task.prompt + task.solution, room)                   # our own code
        results = repr([room["f"](xs) for xs in HIDDEN])
        assert answers.setdefault(results, task.sentence) == task.sentence
        examples = doctest.DocTestParser().get_examples(task.tests)
        assert len(examples) == 5 and all(repr(eval(e.source, room)) == e.want.strip() for e in examples)


def test_no_composition_stands_in_two_parts_and_the_seed_decides():
    one, again, other = function_tasks(), function_tasks(), function_tasks(seed=1)
    sentences = [task.sentence for group in one.values() for task in group]
    assert len(set(sentences)) == len(sentences) == 160 + 384 + 64 + 128
    assert one == again and one["test"] != other["test"]
    assert function_tasks(num_tuning=20)["tuning"] == one["tuning"][:20]
    with pytest.raises(ValueError, match="there are 160 tasks for tuning, got num_tuning=161: take fewer"):
        function_tasks(num_tuning=161)


# ---------------------------------------------------------------- log-probabilities and DPO


def test_log_probabilities_mask_the_prompt_and_what_follows_the_end(tokeniser):
    model = models.Decoder(**TINY, seed=0).eval()
    prompts = pr.encode_prompts(tokeniser, ["def f(x):\n", "x = 1\n"], 12)
    answers = pr.encode_answers(tokeniser, ["    return x\n", "y\n"], 8)
    found = pr.log_probabilities(model, prompts, answers)
    logits = model(torch.cat([prompts, answers], dim=1)).log_softmax(dim=-1)
    for row in range(2):
        length = answers[row].tolist().index(0) + 1
        for place in range(8):
            wanted = logits[row, 11 + place, answers[row, place]] if place < length else 0.0
            assert float(found[row, place]) == pytest.approx(float(wanted), abs=1e-5)


def test_dpo_equals_the_formula_and_starts_at_log_two():
    numbers = [torch.tensor(values) for values in ([-3.0, -5.0], [-4.0, -2.0], [-3.5, -4.0], [-3.0, -3.0])]
    w, l, rw, rl = numbers  # noqa: E741
    wanted = -sum(math.log(1 / (1 + math.exp(-0.5 * float((w - rw - l + rl)[k])))) for k in range(2)) / 2
    assert float(pr.dpo_loss(w, l, rw, rl, 0.5)) == pytest.approx(wanted)
    assert float(pr.dpo_loss(w, l, w, l, 0.5)) == pytest.approx(math.log(2))


@pytest.mark.parametrize("call, message", [
    (lambda tk: pr.dpo_loss(*[torch.zeros(2)] * 4, 0), "beta must be above 0, got 0"),
    (lambda tk: pr.dpo_loss(*[torch.zeros(2, 3)] * 4, 1), r"got shapes \[\(2, 3\)\]: sum the log-probabilities"),
    (lambda tk: pr.encode_prompts(tk, ["x = 1\n" * 20], 8), "a prompt needs 1 to 7 tokens .*, got "),
    (lambda tk: pr.encode_answers(tk, ["x = 1\n" * 20], 8), "an answer has room for 7 tokens and <|end|>, got "),
    (lambda tk: policy.policy_loss(*[torch.zeros(2, 3)] * 2, torch.zeros(2), -1, 3), "a weight of 0 or more, got -1"),
    (lambda tk: next(policy.rounds(None, None, tk, ["a"], None, method="luck", num_rounds=1, lr=1, width=8,
                                   num_tokens=8)), "method is one of 'policy gradient', .* got 'luck'"),
    (lambda tk: next(policy.rounds(None, None, tk, ["a"], None, num_rounds=1, lr=1, width=8, num_tokens=8)),
     "at most 1 prompts, got group=8, num_prompts=16"),
])
def test_bad_input_is_named(tokeniser, call, message):
    with pytest.raises(ValueError, match=message):
        call(tokeniser)


# ---------------------------------------------------------------- policy gradient


def test_advantages_of_one_success_in_eight():
    rewards = torch.zeros(2, 8)
    rewards[0, 3] = 1
    plain, scaled = policy.advantages(rewards), policy.advantages(rewards, scaled=True)
    assert float(plain[0, 3]) == 0.875 and float(plain[0, 0]) == -0.125
    assert float(scaled[0, 3]) == pytest.approx(2.6458, abs=1e-4)         # the sheet's 2.65
    assert (plain[1] == 0).all() and (scaled[1] == 0).all()


def test_equal_rewards_give_no_slope_and_the_slope_is_the_policy_gradient():
    logits = torch.tensor([0.3, -0.2, 0.1], requires_grad=True)
    drawn = torch.tensor([[0], [2], [2], [1]])
    for rewards, zero in (([1.0, 1.0, 1.0, 1.0], True), ([1.0, 0.0, 0.0, 0.0], False)):
        log_p = logits.log_softmax(0)[drawn]
        advantage = policy.advantages(torch.tensor([rewards])).flatten()
        slope, = torch.autograd.grad(policy.policy_loss(log_p, log_p.detach(), advantage, 0.0, 1), logits)
        chances = logits.detach().softmax(0)
        wanted = -sum(a * (torch.eye(3)[t] - chances) for a, t in zip(advantage, drawn[:, 0])) / 4
        assert torch.allclose(slope, wanted, atol=1e-6) and bool((slope.abs() < 1e-7).all()) == zero


def test_the_estimate_of_the_divergence_is_right_on_average_and_never_negative():
    p, q = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.5, 0.3, 0.2])
    each = policy.kl_estimate(p.log(), q.log())
    assert float((p * each).sum()) == pytest.approx(float((p * (p / q).log()).sum()), abs=1e-6) and (each >= 0).all()


def test_the_slope_of_the_kl_term_is_that_of_the_divergence_the_other_way_round():
    logits, q = torch.tensor([0.7, 0.2, 0.1]).log().requires_grad_(), torch.tensor([0.5, 0.3, 0.2])
    log_p = logits.log_softmax(0)
    each = [policy.policy_loss(log_p[k].view(1, 1), q[k].log().view(1, 1), torch.zeros(1), 1.0, 1) for k in range(3)]
    mean = sum(p * loss for p, loss in zip(log_p.exp().detach(), each))   # over draws, which are held fixed
    slope, = torch.autograd.grad(mean, logits, retain_graph=True)
    wanted, = torch.autograd.grad((q * (q.log() - log_p)).sum(), logits)
    assert torch.allclose(slope, wanted, atol=1e-6) and float(slope.abs().max()) > 0.05


def test_samples_follow_the_model(tokeniser):
    """The chance of the first token: what was drawn against the softmax; the same seed draws the same."""
    model = models.Decoder(**TINY, seed=1).eval()
    with torch.no_grad():
        model.output.weight *= 40
    prompts = pr.encode_prompts(tokeniser, ["def f(x):\n", "x = 1\n"], 10)
    drawn = policy.draw_groups(model, prompts, 2000, 2, seed=3)
    assert torch.equal(drawn, policy.draw_groups(model, prompts, 2000, 2, seed=3))
    chances = model(prompts)[:, -1].softmax(dim=-1)
    for row in range(2):
        token = int(chances[row].argmax())
        share = float((drawn[row * 2000:(row + 1) * 2000, 0] == token).float().mean())
        assert share == pytest.approx(float(chances[row, token]), abs=0.05)


def test_pairs_join_right_and_wrong_answers_of_one_group():
    better, worse = policy.pairs(torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 0]]))
    assert better.tolist() == [0, 3, 8] and worse.tolist() == [1, 2, 11]


@pytest.mark.parametrize("method", policy.METHODS)
def test_each_method_raises_its_reward(tokeniser, method):
    """Toy reward: the body of an empty function begins with a docstring, as the sibling writes now and then."""
    start = house.house("small")
    model, prompts = copy.deepcopy(start), ["def f(x):\n", "def g(a, b):\n", "def name(self):\n", "def h(*args):\n"]

    def reward(numbers, answers):
        assert len(numbers) == len(answers) == 32
        return [float('"""' in answer) for answer in answers]

    seen = list(policy.rounds(model, start, tokeniser, prompts, reward, method=method, num_rounds=15, lr=1e-3,
                              beta=0.05, num_prompts=4, width=12, num_tokens=4))
    first, last = (sum(one.reward for one in part) / 3 for part in (seen[:3], seen[-3:]))
    assert last > first + 0.1
    assert seen[-1].flops > seen[0].flops > 0 and 1 <= seen[0].length <= 4 and len(seen[0].answers) == 32


# ---------------------------------------------------------------- the recipe


def test_the_recipe_at_toy_size_goes_on_where_it_stopped(tmp_path):
    plan = replace(verifier.PLAN, passes=1, budget=1.0, num_rows=1, num_prompts=2, group=2, seeds=(0,), betas=(0.0,),
                   num_shown=1, num_reported=5, num_tasks=2)
    assert len(verifier.work(plan, 0.0, folder=tmp_path, log=lambda line: None)) == 1
    lines = []
    payload = verifier.measure(plan, folder=tmp_path, log=lines.append)
    assert len(lines) == len(verifier.pieces(plan)) - 1
    json.dumps(payload, allow_nan=False)
    assert 0 <= payload["results"]["pass_at_1"] <= 1 and payload["flops"] > 0
    assert {"tuned-0", "method-0-0", "method-1-0", "method-2-0"} <= set(payload["results"]["test"])


def test_the_judge_knows_truth_shown_test_and_form():
    task = function_tasks()["test"][0]
    with Sandbox() as sandbox:
        judge = verifier.Judge(sandbox)
        value = task.shown.splitlines()[1]
        for answer, wanted in ((task.solution, (1, 1, 1)), (f"    return {value}\n", (0, 1, 1)),
                               ("    pass\n", (0, 0, 1)), ("    return (\n", (0, 0, 0))):
            assert (judge.passes(task, answer), judge.shown(task, answer), judge.parsed(task, answer)) == wanted
