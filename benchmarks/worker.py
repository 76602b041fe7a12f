"""One case in a process of its own: prepares it, then runs it once for each line on standard input."""

from __future__ import annotations

import importlib
import json
import sys
import time


def main(kind: str, case: str, task: str) -> None:
    """Answer each line with the seconds of one run and what it returned, as JSON; first say whether the case exists."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a library prints does not get between the answers

    def answer(**values: object) -> None:
        print(json.dumps(values), file=answers, flush=True)

    if kind == "loops":
        from benchmarks import loops

        try:
            run = loops.CASES[case][0](loops.task(task))
        except ImportError as error:
            answer(absent=f"not installed ({error.name or error})")
            return
    else:
        run = importlib.import_module(f"benchmarks.{kind}").CASES[case](task)
    answer(ready=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        result = run()
        answer(seconds=time.perf_counter() - begin, result=result)


if __name__ == "__main__":
    main(*sys.argv[1:])
