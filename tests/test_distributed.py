"""Two processes over gloo give the numbers of one, whole or sharded, also after an interruption."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time

import pytest
import torch

from helpers import data, models, training
from helpers.training import checkpoints, distributed

ALONE = {name: value for name, value in os.environ.items() if name not in ("WORLD_SIZE", "RANK", "LOCAL_RANK")}
# one process that has torch in memory and forks the rest: as torchrun does, but the seconds of importing are paid once
NURSERY = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
if sys.platform != "win32":
    NURSERY.set_forkserver_preload(["torch", "accelerate", "torch.distributed.fsdp", "helpers.training.distributed"])


def as_rank(rank, world, port, said, function, *arguments):
    """What torchrun does in a process: its place among the others in the environment, its errors in a file."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world),
                   "MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "HELPERS_DEVICE": "cpu"}
    with open(said, "a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 2)
    torch.set_num_threads(1)
    function(*arguments)


def started(world, said, function, *arguments):
    """Start function(*arguments) in so many processes that can find each other."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    processes = [NURSERY.Process(target=as_rank, args=(rank, world, port, said, function, *arguments), daemon=True)
                 for rank in range(world)]
    for process in processes:
        process.start()
    return processes


def ended(processes, seconds=120):
    """Wait for the processes, stop those that do not end, and return their exit codes."""
    until = time.monotonic() + seconds
    try:
        for process in processes:
            process.join(max(0, until - time.monotonic()))
        return [process.exitcode for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.join()


def trained(world, folder, output, *options):
    """The command line of helpers.training.distributed in so many processes: exit codes and what they said."""
    said = folder / f"{output}.txt"
    arguments = ["--output", str(folder / output), *options]
    return ended(started(world, said, distributed.main, arguments)), said.read_text(encoding="utf-8")


def assert_same(one, two, within=1e-5):
    for ours, theirs in zip(one, two, strict=True):
        assert theirs["train_loss"] == pytest.approx(ours["train_loss"], abs=within)
        assert theirs["validation_loss"] == pytest.approx(ours["validation_loss"], abs=within)


def test_two_processes_equal_one_and_go_on_to_the_same_curve(tmp_path):
    """A batch of 63 is uneven for two, and the last one of an epoch is smaller still."""
    place = tmp_path / "run.safetensors"
    options = ["--data", "digits", "--lr", "0.01", "--batch-size", "63", "--seed", "2", "--checkpoint", str(place)]
    digits = data.load("digits", seed=2)
    one = training.fit(models.MLP(64, [32], 10, seed=2), digits, lr=0.01, epochs=3, batch_size=63, seed=2)
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m",
            "helpers.training.distributed", "--output", str(tmp_path / "two.json"), "--epochs", "2", *options]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, env=ALONE)
    assert done.returncode == 0, done.stderr
    two = json.loads((tmp_path / "two.json").read_text())
    assert two["stamp"]["configuration"]["num_processes"] == 2
    assert_same(one.history[:3], two["history"])
    codes, said = trained(2, tmp_path, "more.json", "--epochs", "3", "--resume", "--sharded", *options)
    assert codes == [0, 0], said                             # the rest sharded: the file holds whole tensors
    more = json.loads((tmp_path / "more.json").read_text())
    assert more["stamp"]["configuration"]["sharded"]
    assert more["history"][:3] == two["history"]
    assert_same(one.history, more["history"])
    assert more["history"][-1]["train_loss"] < 0.5 * more["history"][0]["train_loss"]
    saved = checkpoints.load(place)
    for name, tensor in one.model.state_dict().items():
        torch.testing.assert_close(saved.model[name], tensor, atol=1e-4, rtol=1e-3)


def test_a_process_killed_in_the_middle_costs_at_most_one_epoch(tmp_path, monkeypatch):
    """The one that writes is killed; the other ends with an error, and one alone goes on from the file."""
    place, said = tmp_path / "run.safetensors", tmp_path / "said.txt"
    options = ["--data", "digits", "--lr", "0.01", "--batch-size", "64", "--checkpoint", str(place)]
    running = started(2, said, distributed.main, ["--output", str(tmp_path / "a.json"), "--epochs", "4000", *options])
    until = time.monotonic() + 60
    while not place.exists() and running[0].is_alive() and time.monotonic() < until:
        time.sleep(0.05)
    running[0].kill()
    codes = ended(running, seconds=60)
    assert place.exists() and codes[0] < 0 and codes[1] == 1, said.read_text(encoding="utf-8")
    finished = checkpoints.load(place).epoch
    epochs = finished + 1
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    distributed.main(["--output", str(tmp_path / "b.json"), "--epochs", str(epochs), "--resume", *options])
    again = json.loads((tmp_path / "b.json").read_text())["history"]
    assert 1 <= finished < 4000 and [row["epoch"] for row in again] == list(range(epochs + 1))


def test_one_process_says_how_to_start_two(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    options = ["--epochs", "1", "--output", str(tmp_path / "one.json")]
    distributed.main(options)
    said = capsys.readouterr().err
    assert "one process only: to use two, start the same options with" in said
    assert "torchrun --standalone --nproc_per_node 2 -m helpers.training.distributed" in said
    digits = data.load("digits")
    one = training.fit(models.MLP(64, [32], 10), digits, lr=0.01, epochs=1)
    alone = json.loads((tmp_path / "one.json").read_text())
    assert_same(one.history, alone["history"], within=1e-7)
    assert not torch.distributed.is_initialized()


def test_launch_lines():
    assert distributed.launch_line("--data digits") == (
        "torchrun --standalone --nproc_per_node 2 -m helpers.training.distributed --data digits")
    several = distributed.launch_line(num_processes=8, num_nodes=4, first_node="node-0")
    assert "--nnodes 4 --rdzv_backend c10d --rdzv_endpoint node-0:29500 --nproc_per_node 8" in several
    sharded = distributed.launch_line(num_processes=8, num_nodes=4, first_node="node-0", sharded=True)
    assert "--config_file helpers/training/fsdp.yaml --num_processes 32 --num_machines 4" in sharded


def test_the_options_of_the_launch_lines_exist(tmp_path):
    """The parsers of torchrun and accelerate take the lines word by word."""
    from accelerate.commands.launch import launch_command_parser
    from torch.distributed.run import parse_args

    for num_nodes in (1, 4):
        line = distributed.launch_line("--data digits", num_processes=8, num_nodes=num_nodes, first_node="n0")
        taken = parse_args(line.split()[1:])
        assert taken.module and taken.training_script == "helpers.training.distributed"
        assert (taken.nnodes, taken.nproc_per_node) == ("1:1" if num_nodes == 1 else "4", "8")
        line = distributed.launch_line("--data digits", num_processes=8, num_nodes=num_nodes, first_node="n0",
                                       sharded=True)
        taken = launch_command_parser().parse_args(line.replace("$NODE", "1").split()[2:])
        assert taken.module and taken.training_script_args == ["--data", "digits"]
        assert taken.num_processes == 8 * num_nodes


def test_fsdp_configuration_is_read_by_accelerates_own_loader():
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    found = load_config_from_file(str(distributed.CONFIGURATION))
    assert found.distributed_type == DistributedType.FSDP and found.num_processes == 8
    known = {f"fsdp_{name}" for name in FullyShardedDataParallelPlugin.__dataclass_fields__}
    known |= {"fsdp_offload_params", "fsdp_version"}
    assert set(found.fsdp_config) <= known and found.fsdp_config["fsdp_version"] == 2


def test_what_is_wrong_is_said_before_a_process_group_starts(tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder .*nowhere for the history does not exist: create it first"):
        distributed.main(["--output", str(tmp_path / "nowhere" / "two.json")])
    with pytest.raises(ValueError, match="the data set 'line' has no classes: choose one that has"):
        distributed.main(["--data", "line", "--output", str(tmp_path / "two.json")])
    with pytest.raises(ValueError, match="4 nodes need first_node"):
        distributed.launch_line(num_nodes=4)
    digits, model = data.load("digits"), models.MLP(64, [8], 10)
    with pytest.raises(ValueError, match="resume=True needs checkpoint=PATH"):
        distributed.fit(model, digits, lr=0.1, epochs=1, resume=True)
    with pytest.raises(ValueError, match="a sharded model needs processes to share it: start them with torchrun"):
        distributed.fit(model, digits, lr=0.1, epochs=1, sharded=True)
    with pytest.raises(ValueError, match="'muon' needs whole matrices"):
        distributed.fit(model, digits, lr=0.1, epochs=1, sharded=True, optimiser="muon")


def test_divergence_stops_all_processes(tmp_path):
    codes, said = trained(2, tmp_path, "two.json", "--data", "digits", "--lr", "1e30", "--optimiser", "sgd")
    assert codes == [1, 1] and not (tmp_path / "two.json").exists()
    assert said.count("TrainingDiverged: the loss became") == 2


def test_the_recording_and_the_bench_run_at_toy_size(tmp_path, monkeypatch):
    """One process through torchrun as in a recording, two from the nursery."""
    from benchmarks import distributed as bench
    from benchmarks import timing

    toy = {"toy": {"num_layers": 1, "d_model": 16, "num_heads": 2}}
    through_torchrun = bench.launch

    def launch(num_processes, sizes):
        if num_processes == 1:
            return through_torchrun(1, sizes)
        output, said = tmp_path / "rows.json", tmp_path / "said.txt"
        codes = ended(started(num_processes, said, bench.worker, sizes, str(output)))
        assert codes == [0] * num_processes, said.read_text(encoding="utf-8")
        return json.loads(output.read_text())

    monkeypatch.setattr(bench, "launch", launch)
    payload = bench.measure(toy, rounds=1)
    row = payload["results"][f"toy, batch {bench.BATCHES[0]}"]
    assert row["num_parameters"] == models.count(bench._decoder(toy["toy"])) and row["strong_efficiency"] > 0
    assert set(payload["results"]) == {f"toy, batch {batch}" for batch in bench.BATCHES}
    monkeypatch.setattr(bench, "TASKS", toy)
    with_, without = (bench.CASES[name]("toy")() for name in ("training.distributed", "training"))
    assert with_ == pytest.approx(without, abs=1e-6)         # same data, same first weights: same loss
    large = bench._decoder({"num_layers": 6, "d_model": 384, "num_heads": 6})
    assert 10e6 < models.count(large) < 11.5e6 and timing.ROOT.is_dir()
