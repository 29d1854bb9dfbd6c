"""What a tool is: its name, schema, timeout, idempotence and undo, and how values cross the store.

Rule 1: a tool is an async function, or a plain one that runs in a worker thread.
Rule 2: arguments and results cross the store as JSON, through their annotations, whether or not a crash
lies between: what a plan sees is what it would see after a restart.
"""

import inspect
import math
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

import attrs
import msgspec
from cattrs import BaseValidationError, transform_error
from cattrs.preconf.msgspec import make_converter

from engine.errors import AssistantError, ToolFailed
from engine.model import User

_converter: Final = make_converter()


def _strict(*accepted: type) -> Callable[[Any, Any], Any]:
    """A structure hook that takes what it is given or refuses; the library's own turns None into "None"."""

    def structure(value: Any, target: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
            raise TypeError(f"expected {target.__name__}, got {value!r:.80}")
        return target(value)

    return structure


for _target, _accepted in ((str, (str,)), (int, (int,)), (float, (float, int)), (bool, (bool,))):
    _converter.register_structure_hook(_target, _strict(*_accepted))


def to_json_form(value: Any, annotation: Any = Any) -> Any:
    """`value` as JSON holds it (dicts, lists, texts, numbers).  Raises when it cannot be stored."""
    plain = _converter.unstructure(value, unstructure_as=None if annotation is Any else annotation)
    return msgspec.json.decode(msgspec.json.encode(plain))


def from_json_form(raw: Any, annotation: Any = Any) -> Any:
    """The value that `raw` is the JSON form of.  Raises ToolFailed, in one line, when it does not fit."""
    if annotation is Any:
        return raw
    try:
        return _converter.structure(raw, annotation)
    except BaseValidationError as error:
        raise ToolFailed("; ".join(transform_error(error))) from error
    except Exception as error:  # a foreign type's own hook may raise anything
        raise ToolFailed(f"{type(error).__name__}: {error}") from error


def json_size(raw: Any) -> int:
    """How many bytes a value in JSON form takes."""
    return len(msgspec.json.encode(raw))


@attrs.frozen(kw_only=True)
class ToolContext:
    """What a tool may know of where it runs.

    `idempotency_key` is the same for every attempt at one call, over retries and restarts: hand it to
    whatever the tool calls, so that acting twice has no second effect.
    """

    user: User
    idempotency_key: str
    credentials: Mapping[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.frozen(eq=False, kw_only=True)
class Tool:
    """What `@tool` makes of a function.  Calling it calls the function, as a unit test would.

    `timeout` is seconds for all attempts together; `parameters` and `returns` are annotations; `title` is
    what users are told that it does, empty when they are not told of it.
    """

    name: str
    function: Callable[..., Any] = attrs.field(repr=False)
    description: str = attrs.field(repr=False)
    timeout: float
    idempotent: bool
    retries: int
    undo: Callable[..., Any] | None = attrs.field(repr=False)
    reusable_seconds: float = 0.0
    title: str = ""
    parameters: Mapping[str, Any] = attrs.field(repr=False)
    required: frozenset[str] = attrs.field(repr=False)
    returns: Any = attrs.field(repr=False)
    takes_context: bool = attrs.field(repr=False)

    @property
    def is_async(self) -> bool:
        """Whether the function runs on the event loop; otherwise it takes a worker thread."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def schema(self) -> dict[str, Any]:
        """Name, description and parameters as JSON Schema: what a language model is shown."""
        names = list(self.parameters)
        schemas, definitions = msgspec.json.schema_components(
            [self.parameters[name] for name in names], ref_template="#/$defs/{name}"
        )
        parameters: dict[str, Any] = {
            "type": "object",
            "properties": dict(zip(names, schemas, strict=True)),
            "required": [name for name in names if name in self.required],
            "additionalProperties": False,
        }
        if definitions:
            parameters["$defs"] = definitions
        return {"name": self.name, "description": self.description, "parameters": parameters}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def wrong_names(self, names: typing.Collection[str]) -> str | None:
        """What is wrong with arguments of these names, in words; None when nothing is."""
        for name in names:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                return f"tool {self.name!r} has no parameter {name!r}; it has: {known}"
        for name in self.parameters:
            if name in self.required and name not in names:
                return f"tool {self.name!r} needs the argument {name!r}"
        return None

    def arguments(self, raw: Mapping[str, Any], context: ToolContext) -> dict[str, Any]:
        """The keyword arguments for one call.  Raises ToolFailed naming the argument that does not fit."""
        if wrong := self.wrong_names(raw.keys()):
            raise ToolFailed(wrong)
        arguments = {}
        for name, value in raw.items():
            try:
                arguments[name] = from_json_form(value, self.parameters[name])
            except ToolFailed as error:
                raise ToolFailed(f"argument {name!r} of tool {self.name!r}: {error}") from error
        return {**arguments, "context": context} if self.takes_context else arguments


def tool(
    timeout: float,
    *,
    idempotent: bool = False,
    retries: int = 0,
    undo: Callable[..., Any] | None = None,
    reusable_seconds: float = 0,
    title: str | None = None,
) -> Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function.  Its name, parameters and docstring become what a planner sees.

    `timeout`: seconds that all attempts at a call may take together.  `idempotent`: acting twice with the
    same idempotency key has no second effect, so a call that a crash cut off is run again.  `retries`: how
    many more times a call that raised is tried; only for idempotent tools.  A parameter named `context`
    receives the `ToolContext` and is no part of the schema.

    `undo(args, outcome, context)`, async or plain, takes the act back.  It must be idempotent: it may be
    called again after a crash, and for a call of which nobody knows whether it acted.  `args` are the call's
    arguments by name; `context.idempotency_key` is the key that the call had.

    `reusable_seconds`: a call with the same arguments as one that succeeded in a superseded request, at most
    so long ago, takes over its outcome instead of being made.  `title`: what the user is told was done, as
    "a table booked"; None: the name with spaces; empty: nothing is said of it.

    Raises AssistantError when the function cannot be a tool.
    """
    if callable(timeout):
        raise AssistantError("@tool needs a timeout in seconds: write @tool(timeout=...)")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
        raise AssistantError(f"@tool(timeout=...) must be a number of seconds above zero, not {timeout!r}")
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise AssistantError(f"@tool(retries=...) must be a whole number, zero or more, not {retries!r}")
    if retries and not idempotent:
        raise AssistantError("@tool(retries=...) needs idempotent=True: a retry acts on the world again")
    if undo is not None and not callable(undo):
        raise AssistantError(f"@tool(undo=...) must be a function, not {undo!r}")
    if isinstance(reusable_seconds, bool) or not (
        isinstance(reusable_seconds, int | float) and 0 <= reusable_seconds < math.inf
    ):
        raise AssistantError(
            f"@tool(reusable_seconds=...) must be a number of seconds, zero or more, not {reusable_seconds!r}"
        )
    if title is not None and not isinstance(title, str):
        raise AssistantError(f"@tool(title=...) must be a text, not {title!r}")

    def decorate(function: Callable[..., Any]) -> Tool:
        parameters, required, takes_context = _parameters(function)
        return Tool(
            name=function.__name__,
            function=function,
            description=inspect.getdoc(function) or "",
            timeout=float(timeout),
            idempotent=idempotent,
            retries=retries,
            undo=undo,
            reusable_seconds=float(reusable_seconds),
            title=function.__name__.replace("_", " ") if title is None else title,
            parameters=parameters,
            required=required,
            returns=_hints(function).get("return", Any),
            takes_context=takes_context,
        )

    return decorate


def _parameters(function: Callable[..., Any]) -> tuple[dict[str, Any], frozenset[str], bool]:
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        _refuse(function, "it yields; a tool returns one result")
    hints = _hints(function)
    parameters: dict[str, Any] = {}
    required = set()
    takes_context = False
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            _refuse(function, f"its parameter {name!r} cannot be given by name")
        if name == "context":
            takes_context = True
            continue
        parameters[name] = hints.get(name, Any)
        if parameter.default is parameter.empty:
            required.add(name)
    return parameters, frozenset(required), takes_context


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        _refuse(function, f"its annotations cannot be read: {error}", error)
    # A tool that returns nothing has nothing to convert.
    return {name: Any if hint is type(None) else hint for name, hint in hints.items()}


def _refuse(function: Callable[..., Any], why: str, cause: BaseException | None = None) -> NoReturn:
    raise AssistantError(f"{function.__qualname__} cannot be a tool: {why}") from cause
