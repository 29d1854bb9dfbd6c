"""Finds the assistant that MIDSTREAM_ASSISTANT names, and what to try it with."""

import importlib
import os
import sys
import traceback
from typing import Final

from engine import Assistant
from web.settings import SettingsError

_VARIABLE: Final = "MIDSTREAM_ASSISTANT"
_ALMANAC: Final = "almanac"
_SUGGESTIONS: Final = ("Check Hanukkah", "Actually Passover", "When is Easter in Rome?")


def load_assistant(name: str, *, pace_seconds: float) -> Assistant:
    """The built-in assistant of this name, or the one at `module:attribute`.

    Modules are looked for in the working directory first.  `pace_seconds` is for the built-in one.  Raises
    SettingsError, which says in one line what is wrong with the name or with the module.
    """
    if name == _ALMANAC:
        from engine.assistants.almanac import make_almanac  # its libraries take a moment

        return make_almanac(pace_seconds=pace_seconds)
    if not all(name.partition(":")):
        raise SettingsError(f"{_VARIABLE}: {name!r} is neither almanac nor of the form module:attribute")
    return _find(name)


def suggestions_for(name: str) -> tuple[str, ...]:
    """Messages to try this assistant with; none for one that we do not know."""
    return _SUGGESTIONS if name == _ALMANAC else ()


def _find(name: str) -> Assistant:
    module_name, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # an installed command does not have it there by itself
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever a module of somebody's own does
        raise SettingsError(f"{_VARIABLE}: {module_name} cannot be imported: {_one_line(error)}") from error
    assistant = getattr(module, attribute, None)
    if assistant is None:
        raise SettingsError(f"{_VARIABLE}: there is no {attribute} in {module_name} ({module.__file__})")
    if not isinstance(assistant, Assistant):
        kind = type(assistant).__name__
        raise SettingsError(f"{_VARIABLE}: {name} is of type {kind}; it must be an Assistant")
    return assistant


def _one_line(error: Exception) -> str:
    """What went wrong and where, as its author needs it."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    return f"{text} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else text
