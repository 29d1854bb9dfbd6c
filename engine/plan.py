"""What an assistant wants done: calls, the references between them, and the waves that follow.

Rule 1: a call depends on the calls its `Ref`s name and on those in `after`.
Rule 2: a wave holds every call whose dependencies are all settled; waves run one after the other.
Rule 3: whatever is wrong is a PlanError that names the call, raised before any wave of the plan.
"""

import graphlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from engine.errors import PlanError, ToolFailed
from engine.model import Outcome
from engine.texts import shortened
from engine.tools import Tool, from_json_form, to_json_form


class _NoDefault:
    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT: Final = _NoDefault()


@attrs.frozen(init=False)
class Ref:
    """The value of another call, or the part of it that `path` names (dict keys and list indexes).

    The path walks the value's JSON form.  With a `default`, a dependency that did not succeed and a path
    that is not there give the default; without one they skip or fail the call.
    """

    call_id: str
    path: tuple[str | int, ...]
    default: Any

    def __init__(self, call_id: str, *path: str | int, default: Any = NO_DEFAULT) -> None:
        self.__attrs_init__(call_id, path, default)

    @property
    def has_default(self) -> bool:
        """Whether this reference can do without its call."""
        return self.default is not NO_DEFAULT


@attrs.frozen(init=False)
class Call:
    """One tool with its arguments.

    `id` names the call within its operation; `tool` is what `@tool` made (or its name); `args` by
    parameter name, any of them a `Ref` or holding one; `after` names calls that must have succeeded first.
    """

    id: str
    tool: str
    args: Mapping[str, Any] = attrs.field(repr=False)
    after: tuple[str, ...]
    # Every reference in the arguments, however deep.
    refs: tuple[Ref, ...] = attrs.field(init=False, repr=False, eq=False)
    # The ids of the calls that must be settled before this one.
    dependencies: frozenset[str] = attrs.field(init=False, repr=False, eq=False)

    def __init__(
        self, id: str, tool: Tool | str, args: Mapping[str, Any] | None = None, after: Sequence[str] = ()
    ) -> None:
        if not isinstance(id, str) or not id:
            raise PlanError(f"a call's id must be a text that is not empty, not {id!r}")
        if not isinstance(tool, Tool | str):
            raise PlanError(f"call {id!r}: {tool!r} is not a tool; decorate it with @tool(timeout=...)")
        if isinstance(after, str):
            raise PlanError(f"call {id!r}: after must be a list of call ids; write after=[{after!r}]")
        if args is not None and not (isinstance(args, Mapping) and all(isinstance(key, str) for key in args)):
            raise PlanError(f"call {id!r}: its arguments must be a dict by parameter name")
        name = tool.name if isinstance(tool, Tool) else tool
        self.__attrs_init__(id, name, dict(args or {}), tuple(after))
        refs = tuple(_refs(self.args))
        object.__setattr__(self, "refs", refs)  # as attrs itself does in a frozen class
        object.__setattr__(self, "dependencies", frozenset(self.after).union(ref.call_id for ref in refs))


