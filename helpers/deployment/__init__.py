"""Putting a model to work: export, an engine that serves many requests at once, the HTTP service, monitoring."""
