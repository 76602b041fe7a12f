"""Settings that every test shares: one thread, CPU, float32; tests of the built pages are marked as such."""

import os
from pathlib import Path

os.environ.update({"HELPERS_DEVICE": "cpu", "HELPERS_PRECISION": "float32"})
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import pytest  # noqa: E402

BROWSER = Path(__file__).parent / "browser"


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(BROWSER):
            item.add_marker(pytest.mark.built)
