"""A decoder that writes several texts at once, each at its own place: one cache with a slot a text.

Letters in shapes: N slots of a step, D model width, H heads, K key-value heads, E width of a head, S places looked at.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.models._count import checked_size
from helpers.models.attention import Block, Cache
from helpers.models.positions import rotate
from helpers.models.transformer import Decoder

_STRIDE = 32      # places looked at are rounded up to it: a handful of shapes, and no half-filled vectors
_PROBES = 3


class _Linear:
    """x W + b with W stored [in, out]: the layout whose rows come out alike for most numbers of rows."""

    def __init__(self, *layers: nn.Linear) -> None:
        self.weight = torch.cat([layer.weight.detach() for layer in layers]).T.contiguous()
        self.bias = None if layers[0].bias is None else torch.cat([layer.bias.detach() for layer in layers])

    def __call__(self, x: Tensor) -> Tensor:
        return x @ self.weight if self.bias is None else torch.addmm(self.bias, x, self.weight)


class _Layer:
    """The weights of one block, laid out for rows."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.queries_keys_values = _Linear(block.attention.queries, block.attention.keys_values)
        self.mixed = _Linear(block.attention.output)
        self.rise, self.fall = _Linear(block.feed_forward.rise), _Linear(block.feed_forward.output)


class _OneSlot(Cache):
    """The cache of one slot in one layer, as ``Attention`` wants it: writes go to the shared memory."""

    def __init__(self, keys: Tensor, values: Tensor, length: int) -> None:
        self.window, self.context, self.length = None, keys.shape[2], length
        self.keys, self.values = keys, values


