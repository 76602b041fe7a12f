"""``python -m benchmarks [names]`` times helpers against other libraries and prints ratios within one run.

Names: linear, mlp, sweep, noise, muon, attention, augmentation, characters, distributed,
import, rebuild, venture, service, explorers; none: all.
Nothing else should run on the machine meanwhile. Results also go to _build/bench/NAME.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import asdict

from benchmarks import (
    attention,
    augmentation,
    characters,
    distributed,
    loops,
    muon,
    noise,
    rebuild,
    service,
    sweeps,
    timing,
    venture,
)
from helpers import device

REPEATS = 7


def _verdict(good: bool) -> str:
    return "yes" if good else "NO"


def loop(name: str, repeats: int) -> bool:
    """``training.fit`` against a loop written out and other libraries on one task; true if every goal is met."""
    work = loops.task(name)
    timings = timing.compare("loops", list(loops.CASES), name, repeats=repeats)
    ours, raw = timings[0], timings[1]
    rows, met = [], True
    for case in timings:
        if case.absent:
            rows.append([case.name, case.absent, "", "", "", ""])
            continue
        ratio, goal = case.median / ours.median, ""
        if case is ours:
            good, goal = ours.median <= 1.10 * raw.median, "≤ 1.10 loop"
        elif loops.CASES[case.name][1] and name == "linear":
            good, goal = ratio >= loops.CASES[case.name][1], f"≥ {loops.CASES[case.name][1]:g}"
        else:
            good = True
        same = abs(case.result / raw.result - 1) <= 0.01
        met = met and good and same
        micro = [f"{1e6 * seconds / work.num_steps:.0f}" for seconds in (case.best, case.median)]
        rows.append([case.name, *micro, f"{ratio:.2f}", f"{goal} {_verdict(good)}" if goal else "", _verdict(same)])
    print(f"\n{name}: batches of {loops.BATCH_SIZE}, {work.num_steps} steps, {repeats} repeats in turn")
    head = ["case", "µs a step, best", "median", "times fit", "goal met", "same loss within 1 %"]
    print(timing.table(head, rows))
    print(f"fit / loop written out: {ours.median / raw.median:.3f}")
    timing.write(name, {"num_steps": work.num_steps, "timings": [asdict(case) for case in timings]})
    return met


def sweep(repeats: int) -> bool:
    """``training.sweep`` against its members in turn; true if every goal is met."""
    rows, met, results = [], True, {}
    for name, (_, goal) in sweeps.TASKS.items():
        together, alone = timing.compare("sweeps", list(sweeps.CASES), name, repeats=repeats if goal else 3)
        num = len(sweeps.lrs(name))
        ratio = alone.median * num / sweeps.NUM_TIMED / together.median
        same = abs(together.result / alone.result - 1) <= 0.01
        good = ratio >= (goal or 0.9)
        met = met and good and same
        words = f"≥ {goal or 0.9:g} {_verdict(good)}"
        rows.append([name, str(num), f"{together.median:.2f}", f"{ratio:.1f}", words, _verdict(same)])
        results[name] = {"num_models": num, "ratio": ratio, "timings": [asdict(together), asdict(alone)]}
    print(f"\nsweep: {2 * sweeps.NUM_EXAMPLES // sweeps.BATCH_SIZE} steps of {sweeps.BATCH_SIZE}, fused AdamW in turn")
    head = ["network", "models", "seconds", "times faster", "goal met", "same losses within 1 %"]
    print(timing.table(head, rows))
    timing.write("sweep", results)
    return met


def noises(repeats: int) -> bool:
    """Label noise × data size × capacity as one sweep against its runs in turn; true if the goal is met."""
    task = noise.TASKS[0]
    together, alone = timing.compare("noise", list(noise.CASES), task, repeats=repeats)
    scale = len(noise.SEEDS) / noise.NUM_TIMED
    num = int(scale * noise.NUM_TIMED) * len(noise.WIDTHS) * len(noise.SIZES) * len(noise.SHARES)
    ratio = alone.median * scale / together.median
    same, good = abs(together.result - alone.result) <= noise.SAME, ratio >= noise.GOAL
    row = [task, str(num), f"{together.median:.2f}", f"{ratio:.1f}", f"≥ {noise.GOAL:g} {_verdict(good)}"]
    print(f"\nnoise: {noise.EPOCHS} epochs, batches of {noise.BATCH_SIZE}, measured after each, fused AdamW in turn")
    print(f"mean accuracy {together.result:.4f} in the sweep, {alone.result:.4f} in turn")
    head = ["network", "models", "seconds", "times faster", "goal met", f"same accuracy within {noise.SAME:g}"]
    print(timing.table(head, [[*row, _verdict(same)]]))
    timing.write("noise", {"num_models": num, "ratio": ratio, "timings": [asdict(together), asdict(alone)]})
    return same and good


def augmentations(repeats: int) -> bool:
    """Augmentation of a batch against PIL image by image; true if it is at least 3 times faster, with equal images."""
    rows, met, results = [], True, {}
    for name in augmentation.TASKS:
        found = timing.compare("augmentation", list(augmentation.CASES), name, repeats=repeats)
        apart, ours = augmentation.difference(name), found[0]
        met = met and apart <= augmentation.SAME and found[1].median / ours.median >= augmentation.GOAL
        for case in found:
            ratio, good = case.median / ours.median, case.median / ours.median >= augmentation.GOAL
            goal = f"≥ {augmentation.GOAL:g} {_verdict(good)}" if case is found[1] else ""
            same = _verdict(apart <= augmentation.SAME) if case is found[1] else ""
            milli = f"{1e3 * case.median / augmentation.NUM_BATCHES:.1f}"
            rows.append([f"{name}: {case.name}", milli, f"{ratio:.1f}", goal, same])
        results[name] = {"difference": apart, "timings": [asdict(case) for case in found]}
    print(f"\naugmentation of {augmentation.NUM_IMAGES} images of {augmentation.SIZE} × {augmentation.SIZE}")
    print(timing.table(["case", "ms a batch", "times the batch", "goal met", "same images"], rows))
    timing.write("augmentation", results)
    return met


def muons(repeats: int) -> bool:
    """A step of ``training.muon`` against torch's; true if it takes at most 1.1 of its time on every network."""
    rows, met, results = [], True, {}
    for name in muon.TASKS:
        ours, theirs = timing.compare("muon", list(muon.CASES), name, repeats=repeats)
        ratio = ours.median / theirs.median
        same = abs(ours.result / theirs.result - 1) <= muon.SAME
        met = met and same and ratio <= muon.LIMIT
        micro = [f"{1e6 * case.median / muon.NUM_STEPS:.0f}" for case in (ours, theirs)]
        rows.append([name, *micro, f"{ratio:.2f}", f"≤ {muon.LIMIT:g} {_verdict(ratio <= muon.LIMIT)}", _verdict(same)])
        results[name] = {"ratio": ratio, "timings": [asdict(ours), asdict(theirs)]}
    print("\nMuon on the hidden matrices")
    head = ["network", "µs a step, ours", "torch's", "ratio", "goal met", "same path"]
    print(timing.table(head, rows))
    timing.write("muon", results)
    return met


