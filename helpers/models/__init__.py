"""Models of the course, one family a file; every constructor takes ``seed`` and leaves the global generator alone."""

from helpers.models._count import count
from helpers.models.cnn import CNN
from helpers.models.linear import Linear, Softmax
from helpers.models.mlp import MLP
from helpers.models.recurrent import Recurrent
from helpers.models.transformer import Decoder, Encoder, VisionTransformer

__all__ = ["CNN", "MLP", "Decoder", "Encoder", "Linear", "Recurrent", "Softmax", "VisionTransformer", "count"]
