"""A decoder without its Python code: equal logits at every shape, ONNX too, bad input."""

import pytest
import torch

from helpers import models
from helpers.deployment import export


@pytest.fixture(scope="module")
def model():
    return models.Decoder(32, context=16, num_layers=2, d_model=16, num_heads=2, num_kv_heads=1,
                          feed_forward="swiglu", normed_queries=True, seed=1)


@pytest.fixture(scope="module")
def program(model, tmp_path_factory):
    return export.save_program(model.train(), tmp_path_factory.mktemp("program") / "model.pt2")


def test_program_gives_the_same_logits_and_leaves_the_model_as_it_was(model, program):
    assert model.training
    before = torch.get_rng_state()
    loaded = export.load_program(program)
    assert export.largest_gap(model.eval(), loaded) <= 1e-5
    assert torch.equal(before, torch.get_rng_state())
    tokens = torch.randint(32, (64, 16), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(loaded(tokens), model(tokens), atol=1e-5)
    changed = models.Decoder(32, context=16, num_layers=2, d_model=16, num_heads=2, num_kv_heads=1,
                             feed_forward="swiglu", normed_queries=True, seed=2)
    assert export.largest_gap(changed, loaded) > 1e-2


def test_program_refuses_more_than_it_was_made_for(program):
    with pytest.raises(Exception, match="16|tokens"):
        export.load_program(program)(torch.zeros(1, 17, dtype=torch.long))


def test_onnx_gives_the_same_logits(model, tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    path = export.save_onnx(model, tmp_path / "model.onnx")
    assert export.largest_gap(model.eval(), export.load_onnx(path)) <= 1e-4
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"model.onnx cannot be read \(\d+ bytes; it may be cut short\): export"):
        export.load_onnx(path)


def test_bad_files(model, program, tmp_path):
    with pytest.raises(ValueError, match=r"should end in .pt2, got 'model.bin'"):
        export.save_program(model, tmp_path / "model.bin")
    with pytest.raises(ValueError, match=r"should end in .onnx, got 'model.pt2'"):
        export.save_onnx(model, tmp_path / "model.pt2")
    with pytest.raises(FileNotFoundError, match="there is no model.pt2 in .*: export the model first"):
        export.load_program(tmp_path / "model.pt2")
    (tmp_path / "short.pt2").write_bytes(program.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"short.pt2 cannot be read \(\d+ bytes; it may be cut short\): export"):
        export.load_program(tmp_path / "short.pt2")