def attentions(repeats: int) -> bool:
    """Our block against one written out on torch's fused attention; true if it takes at most 1.1 of its time."""
    rows, met, results = [], True, {}
    for name in attention.TASKS:
        ours, theirs = timing.compare("attention", list(attention.CASES), name, repeats=repeats)
        ratio = ours.median / theirs.median
        same = abs(ours.result / theirs.result - 1) <= 1e-4
        met = met and same and ratio <= attention.LIMIT
        milli = [f"{1e3 * case.median / attention.NUM_STEPS:.1f}" for case in (ours, theirs)]
        goal = f"≤ {attention.LIMIT:g} {_verdict(ratio <= attention.LIMIT)}"
        rows.append([name, *milli, f"{ratio:.2f}", goal, _verdict(same)])
        results[name] = {"ratio": ratio, "timings": [asdict(ours), asdict(theirs)]}
    print("\nA transformer block, forward and backward")
    print(timing.table(["task", "ms a step, ours", "written out", "ratio", "goal met", "same slopes"], rows))
    timing.write("attention", results)
    return met


def character_models(repeats: int) -> bool:
    """A character model by the usual loop and by ours: a step, the time to one loss, and the precision."""
    repeats, results, met = min(3, repeats), {}, True
    small, large = characters.TASKS
    rows = []
    for name, reference, case, wanted in (
        (small, "written out", "helpers", characters.STEPS_GOAL), (small, "float32", "bfloat16", None),
        (large, "float32", "bfloat16", characters.BFLOAT_GOAL),
    ):
        slow, fast = timing.compare("characters", [reference, case], name, repeats=repeats)
        ratio, same = slow.median / fast.median, abs(fast.result / slow.result - 1) <= characters.SAME
        good = wanted is None or ratio >= wanted
        met = met and good and same
        words = "" if wanted is None else f"≥ {wanted:g} {_verdict(good)}"
        rows.append([f"{name}: {case} against {reference}", f"{ratio:.2f}", words, _verdict(same)])
        if case == "bfloat16":
            taken = characters.automatic(name)
            lost = {"float32": slow, "bfloat16": fast}[taken].median / min(slow.median, fast.median)
            met = met and lost <= characters.AUTO_LIMIT
            limit = f"≤ {characters.AUTO_LIMIT:g} {_verdict(lost <= characters.AUTO_LIMIT)}"
            rows.append([f"{name}: automatic ({taken}) against the faster one", f"{lost:.2f}", limit, ""])
        results[f"{name}: {case}"] = {"ratio": ratio, "timings": [asdict(slow), asdict(fast)]}
    found = characters.goal()
    cases = ["to the loss, usual loop", "to the loss, helpers"]
    slow, fast = timing.compare("characters", cases, json.dumps(found), repeats=repeats)
    ratio, reached = slow.median / fast.median, fast.result <= slow.result * (1 + characters.SAME)
    good = ratio >= characters.LOSS_GOAL
    what = f"time to {slow.result:.3f} nats: {found['our_steps']} updates against {characters.USUAL_STEPS}"
    rows.append([what, f"{ratio:.2f}", f"≥ {characters.LOSS_GOAL:g} {_verdict(good)}", _verdict(reached)])
    print("\ncharacter models of Python code")
    print(timing.table(["comparison", "ratio", "goal met", "same loss within 1 %"], rows))
    timing.write("characters", results | {"goal": found, "ratio": ratio, "timings": [asdict(slow), asdict(fast)]})
    return met and good and reached


