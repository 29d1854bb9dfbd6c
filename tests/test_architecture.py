"""The shape of the project holds: what may import what, and what nobody may call."""

import importlib


def test_both_packages_import() -> None:
    """Every other test stands on this."""
    assert importlib.import_module("engine").__doc__
    assert importlib.import_module("web").__doc__
