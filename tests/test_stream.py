import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers import data, models, records, training
from helpers.data.base import windows_at
from helpers.training import checkpoints, stream

ROOT = Path(__file__).resolve().parents[1]
TEXT = (np.random.default_rng(0).integers(0, 6, 4000) ** 2 % 20).astype(np.uint16)
TINY = {"vocabulary": 20, "context": 8, "num_layers": 1, "d_model": 16, "num_heads": 2}
OPTIONS = {"lr": 1e-2, "num_steps": 20, "every": 5, "batch_size": 4}
HELD_OUT = windows_at(TEXT, np.arange(0, 192, 8), 8)


def run(stop=None, model=None, text=TEXT, note=None, **options):
    """Model, rows without the seconds, and the number of stages that were yielded."""
    model, num = model or models.Decoder(**TINY), 0
    for stage in stream.stages(model, text, HELD_OUT, **(OPTIONS | options)):
        num += 1
        if note is not None:
            stage.row["note"] = note
        if len(stage.history) == stop:
            break
    return model, [{key: value for key, value in row.items() if key != "seconds"} for row in stage.history], num


def test_a_window_and_its_targets_are_one_token_apart():
    split = windows_at(TEXT, np.array([0, 100]), 8)
    assert split.x.dtype is torch.int64 and split.x.shape == (2, 8)
    assert split.x[1].tolist() == TEXT[100:108].tolist() and split.y[1].tolist() == TEXT[101:109].tolist()


def test_a_pass_takes_every_window_once_and_the_next_one_in_another_order():
    windows = stream.Windows(100, 8, batch_size=1, every=11, seed=3)
    assert windows.a_pass == 11 and len(windows) == 11
    first, second = windows.order(0), windows.order(1)
    assert len(set(first.tolist())) == 11 and first.max() + 8 < 100
    assert len(set((first % 8).tolist())) == 1 and sorted(first.tolist()) != first.tolist()
    assert not torch.equal(first, second) and torch.equal(first, windows.order(0))
    halves = stream.Windows(100, 8, batch_size=1, every=4, seed=3)         # the same order, cut differently
    assert torch.cat([halves.order(i) for i in range(3)])[:11].equal(first)


def test_stages_train_as_the_loop_does_on_the_same_windows():
    windows = stream.Windows(len(TEXT), 8, batch_size=4, every=5, seed=0)
    model, rows, _ = run(schedule="constant")
    other = models.Decoder(**TINY)
    optimiser = torch.optim.AdamW(other.parameters(), lr=1e-2, weight_decay=0.0)
    for interval in range(4):
        for starts in windows.order(interval).split(4):
            split = windows_at(TEXT, starts.numpy(), 8)
            loss = torch.nn.functional.cross_entropy(other(split.x).flatten(0, 1), split.y.flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    for one, two in zip(model.parameters(), other.parameters()):
        assert torch.allclose(one, two, atol=1e-5)
    assert [row["step"] for row in rows] == [0, 5, 10, 15, 20] and rows[-1]["tokens"] == 20 * 4 * 8
    assert rows[0]["train_loss"] is None and rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    assert rows[-1]["flops"] == 3 * 20 * training.flops_forward(model, split.x)


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_interrupted_and_resumed_gives_the_same_numbers(tmp_path, optimiser):
    path = tmp_path / "run.safetensors"
    whole, rows, num = run(optimiser=optimiser)
    _, before, _ = run(stop=3, optimiser=optimiser, checkpoint=path)
    again, after, left = run(optimiser=optimiser, checkpoint=path, resume=True)
    assert num == 5 and left == 3 and before == rows[:3] and after == rows
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), again.parameters()))
    done, finished, one = run(optimiser=optimiser, checkpoint=path, resume=True)       # nothing is left to do
    assert one == 1 and finished == rows and torch.equal(done.embedding.weight, whole.embedding.weight)


def test_what_the_caller_adds_to_a_row_is_kept(tmp_path):
    path = tmp_path / "run.safetensors"
    run(checkpoint=path, note="seen")
    assert [row["note"] for row in checkpoints.load(path).history] == ["seen"] * 5
    path.unlink()
    run(stop=2, checkpoint=path, note="seen")              # broken off before the row could be written again
    _, rows, _ = run(checkpoint=path, resume=True, note="seen")
    assert [row["note"] for row in rows] == ["seen"] * 5


def test_killed_at_any_moment_it_loses_at_most_one_interval(tmp_path):
    path, program = tmp_path / "run.safetensors", tmp_path / "program.py"
    program.write_text(f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]
import test_stream as t
for stage in t.stream.stages(t.models.Decoder(**t.TINY), t.TEXT, t.HELD_OUT, lr=1e-2,
                             num_steps=5000, every=5, batch_size=4, checkpoint={str(path)!r}, resume=True):
    print(stage.row["step"], flush=True)
