"""Convolutional network for images."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import Tensor, nn

from helpers import device
from helpers.models._count import Counted, checked_dropout, checked_size


class Block(nn.Module):
    """A 3×3 convolution that keeps the shape, and ReLU; optionally normalised, optionally added to its input.

    Source: he2016, ioffe2015. Derived in: book/algorithms/convolution.

    Arguments:
        num_channels: channels in and out.
        batch_norm: normalise between the convolution and ReLU.
        residual: return x + block(x) instead of block(x).
    """

    def __init__(self, num_channels: int, *, batch_norm: bool = False, residual: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(num_channels, num_channels, 3, padding=1),
                                    *([nn.BatchNorm2d(num_channels)] if batch_norm else []), nn.ReLU())
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Values [examples, num_channels, height, width] in the shape of ``x``."""
        return x + self.layers(x) if self.residual else self.layers(x)


class CNN(Counted, nn.Module):
    """Convolutional network: stages of 3×3 convolution, ReLU and 2×2 max-pooling, then a dense head.

    Derived in: book/algorithms/convolution.

    Arguments:
        in_channels: channels of the image (1 grey, 3 colour).
        channels: channels after each stage, for example [32, 64, 128].
        num_outputs: number of outputs (logits of the classes; 1 for a binary task).
        image_size: height and width of the images in pixels.
        hidden: width of the dense layer before the output; None leaves it out.
        padding: "same" keeps the size in a convolution, "valid" loses a pixel on each side.
        global_pool: average over all positions before the dense head, so that it needs few parameters.
        batch_norm: normalise after each convolution over the batch.
        dropout: probability of dropping a value before each dense layer, in [0, 1).
        num_blocks: further convolutions of the same width before the pooling of each stage, one number for all stages
            or a list with one for each; see ``Block``.
        residual: each of these adds its input to its output.
        shrink: average blocks of shrink × shrink pixels before the first stage; 1 leaves the image as it is.
        seed: start of the random initial weights.

    Raises:
        ValueError: a size below 1 (num_blocks: below 0), residual without num_blocks, images too small for the stages,
            an unknown padding, a dropout outside [0, 1), or at the call images of another shape.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        num_outputs: int,
        *,
        image_size: int,
        hidden: int | None = 128,
        padding: str = "same",
        global_pool: bool = False,
        batch_norm: bool = False,
        dropout: float = 0.0,
        num_blocks: int | Sequence[int] = 0,
        residual: bool = False,
        shrink: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if isinstance(channels, (int, str)) or len(channels) == 0:
            raise ValueError(f"channels must be a list such as [32, 64], got {channels!r}")
        if padding not in ("same", "valid"):
            raise ValueError(f"unknown padding {padding!r}: use 'same' or 'valid'")
        checked_dropout(dropout)
        blocks = [num_blocks] * len(channels) if isinstance(num_blocks, int) else list(num_blocks)
        if len(blocks) != len(channels) or any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in blocks):
            raise ValueError(f"num_blocks must be a whole number of at least 0, or one for each of the {len(channels)} "
                             f"stages, got {num_blocks!r}")
        if residual and not any(blocks):
            raise ValueError("residual=True needs num_blocks of at least 1: there is no block to add its input to")
        self.image_shape = (checked_size("in_channels", in_channels), *[checked_size("image_size", image_size)] * 2)
        widths = [in_channels, *[checked_size("a number in channels", width) for width in channels]]
        size = image_size // checked_size("shrink", shrink)
        stages: list[nn.Module] = [nn.AvgPool2d(shrink)] if shrink > 1 else []
        with device.seeded(seed):
            for before, after, num in zip(widths[:-1], widths[1:], blocks, strict=True):
                size = (size if padding == "same" else size - 2) // 2
                if size < 1:
                    raise ValueError(
                        f"images of {image_size}×{image_size} pixels are too small for {len(channels)} stages: "
                        "use fewer channels in the list or larger images"
                    )
                stages.append(nn.Conv2d(before, after, 3, padding=1 if padding == "same" else 0))
                stages += [nn.BatchNorm2d(after)] if batch_norm else []
                stages += [nn.ReLU()]
                stages += [Block(after, batch_norm=batch_norm, residual=residual) for _ in range(num)]
                stages += [nn.MaxPool2d(2)]
            stages += [nn.AdaptiveAvgPool2d(1)] if global_pool else []
            num_features = widths[-1] * (1 if global_pool else size * size)
            head: list[nn.Module] = [nn.Flatten()]
            drop = [nn.Dropout(dropout)] if dropout else []
            if hidden is not None:
                head += [*drop, nn.Linear(num_features, checked_size("hidden", hidden)), nn.ReLU()]
            head += [*drop, nn.Linear(hidden or num_features, checked_size("num_outputs", num_outputs))]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(*head)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [examples, num_outputs] for images ``x`` [examples, in_channels, image_size, image_size]."""
        if x.ndim != 4 or tuple(x.shape[1:]) != self.image_shape:
            wanted = ", ".join(map(str, self.image_shape))
            raise ValueError(f"CNN expects images [examples, {wanted}], got {list(x.shape)}")
        return self.head(self.stages(x))


def fold(model: nn.Module) -> nn.Module:
    """Return a copy without batch normalisation that computes what ``model`` computes in eval mode.

    Each ``BatchNorm2d`` that follows a ``Conv2d`` in an ``nn.Sequential`` becomes part of its weights and biases.
    Source: ioffe2015. Derived in: book/algorithms/convolution.

    Raises:
        ValueError: a BatchNorm2d does not follow a convolution.
    """
    folded = copy.deepcopy(model).eval()
    for part in [one for one in folded.modules() if isinstance(one, nn.Sequential)]:
        kept: list[nn.Module] = []
        for layer in part:
            if not isinstance(layer, nn.BatchNorm2d):
                kept.append(layer)
                continue
            if not kept or not isinstance(kept[-1], nn.Conv2d):
                raise ValueError("fold needs a Conv2d directly before every BatchNorm2d, found "
                                 f"{type(kept[-1]).__name__ if kept else 'nothing'} there")
            factor = (layer.weight / (layer.running_var + layer.eps).sqrt()).detach()
            convolution = kept[-1]
            before = 0 if convolution.bias is None else convolution.bias.detach()
            convolution.weight = nn.Parameter(convolution.weight.detach() * factor[:, None, None, None])
            convolution.bias = nn.Parameter(factor * (before - layer.running_mean) + layer.bias.detach())
        for name in list(part._modules):
            del part._modules[name]
        for position, layer in enumerate(kept):
            part.add_module(str(position), layer)
    return folded
