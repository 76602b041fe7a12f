"""Measures of predictions as pure functions, with intervals; lists, arrays and tensors are all accepted."""

from helpers.metrics.decisions import accuracy, confusion, f1, precision, recall
from helpers.metrics.intervals import Comparison, Interval, bootstrap, mcnemar, wilson
from helpers.metrics.scores import Calibration, Curve, average_precision, calibration, curve, roc_auc
from helpers.metrics.values import mae, mean_reciprocal_rank, mse, pass_at_k, recall_at_k

__all__ = ["Calibration", "Comparison", "Curve", "Interval", "accuracy", "average_precision", "bootstrap",
           "calibration", "confusion", "curve", "f1", "mae", "mcnemar", "mean_reciprocal_rank", "mse", "pass_at_k",
           "precision", "recall", "recall_at_k", "roc_auc", "wilson"]
