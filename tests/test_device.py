"""Device, precision, seeds."""

import pytest
import torch

from helpers import device, economics


def test_pick_takes_the_name_before_the_setting(monkeypatch):
    monkeypatch.setenv("HELPERS_DEVICE", "mps")
    assert device.pick("cpu") == torch.device("cpu")
    monkeypatch.setenv("HELPERS_DEVICE", "cpu")
    assert device.pick() == torch.device("cpu")
    monkeypatch.delenv("HELPERS_DEVICE")
    assert device.pick().type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["gpu", "cpuu", "xla", " "])
def test_unknown_device_names_the_ones_there_are(name):
    with pytest.raises(ValueError, match="unknown device .* use 'cpu'"):
        device.pick(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setenv("HELPERS_DEVICE", "cuda")
    with pytest.raises(ValueError, match="'cuda' was asked for, but torch finds no CUDA GPU here"):
        device.pick()


def test_explain_says_what_and_why(monkeypatch):
    monkeypatch.setenv("HELPERS_DEVICE", "cpu")
    sentence = device.explain()
    assert sentence.startswith("Computing on cpu (") and sentence.endswith("because HELPERS_DEVICE is 'cpu'.")
    monkeypatch.delenv("HELPERS_DEVICE")
    assert "HELPERS_DEVICE" not in device.explain(torch.device("cpu"))


def test_machine_describes_this_one():
    here = device.machine("cpu")
    assert here.kind == "cpu" and here.name and here.num_cores >= 1
    assert here.num_threads == torch.get_num_threads() and here.torch_version == torch.__version__


def test_precision_is_float32_unless_asked(monkeypatch):
    monkeypatch.delenv("HELPERS_PRECISION", raising=False)
    assert device.precision("cpu", 1e10) is torch.float32
    monkeypatch.setenv("HELPERS_PRECISION", "bfloat16")
    assert device.precision("cpu") is torch.bfloat16
    monkeypatch.setenv("HELPERS_PRECISION", "half")
    with pytest.raises(ValueError, match="unknown precision 'half': use 'float32', 'bfloat16' or 'auto'"):
        device.precision("cpu")


def test_automatic_precision_wants_matrix_units_and_enough_work(monkeypatch):
    monkeypatch.setenv("HELPERS_PRECISION", "auto")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert device.precision("cpu", 4e9) is torch.bfloat16
    assert device.precision("cpu", 1e8) is torch.float32
    assert device.precision("cpu") is torch.float32
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert device.precision("cpu", 4e9) is torch.float32
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False}, raising=False)
    assert device.precision_named("auto", "cpu", 4e9) is torch.float32
    assert device.precision_named(torch.bfloat16) is torch.bfloat16


@pytest.mark.parametrize(
    ("name", "dtype", "peak"),
    [
        ("NVIDIA H200", torch.bfloat16, 989e12),
        ("NVIDIA H100 80GB HBM3", torch.bfloat16, 989e12),
        ("NVIDIA H100 PCIe", torch.bfloat16, 756e12),
        ("NVIDIA A100-SXM4-80GB", torch.bfloat16, 312e12),
        ("NVIDIA A100-SXM4-80GB", torch.float32, 19.5e12),
        ("NVIDIA A100-SXM4-80GB", torch.int8, None),
        ("Intel(R) Xeon(R) Processor", torch.bfloat16, None),
        ("NVIDIA GeForce RTX 4090", torch.bfloat16, None),
    ],
)
def test_peak_flops(name, dtype, peak):
    assert device.peak_flops(name, dtype) == peak


def test_peaks_are_those_of_the_table_of_accelerators():
    for name in ("a100", "h100", "h200", "b200"):
        row = economics.accelerator(name)
        assert device.peak_flops(row.title, torch.bfloat16) == row.flops_per_second


def test_seeded_repeats_and_leaves_the_global_generator():
    before = torch.get_rng_state()
    with device.seeded(3):
        first = torch.rand(4)
    with device.seeded(3):
        again = torch.rand(4)
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, torch.rand(4, generator=device.generator(3)))


@pytest.mark.parametrize("seed", [-1, 1.5, "a", None, True])
def test_seed_must_be_a_whole_number(seed):
    with pytest.raises(ValueError, match="seed must be an integer of at least 0, got"):
        device.generator(seed)
