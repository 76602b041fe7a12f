import copy

import pytest
import torch
from torch import nn

from helpers import models
from helpers.models import lora

TINY = {"vocabulary": 20, "context": 16, "num_layers": 2, "d_model": 16, "num_heads": 2, "feed_forward": "swiglu"}
TOKENS = torch.arange(12)[None] % 20


def decoder(seed=0):
    return models.Decoder(**TINY, seed=seed)


def stirred(model, seed=1):
    """Adapters whose B is no longer 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in lora.adapted(model).values():
            layer.b.copy_(0.1 * torch.randn(layer.b.shape, generator=generator))
    return model


def test_nothing_changes_at_the_start():
    model = decoder()
    before = model(TOKENS)
    assert torch.equal(lora.add(model, 4)(TOKENS), before)


def test_the_number_of_parameters_is_rank_times_inputs_plus_outputs():
    plain = decoder()
    linear = [layer for name, layer in plain.named_modules() if isinstance(layer, nn.Linear) and "blocks" in name]
    wanted = sum(3 * (layer.in_features + layer.out_features) for layer in linear)
    model = lora.add(decoder(), 3)
    assert models.count(model) == wanted and len(lora.adapted(model)) == len(linear) == 2 * 5
    for where in (["attention.queries"], "attention.queries"):
        assert models.count(lora.add(decoder(), 3, where=where)) == 2 * 3 * 32


def test_any_dense_update_of_rank_r_is_an_adapter_of_rank_r():
    torch.manual_seed(0)
    base = nn.Linear(10, 7).double()
    update = torch.randn(7, 2).double() @ torch.randn(2, 10).double()
    x = torch.randn(5, 10).double()
    dense = nn.functional.linear(x, base.weight + update, base.bias)
    layer = lora.Adapted(base, 2, alpha=4.0)
    u, s, v = torch.linalg.svd(update)
    with torch.no_grad():
        layer.b.copy_(u[:, :2] * s[:2] / 2)                        # the scale alpha / rank is 2
        layer.a.copy_(v[:2])
    assert torch.allclose(layer(x), dense, atol=1e-12) and torch.allclose(layer.update, update, atol=1e-12)
    assert torch.linalg.matrix_rank(layer.update) == 2


def test_the_slopes_are_those_of_the_dense_weight_through_the_product():
    torch.manual_seed(1)
    base, x = nn.Linear(6, 5).double(), torch.randn(9, 6).double()
    layer = lora.Adapted(base, 2, alpha=3.0)
    with torch.no_grad():
        layer.b.normal_()
    layer(x).pow(2).sum().backward()
    weight = (base.weight + layer.update).detach().requires_grad_()
    nn.functional.linear(x, weight, base.bias).pow(2).sum().backward()
    assert torch.allclose(layer.b.grad, 1.5 * weight.grad @ layer.a.T)
    assert torch.allclose(layer.a.grad, 1.5 * layer.b.T @ weight.grad)


def test_only_adapters_learn():
    model = stirred(lora.add(decoder(), 2))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    model(TOKENS).square().mean().backward()
    optimiser.step()
    for name, parameter in model.named_parameters():
        learns = name.endswith((".a", ".b"))
        assert (parameter.grad is not None) == learns == (not torch.equal(parameter, before[name]))


def test_merged_equals_unmerged_and_leaves_a_plain_model():
    model = stirred(lora.add(decoder(), 4))
    adapted = model(TOKENS)
    merged = lora.merge(copy.deepcopy(model))
    assert torch.allclose(merged(TOKENS), adapted, atol=1e-5) and not lora.adapted(merged)
    plain = decoder(seed=3)
    plain.load_state_dict(merged.state_dict())
    assert torch.equal(plain(TOKENS), merged(TOKENS))
    assert all(parameter.requires_grad for parameter in merged.parameters())


def test_one_base_serves_several_customers(tmp_path):
    paths, outputs = [], []
    for seed in (1, 2):
        model = stirred(lora.add(decoder(), 2, seed=seed), seed)
        outputs.append(model(TOKENS))
        paths.append(lora.save(tmp_path / f"{seed}.safetensors", model))
    shared = decoder()
    for path, wanted in zip([*paths, paths[0]], [*outputs, outputs[0]], strict=True):
        assert torch.equal(lora.load(path, shared)(TOKENS), wanted)
    size = 4 * models.count(shared)
    assert size < paths[0].stat().st_size < size + 4000
    lora.save(tmp_path / "half.safetensors", shared, dtype=torch.bfloat16)
    assert (tmp_path / "half.safetensors").stat().st_size < size / 2 + 4000


def test_the_seed_decides_and_the_global_generator_stays():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again, other = (lora.state(lora.add(decoder(), 2, seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    name = next(name for name in first if name.endswith(".a"))
    assert torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name])


@pytest.mark.parametrize("act, message", [
    (lambda: lora.add(decoder(), 0), "rank must be an integer of at least 1, got 0"),
    (lambda: lora.add(decoder(), 17), "16 × 16 has rank 16 at most, got rank 17"),
    (lambda: lora.add(decoder(), 2, alpha=0), "alpha must be above 0, got 0"),
    (lambda: lora.add(decoder(), 2, where=["attention.query"]), "no linear layer has 'attention.query' in its name: "),
    (lambda: lora.add(lora.add(decoder(), 2), 2), "has adapters already"),
    (lambda: lora.merge(decoder()), "the model has no adapters"),
    (lambda: lora.state(decoder()), "the model has no adapters"),
])
def test_bad_input_is_named(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_a_model_stays_as_it_was_when_adding_fails():
    model = decoder()
    with pytest.raises(ValueError):
        lora.add(model, 17)
    assert not lora.adapted(model) and all(parameter.requires_grad for parameter in model.parameters())


def test_bad_files_are_named(tmp_path):
    from safetensors.torch import save_file

    good = lora.save(tmp_path / "good.safetensors", lora.add(decoder(), 2))
    with pytest.raises(FileNotFoundError, match=r"no file of adapters .*none\.safetensors"):
        lora.load(tmp_path / "none.safetensors", decoder())
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"cut\.safetensors is no readable file of adapters \(500 bytes"):
        lora.load(cut, decoder())
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other\.safetensors holds tensors but is no file of adapters"):
        lora.load(tmp_path / "other.safetensors", decoder())
    wide = models.Decoder(**TINY | {"d_model": 32})
    with pytest.raises(ValueError, match=r"of \[16, 16\], the model has one of \[32, 32\]: these adapters belong"):
        lora.load(good, wide)
    shallow = models.Decoder(**TINY | {"num_layers": 1})
    with pytest.raises(ValueError, match="the model has no such layer"):
        lora.load(good, shallow)
    assert not lora.adapted(shallow) and all(parameter.requires_grad for parameter in shallow.parameters())