def _refs(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _refs(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _refs(item)


class Plan:
    """Calls with dependencies.  `Plan(call, call, ...)`; checks duplicate ids and cycles at once.

    References to calls of an earlier plan of the same operation are checked when the plan is accepted.
    """

    __slots__ = ("_waves", "calls")

    def __init__(self, *calls: Call) -> None:
        ids: set[str] = set()
        for call in calls:
            if not isinstance(call, Call):
                raise PlanError(f"a plan is made of calls: write Plan(Call(...), Call(...)), not {call!r}")
            if call.id in ids:
                raise PlanError(f"call {call.id!r}: the plan has two calls of that id")
            ids.add(call.id)
        self.calls: Final = calls
        self._waves: Final = waves(calls)

    def waves(self) -> tuple[tuple[Call, ...], ...]:
        """The calls in waves, each in the order the plan names them."""
        return self._waves

    def __repr__(self) -> str:
        return f"Plan({', '.join(call.id for call in self.calls)})"


def waves(calls: Sequence[Call]) -> tuple[tuple[Call, ...], ...]:
    """The calls in waves; what they depend on outside of `calls` counts as settled.

    Raises PlanError naming the calls of a cycle.
    """
    by_id = {call.id: call for call in calls}
    graph = {call.id: [other for other in call.dependencies if other in by_id] for call in calls}
    sorter = graphlib.TopologicalSorter(graph)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise PlanError(f"the calls depend on each other in a circle: {' -> '.join(error.args[1])}") from None
    result = []
    while sorter.is_active():
        ready = set(sorter.get_ready())
        result.append(tuple(call for call in calls if call.id in ready))
        sorter.done(*ready)
    return tuple(result)


def first_wave(calls: Sequence[Call]) -> tuple[Call, ...]:
    """Those of `waves(calls)` that come first; of calls that are known to make no circle."""
    ids = {call.id for call in calls}
    return tuple(call for call in calls if ids.isdisjoint(call.dependencies))


def accept(
    plan: Any,
    *,
    known: Collection[str],
    tools: Mapping[str, Tool],
    calls_max: int,
    replaced: Collection[str] = (),
) -> tuple[Call, ...]:
    """The calls of a plan as they are recorded and run, literal arguments in their JSON form.

    `known` are the call ids of the operation's earlier plans: they may be referred to and not used again.
    `replaced` are those of calls that this plan takes the place of: they may be used again, and a call that
    refers to one that is not is skipped.  Raises PlanError naming the call for anything that could not run.
    """
    if not isinstance(plan, Plan):
        raise PlanError(f"a planner returns a Plan, not {plan!r:.80}")
    ids = {call.id for call in plan.calls}
    if len(ids.union(known, replaced)) > calls_max:
        raise PlanError(f"the plan has too many calls: an operation may have {calls_max} (calls_max)")
    for call in plan.calls:
        if call.id in known:
            raise PlanError(
                f"call {call.id!r}: an earlier plan of this operation used that id; choose another"
            )
        for other in sorted(call.dependencies):
            if other not in ids and other not in known and other not in replaced:
                raise PlanError(f"call {call.id!r}: it depends on {other!r}, and there is no such call")
    return tuple(_storable(call, tools) for call in plan.calls)


def _storable(call: Call, tools: Mapping[str, Tool]) -> Call:
    if call.tool not in tools:
        raise PlanError(
            f"call {call.id!r}: the assistant has no tool {call.tool!r}; add it to Assistant(tools=...)"
        )
    tool = tools[call.tool]
    if wrong := tool.wrong_names(call.args.keys()):
        raise PlanError(f"call {call.id!r}: {wrong}")
    args = {}
    for name, value in call.args.items():
        try:
            args[name] = _json_form(value, tool.parameters[name])
        except Exception as error:  # whatever an argument's own type raises
            raise PlanError(f"call {call.id!r}: argument {name!r} cannot be stored: {error}") from error
    return Call(call.id, call.tool, args, call.after)


def _json_form(value: Any, annotation: Any) -> Any:
    """Literals in JSON form, references as they are.  The annotation says how when there is no reference."""
    if not any(True for _ in _refs(value)):
        raw = to_json_form(value)
        from_json_form(raw, annotation)
        return raw
    if isinstance(value, Ref):
        default = to_json_form(value.default) if value.has_default else NO_DEFAULT
        return Ref(value.call_id, *value.path, default=default)
    if isinstance(value, Mapping):
        return {str(key): _json_form(item, Any) for key, item in value.items()}
    return [_json_form(item, Any) for item in value]


def blocked_by(call: Call, outcomes: Mapping[str, Outcome]) -> str | None:
    """Why this call must be skipped, naming the dependency that did not succeed; None when it may run."""
    needed = set(call.after) | {ref.call_id for ref in call.refs if not ref.has_default}
    for other in sorted(needed):
        if not outcomes[other].succeeded:
            return shortened(f"{other!r} {outcomes[other].reason}")
    return None


def resolve(value: Any, outcomes: Mapping[str, Outcome]) -> Any:
    """The arguments with each `Ref` replaced by the JSON form of what it names.

    Raises ToolFailed naming the reference when a path is missing or a value was lost, and there is no
    default.
    """
    if isinstance(value, Ref):
        return _follow(value, outcomes[value.call_id])
    if isinstance(value, Mapping):
        return {key: resolve(item, outcomes) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, outcomes) for item in value]
    return value


def _follow(ref: Ref, outcome: Outcome) -> Any:
    if not outcome.succeeded or outcome.value_lost:
        if ref.has_default:
            return ref.default
        raise ToolFailed(f"the value of {ref.call_id!r} is not there: {outcome.reason}")
    value = outcome.raw
    for step in ref.path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            if ref.has_default:
                return ref.default
            path = "".join(f"[{part!r}]" for part in ref.path)
            raise ToolFailed(f"the value of {ref.call_id!r} has no {path}") from None
    return value
