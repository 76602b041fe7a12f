"""Training: the loop as a generator, ``fit``, many learning rates at once, optimisers, schedules, checkpoints.

``steps`` and ``fit`` are the same loop; a chapter uses ``steps`` where it wants to look inside, ``fit`` where it wants
the result. ``helpers.training.distributed`` spreads the loop over several processes and is imported by name.
"""

from helpers.training import augment, checkpoints, checks, muon, optimisers, schedules
from helpers.training.fit import Run, fit
from helpers.training.flops import flops_forward
from helpers.training.loop import Step, TrainingDiverged, steps
from helpers.training.losses import Score, evaluate
from helpers.training.sweep import Sweep, sweep

__all__ = [
    "Run",
    "Score",
    "Step",
    "Sweep",
    "TrainingDiverged",
    "augment",
    "checkpoints",
    "checks",
    "evaluate",
    "fit",
    "flops_forward",
    "muon",
    "optimisers",
    "schedules",
    "steps",
    "sweep",
]
