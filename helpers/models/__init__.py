"""Models of the course, one family a file; every constructor takes ``seed`` and leaves the global generator alone."""

from helpers.models._count import count
from helpers.models.cnn import CNN
from helpers.models.linear import Linear, Softmax
from helpers.models.mlp import MLP

__all__ = ["CNN", "MLP", "Linear", "Softmax", "count"]