def distributeds(repeats: int) -> bool:
    """A step through accelerate with one process against a step without; true if it adds less than 5 per cent."""
    rows, met, results = [], True, {}
    for name in distributed.TASKS:
        ours, theirs = timing.compare("distributed", list(distributed.CASES), name, repeats=repeats)
        ratio, same = theirs.median / ours.median, abs(theirs.result / ours.result - 1) <= distributed.SAME
        met = met and same and ratio <= distributed.LIMIT
        milli = [f"{1e3 * case.median / distributed.NUM_STEPS:.0f}" for case in (ours, theirs)]
        goal = f"≤ {distributed.LIMIT:g} {_verdict(ratio <= distributed.LIMIT)}"
        rows.append([name, *milli, f"{ratio:.3f}", goal, _verdict(same)])
        results[name] = {"ratio": ratio, "timings": [asdict(ours), asdict(theirs)]}
    print("\naccelerate with one process")
    print(timing.table(["task", "ms a step, without", "with", "ratio", "goal met", "same loss within 1 %"], rows))
    timing.write("distributed", results)
    return met


def imports(repeats: int) -> bool:
    """The import of ``helpers.training`` against that of torch and pyplot; true if it takes at most 1.1 of it."""
    wanted = {"helpers.training": "import helpers.training", "torch and pyplot": "import torch, matplotlib.pyplot"}
    seconds: dict[str, list[float]] = {name: [] for name in wanted}
    for repeat in range(repeats + 1):
        for name, statement in wanted.items():
            code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
            command = [sys.executable, "-c", code]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=timing.ROOT)
            if repeat:
                seconds[name].append(float(done.stdout))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratio = medians["helpers.training"] / medians["torch and pyplot"]
    print("\nimport, seconds (median)")
    print(timing.table(["statement", "seconds"], [[wanted[name], f"{medians[name]:.2f}"] for name in wanted]))
    print(f"ratio {ratio:.2f} (≤ 1.10 {_verdict(ratio <= 1.1)})")
    timing.write("import", {"ratio": ratio, "seconds": seconds})
    return ratio <= 1.1