""")
    reached = 0
    for wait in (0.05, 0.4):
        child = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True,
                                 env={**os.environ, "OMP_NUM_THREADS": "1"})
        first = int(child.stdout.readline())
        assert first >= reached - 5                        # goes on where it was, at most one interval earlier
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        lines = [first, *map(int, child.stdout.read().split())]
        child.wait()
        reached = lines[-1]
        assert checkpoints.load(path).history[-1]["step"] in (reached, reached + 5)


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    run(stop=2, checkpoint=path)
    old = path.read_bytes()
    monkeypatch.setattr(records.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        run(checkpoint=path, resume=True)
    assert path.read_bytes() == old and [each.name for each in tmp_path.iterdir()] == [path.name]
    monkeypatch.undo()
    assert run(checkpoint=path, resume=True)[1] == run()[1]


def test_a_memory_map_is_read_window_by_window(tmp_path):
    TEXT.tofile(tmp_path / "stream")
    mapped = np.memmap(tmp_path / "stream", dtype=np.uint16, mode="r")
    assert run(text=mapped)[1] == run()[1]


def test_what_a_gpu_gathers_is_what_a_processor_reads():
    text = np.random.default_rng(0).integers(0, 50, 1000).astype(np.uint16)
    starts = np.array([0, 17, 990 - 9])
    split = windows_at(text, starts, 9)
    x, y = stream.gathered(stream.resident(text, torch.device("cpu")), torch.from_numpy(starts), 9)
    assert torch.equal(x, split.x) and torch.equal(y, split.y)


def test_the_loss_is_the_mean_over_the_tokens():
    model = models.Decoder(**TINY)
    found = stream.loss_of(model.train(), HELD_OUT)
    assert model.training and found == pytest.approx(training.evaluate(model, HELD_OUT).loss, rel=1e-5)
    assert stream.loss_of(model, HELD_OUT, dtype=torch.bfloat16) == pytest.approx(found, rel=1e-2)


@pytest.mark.parametrize("change, message", [
    ({"num_steps": 21}, "num_steps must be a multiple of every, got 21 and 5"),
    ({"every": 0}, "every must be a whole number"),
    ({"resume": True}, "resume=True needs checkpoint=PATH"),
    ({"text": TEXT[:20]}, "a batch of 4 windows of 8 tokens needs a stream of at least 40 tokens, got 20"),
    ({"text": TEXT + 10}, "token numbers lie in 0 … 19, got 10 … 26: the stream is of another tokeniser"),
    ({"text": TEXT.astype(float)}, r"a stream holds whole token numbers \[n\], got float64 \[4000\]"),
    ({"lr": -1.0}, "got -1.0"),
])
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        run(**change)


def test_bad_windows_and_checkpoints(tmp_path):
    with pytest.raises(ValueError, match="there is no window to measure the loss on"):
        stream.loss_of(models.Decoder(**TINY), windows_at(TEXT, np.array([], int), 8))
    with pytest.raises(FileNotFoundError, match="the folder .* does not exist"):
        run(checkpoint=tmp_path / "absent" / "run.safetensors")
    path = tmp_path / "run.safetensors"
    run(stop=2, checkpoint=path)
    with pytest.raises(ValueError, match=r"was made with lr=0.01, this run has 0.02"):
        run(checkpoint=path, resume=True, lr=0.02)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is no readable checkpoint"):
        run(checkpoint=path, resume=True)


def test_the_recipe_gives_a_valid_record_and_two_models(tmp_path, monkeypatch):
    from benchmarks import language
    from benchmarks.record import RECIPES
    from helpers.models import house

    for name in ("ask-python-language-model", "ask-python-15m"):
        assert RECIPES[name].title
    assert models.count(models.Decoder(**language.HOUSE.model_options)) <= 3_900_000
    assert 10e6 <= models.count(models.Decoder(**language.LARGE.model_options)) <= 15e6
    for plan in (language.HOUSE, language.SMALL, language.LARGE):
        assert plan.num_steps % plan.every == 0
        assert plan.num_steps * plan.batch_size * 256 <= 4 * 18e6, "at most four passes"

    (tmp_path / "book" / "recorded").mkdir(parents=True)
    tokeniser = data.tokeniser()
    monkeypatch.setenv("HELPERS_BOOK", str(tmp_path))
    text = "\n\n\ndef f(x):\n    return x + 1\n\n\ny = 2\n" * 40
    files = [data.corpora.SourceFile("made", f"made/{i}.py", text, "MIT", split)
             for i, split in enumerate(["train"] * 6 + ["validation", "test"])]
    source = data.corpora._corpus("python_code", files, [])
    tokens = data.token_files.open_file(data.token_files.write(tmp_path / "made.tokens", source, tokeniser))
    for name, value in {"tokens": tokens, "tokeniser": tokeniser, "corpus": source}.items():
        monkeypatch.setattr(data, name, lambda *_, value=value, **__: value)
    shape = {"vocabulary": 2048, "context": 16, "num_layers": 1, "d_model": 16, "num_heads": 2}
    plan = language.Plan(shape, num_steps=60, every=20, num_validation=4, num_functions=20, num_tokens=24, lr=2e-2,
                         shown=(0, 1), warmup_steps=4)
    lines = []
    monkeypatch.setattr(language, "NGRAM_TOKENS", (None,))
    payload = language.measure({"house": plan, "small": plan}, log=lines.append)
    saved = json.loads(records.save(language.NAME, payload, mine=False).read_text())
    assert saved["results"]["bits_per_byte"] == saved["results"]["house"]["bits_per_byte"] > 0
    assert [stage["step"] for stage in saved["results"]["house"]["stages"]] == [0, 20, 60]
    assert saved["results"]["house"]["stages"][0]["accepted"] is None
    assert house.house().num_parameters == saved["configuration"]["num_parameters"]
    assert house.about("small")["licences"] == {"made": "MIT"}
    assert saved["results"]["real"]["parse_share"] == 1
    assert language.measure({"house": plan, "small": plan}, log=lines.append)["curves"] == payload["curves"]  # resumed