class Slots:
    """Keys and values of up to ``num_slots`` texts, and the two ways to go on: ``prefill`` one, ``step`` many.

    A step computes the first slots up to the highest one in use, idle ones included, so nothing is copied together:
    take low slots first. The sums in a row of a matrix product may depend on how many rows there are; ``sizes``
    lists the numbers of rows that gave the same bits as all slots when this was tried at the start, and only these
    are used. Where ``exact`` is true a text gets the same logits, to the last bit, whoever shares the step.

    Arguments:
        model: decoder with softmax attention, without window or experts; it is put into evaluation mode. The weights
            are copied: later changes do not show.
        num_slots: texts at most.

    Raises:
        ValueError: a model of another kind, or fewer than one slot.

    Source: yu2022. Derived in: book/project/serving.
    """

    def __init__(self, model: Decoder, num_slots: int) -> None:
        config = model.config
        if config.attention != "softmax" or config.window is not None or config.num_experts > 1:
            raise ValueError("slots need a dense decoder with softmax attention over its whole context, got "
                             f"attention={config.attention!r}, window={config.window}, "
                             f"num_experts={config.num_experts}: serve this model one text at a time")
        self.model, self.num_slots = model.eval(), checked_size("num_slots", num_slots)
        self.context, like = model.context, model.embedding.weight
        shape = (config.num_layers, num_slots, 2 * config.num_kv_heads, model.context, config.d_head)
        self.memory = like.detach().new_zeros(shape)          # keys, then values, along the heads
        self.lengths = [0] * num_slots
        self._layers = [_Layer(block) for block in model.stack.blocks]
        self._output = _Linear(model.output)
        self._places = torch.zeros(num_slots, dtype=torch.long, device=like.device)
        self._rows = torch.arange(num_slots, device=like.device)
        self._range = torch.arange(model.context, device=like.device)
        self.sizes, self.exact = self._probe()

    @property
    def num_bytes(self) -> int:
        """Bytes of the keys and values, reserved once."""
        return self.memory.numel() * self.memory.element_size()

    @torch.inference_mode()
    def prefill(self, slot: int, tokens: list[int]) -> Tensor:
        """Read ``tokens`` after those that a slot already holds; return the logits [V] of the next one.

        One text at a time: dozens of tokens fill the processor's matrix units, and the result cannot depend on others.

        Raises:
            ValueError: no tokens, or more than fit into the context.
        """
        start = self.lengths[slot]
        if not tokens or start + len(tokens) > self.context:
            raise ValueError(f"a slot takes 1 … {self.context - start} more tokens, got {len(tokens)}")
        num_kv = self.model.config.num_kv_heads
        caches = [_OneSlot(layer[slot:slot + 1, :num_kv], layer[slot:slot + 1, num_kv:], start)
                  for layer in self.memory]
        new = torch.tensor([tokens], device=self.memory.device)
        x = self.model.stack(self.model.embedding(new), None, caches)
        self._advance(slot, len(tokens))
        return self._logits(x[0, -1:])[0]

    @torch.inference_mode()
    def step(self, slots: list[int], tokens: list[int]) -> Tensor:
        """Give each of ``slots`` one more token; return the logits [len(slots), V] of the ones after.

        Raises:
            ValueError: no slots, or one that is full.
        """
        full = [slot for slot in slots if self.lengths[slot] >= self.context]
        if not slots or full:
            raise ValueError(f"a step needs slots with room for a token, got {slots}, of which {full} are full")
        num = next(size for size in self.sizes if size > max(slots))
        new = [0] * num
        for slot, token in zip(slots, tokens, strict=True):
            new[slot] = token
        furthest = max(self.lengths[slot] for slot in slots)
        logits = self._forward(torch.tensor(new, device=self.memory.device), furthest)
        for slot in slots:
            self.lengths[slot] += 1
        chosen = torch.tensor(slots, device=self.memory.device)
        self._places[chosen] += 1
        return logits[chosen]

    def free(self, slot: int) -> None:
        """Forget the text of a slot."""
        self.lengths[slot] = 0
        self._places[slot] = 0

    def _advance(self, slot: int, num: int) -> None:
        self.lengths[slot] += num
        self._places[slot] += num

    def _forward(self, new: Tensor, furthest: int) -> Tensor:
        """Logits [N, V] of one token in each of the first N slots; what idle ones write is overwritten later."""
        model, config, num = self.model, self.model.config, len(new)
        rows, places = self._rows[:num], self._places[:num].clamp(max=self.context - 1)
        seen = min(self.context, _STRIDE * (furthest // _STRIDE + 1))
        mask = torch.zeros(num, 1, 1, seen, dtype=self.memory.dtype, device=new.device)
        mask.masked_fill_(self._range[:seen] > places[:, None, None, None], -torch.inf)
        x, turn = model.embedding.weight[new], None
        if config.positions == "learned":
            x = x + model.stack.positions.weight[places]
        elif config.positions == "sinusoidal":
            x = x + model.stack.waves[places]
        elif config.positions == "rotary":
            turn = model.stack.cosine[places][:, None], model.stack.sine[places][:, None]
        for layer, memory in zip(self._layers, self.memory, strict=True):
            mixed = self._attend(layer, memory[:num], layer.block.attention_norm(x), turn, rows, places, mask)
            x = x + layer.mixed(mixed)
            hidden = layer.rise(layer.block.feed_forward_norm(x))
            x = x + layer.fall(layer.block.feed_forward.activate(hidden))
        return self._logits(model.stack.norm(x))

    def _attend(
        self, layer: _Layer, memory: Tensor, x: Tensor, turn: tuple[Tensor, Tensor] | None, rows: Tensor,
        places: Tensor, mask: Tensor,
    ) -> Tensor:
        """What the heads of one layer bring to tokens [N, D]; their keys and values are kept in ``memory``."""
        c, num = self.model.config, len(x)
        found = layer.queries_keys_values(x).view(num, c.num_heads + 2 * c.num_kv_heads, c.d_head)
        turned, values = found[:, :-c.num_kv_heads], found[:, -c.num_kv_heads:]
        if c.normed_queries:
            turned = F.rms_norm(turned, (c.d_head,))
        if turn is not None:
            turned = rotate(turned, *turn)
        memory[rows, :, places] = torch.cat((turned[:, c.num_heads:], values), dim=1)
        q = turned[:, :c.num_heads].reshape(num, c.num_kv_heads, -1, c.d_head)   # heads that share keys stand in a row
        kept = memory[:, :, :mask.shape[-1]]
        mixed = F.scaled_dot_product_attention(q, kept[:, :c.num_kv_heads], kept[:, c.num_kv_heads:], attn_mask=mask)
        return mixed.reshape(num, -1)

    def _logits(self, x: Tensor) -> Tensor:
        logits, softcap = self._output(x).float(), self.model.softcap
        return logits if softcap is None else softcap * torch.tanh(logits / softcap)

    @torch.inference_mode()
    def _probe(self) -> tuple[list[int], bool]:
        """Numbers of rows whose products have the bits of the full number, and whether a row's place is without effect.

        Tried with random rows on each matrix of the first layer and on the last one.
        """
        generator = torch.Generator().manual_seed(0)
        first = self._layers[0]
        good, exact = set(range(1, self.num_slots + 1)), True
        for product in (first.queries_keys_values, first.mixed, first.rise, first.fall, self._output):
            for _ in range(_PROBES):
                x = torch.randn(self.num_slots, len(product.weight), generator=generator).to(product.weight)
                full = product(x)
                good = {num for num in good if torch.equal(product(x[:num]), full[:num])}
                exact = exact and torch.equal(product(x.flip(0)), full.flip(0))
        return sorted(good), exact
