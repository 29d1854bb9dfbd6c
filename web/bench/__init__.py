"""Measures what things cost here, each beside its rival in one run."""
