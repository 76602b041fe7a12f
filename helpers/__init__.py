"""Shared package of the course; each module is imported by name, for example ``from helpers import training``."""