def rebuilds(repeats: int) -> bool:
    """The time of a rebuild of the pages; true if each stays within its limit."""
    try:
        seconds = rebuild.measure(repeats)
    except RuntimeError as problem:
        print(problem)
        return False
    rows, met = [], True
    for name, (median, good) in rebuild.verdicts(seconds).items():
        rows.append([name, f"{median:.1f}", f"≤ {rebuild.LIMITS[name]:g} {_verdict(good)}"])
        met = met and good
    print("\nrebuild of the pages, seconds (median)")
    print(timing.table(["changed", "seconds", "limit kept"], rows))
    timing.write("rebuild", {"seconds": seconds})
    return met


def ventures(repeats: int) -> bool:
    """The time of the venture's simulations; true if each stays within its limit."""
    seconds = venture.measure(repeats)
    rows, met = [], True
    for name, (median, good) in venture.verdicts(seconds).items():
        _, limit, what = venture.CASES[name]
        rows.append([name, what, f"{median:.3f}", f"≤ {limit:g} {_verdict(good)}"])
        met = met and good
    print("\nsimulations of the venture, seconds (median)")
    print(timing.table(["case", "what", "seconds", "limit kept"], rows))
    timing.write("venture", {"seconds": seconds})
    return met


def main() -> int:
    """Run the named comparisons; the exit status is 0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    listed = " ".join(__doc__.splitlines()[2:4]).removesuffix(" none: all.").removesuffix(";")
    parser.add_argument("names", nargs="*", help=f"{listed} (default: all)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="runs of each case that count")
    given = parser.parse_args()
    comparisons = {
        "linear": lambda: loop("linear", given.repeats),
        "mlp": lambda: loop("mlp", given.repeats),
        "sweep": lambda: sweep(given.repeats),
        "noise": lambda: noises(given.repeats),
        "muon": lambda: muons(given.repeats),
        "attention": lambda: attentions(given.repeats),
        "augmentation": lambda: augmentations(given.repeats),
        "characters": lambda: character_models(given.repeats),
        "distributed": lambda: distributeds(given.repeats),
        "import": lambda: imports(given.repeats),
        "rebuild": lambda: rebuilds(min(3, given.repeats)),
        "venture": lambda: ventures(given.repeats),
        "service": lambda: service.bench(given.repeats),
    }
    unknown = [name for name in given.names if name not in (*comparisons, "explorers")]
    if unknown or given.repeats < 1:
        parser.error(f"unknown comparison {unknown[0]!r}" if unknown else "--repeats must be at least 1")
    here = device.machine("cpu")
    print(f"{here.name}, {here.num_threads} threads on {here.num_cores} cores, torch {here.torch_version}")
    names = given.names or [*comparisons, "explorers"]
    met = [comparisons[name]() for name in names if name in comparisons]
    if "explorers" in names:
        met.append(subprocess.run([sys.executable, "-m", "benchmarks.explorers"], cwd=timing.ROOT).returncode == 0)
    print("\nevery goal that was measured is met" if all(met) else "\nat least one goal was missed")
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
