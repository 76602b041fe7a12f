"""Timed comparisons and recorded runs; never run by the tests."""
