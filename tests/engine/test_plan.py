"""Calls, references and the waves that follow from them; whatever is wrong names the call."""

import datetime
import itertools
from collections.abc import Collection
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Call, Outcome, Plan, PlanError, Ref, Status, ToolContext, ToolFailed, tool
from engine.plan import NO_DEFAULT, accept, blocked_by, resolve, waves


@tool(timeout=5)
async def look(x: Any = None, y: Any = None) -> Any:
    """Looks."""


@tool(timeout=5)
async def book(day: datetime.date, people: int = 2, *, context: ToolContext) -> str:
    """Books."""
    return f"{day} for {people}"


TOOLS = {"look": look, "book": book}
DAY = datetime.date(2026, 12, 4)


def ids(waves: tuple[tuple[Call, ...], ...]) -> list[list[str]]:
    """The waves by the ids of their calls."""
    return [[call.id for call in wave] for wave in waves]


# A reference --------------------------------------------------------------------------------------


def test_a_reference_names_a_call_and_a_way_into_its_value() -> None:
    """Dict keys and list indexes, in order."""
    ref = Ref("tables", "free", 0)
    assert (ref.call_id, ref.path) == ("tables", ("free", 0))
    assert Ref("tables").path == ()


@pytest.mark.parametrize("default", [None, 0, "", [], False])
def test_any_value_can_be_a_default_also_an_empty_one(default: Any) -> None:
    """None is a default like any other; only no default is none."""
    assert Ref("a", default=default).has_default
    assert Ref("a", default=default).default == default
    assert not Ref("a").has_default


def test_references_are_equal_by_what_they_say() -> None:
    """With and without a default are two things."""
    assert Ref("a", "b", default=1) == Ref("a", "b", default=1)
    assert Ref("a") == Ref("a")
    assert Ref("a") != Ref("a", default=None)
    assert Ref("a", 0) != Ref("a", "0")
    assert repr(Ref("a", 0)) == "Ref(call_id='a', path=(0,), default=NO_DEFAULT)"


# A call -------------------------------------------------------------------------------------------


def test_a_call_holds_its_tool_by_name() -> None:
    """The decorated function and its name are the same call: that is what the store keeps."""
    assert Call("a", look, {"x": 1}) == Call("a", "look", {"x": 1})
    call = Call("a", look, {"x": 1}, after=["b", "c"])
    assert (call.id, call.tool, call.args, call.after) == ("a", "look", {"x": 1}, ("b", "c"))
    assert (Call("a", look).args, Call("a", look).after) == ({}, ())


def test_a_call_keeps_its_own_arguments() -> None:
    """A planner that goes on filling its dict changes no call that it has made."""
    args = {"x": 1}
    call = Call("a", look, args)
    args["y"] = 2
    assert call.args == {"x": 1}


def test_arguments_are_not_shown() -> None:
    """What a user said stays out of log lines."""
    assert repr(Call("a", look, {"x": "secret"}, ["b"])) == "Call(id='a', tool='look', after=('b',))"


def plain_function() -> None:
    """Not decorated."""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("", look), "a call's id must be a text that is not empty, not ''"),
        ((5, look), "a call's id must be a text that is not empty, not 5"),
        ((None, look), "a call's id must be a text that is not empty, not None"),
        (("a", None), "call 'a': None is not a tool; decorate it with @tool(timeout=...)"),
        (("a", look, {}, "bc"), "call 'a': after must be a list of call ids; write after=['bc']"),
        (("a", look, [1]), "call 'a': its arguments must be a dict by parameter name"),
        (("a", look, "x"), "call 'a': its arguments must be a dict by parameter name"),
        (("a", look, {1: "x"}), "call 'a': its arguments must be a dict by parameter name"),
        (("a", look, []), "call 'a': its arguments must be a dict by parameter name"),
    ],
)
def test_what_is_not_a_call_is_refused_by_its_name(arguments: tuple[Any, ...], text: str) -> None:
    """Rule 3: where it is written, not where it is run."""
    with pytest.raises(PlanError) as refusal:
        Call(*arguments)
    assert str(refusal.value) == text


def test_a_function_that_is_no_tool_is_refused_with_the_remedy() -> None:
    """The commonest slip: the decorator was forgotten."""
    pattern = r"^call 'a': <function plain_function at 0x\w+> is not a tool; decorate it with @tool\(timeout="
    with pytest.raises(PlanError, match=pattern):
        Call("a", plain_function)  # type: ignore[arg-type]


def test_a_call_depends_on_what_its_references_and_its_after_name() -> None:
    """Rule 1: however deep the reference stands in dicts, lists and tuples."""
    call = Call(
        "z",
        look,
        {"x": {"deep": [1, (Ref("a"), {"deeper": Ref("b", "k", default=None)})]}, "y": Ref("a", 0)},
        after=["c"],
    )
    assert call.refs == (Ref("a"), Ref("b", "k", default=None), Ref("a", 0))
    assert call.dependencies == {"a", "b", "c"}
    assert Call("z", look, {"x": "a"}).dependencies == frozenset()


# A plan and its waves -----------------------------------------------------------------------------


def test_a_wave_holds_every_call_whose_dependencies_are_settled() -> None:
    """Rule 2: a diamond takes three waves, and each keeps the plan's order."""
    plan = Plan(
        Call("end", look, {"x": [Ref("left"), Ref("right")]}),
        Call("right", look, {"x": Ref("start")}),
        Call("left", look, after=["start"]),
        Call("start", look),
        Call("alone", look),
    )
    assert ids(plan.waves()) == [["start", "alone"], ["right", "left"], ["end"]]
    assert [call.id for call in plan.calls] == ["end", "right", "left", "start", "alone"]


def test_a_plan_without_calls_has_no_waves() -> None:
    """A planner that needs nothing says so with an empty plan."""
    assert Plan().waves() == ()
    assert repr(Plan()) == "Plan()"


def test_a_plan_shows_the_ids_of_its_calls() -> None:
    """And no arguments."""
    assert repr(Plan(Call("a", look, {"x": "secret"}), Call("b", look))) == "Plan(a, b)"


def test_what_stands_outside_of_the_plan_counts_as_settled() -> None:
    """A later plan refers to calls that an earlier one has run."""
    plan = Plan(Call("b", look, {"x": Ref("earlier")}), Call("c", look, after=["b", "earlier"]))
    assert ids(plan.waves()) == [["b"], ["c"]]
    assert ids(waves(plan.calls[1:])) == [["c"]]


@pytest.mark.parametrize(
    ("calls", "text"),
    [
        (
            (Call("a", look), Call("b", look), Call("a", look)),
            "call 'a': the plan has two calls of that id",
        ),
        (
            (Call("a", look, {"x": Ref("a")}),),
            "the calls depend on each other in a circle: a -> a",
        ),
        (
            (Call("a", look, after=["b"]), Call("b", look, {"x": Ref("a")})),
            "the calls depend on each other in a circle: a -> b -> a",
        ),
        (
            (
                Call("z", look),
                Call("a", look, after=["b"]),
                Call("b", look, after=["c"]),
                Call("c", look, {"x": [Ref("a", default=1)]}),
            ),
            "the calls depend on each other in a circle: a -> c -> b -> a",
        ),
        (
            ("look",),
            "a plan is made of calls: write Plan(Call(...), Call(...)), not 'look'",
        ),
        (
            ([Call("a", look)],),
            "a plan is made of calls: write Plan(Call(...), Call(...)), not "
            "[Call(id='a', tool='look', after=())]",
        ),
    ],
)
def test_what_is_not_a_plan_is_refused_by_its_name(calls: tuple[Any, ...], text: str) -> None:
    """Rule 3: at once, and the calls of a circle in the order of the circle."""
    with pytest.raises(PlanError) as refusal:
        Plan(*calls)
    assert str(refusal.value) == text


def test_no_default_has_a_name() -> None:
    """It shows in the repr of every reference."""
    assert repr(NO_DEFAULT) == "NO_DEFAULT"


# Any plan at all ----------------------------------------------------------------------------------


@st.composite
def plans_without_circles(draw: st.DrawFn) -> tuple[Call, ...]:
    """Calls in any order; each depends on any of those that were made before it, in either way."""
    calls: list[Call] = []
    for number in range(draw(st.integers(0, 9))):
        made = [call.id for call in calls]
        others = st.lists(st.sampled_from(made), max_size=4) if made else st.just([])
        refs = [Ref(other) for other in draw(others)]
        calls.append(Call(f"c{number}", look, {"x": {"deep": refs}}, draw(others)))
    return tuple(draw(st.permutations(calls)))


@given(calls=plans_without_circles())
def test_every_call_is_in_the_earliest_wave_that_it_can_be_in(calls: tuple[Call, ...]) -> None:
    """Rule 2: right after the last of its dependencies, neither sooner nor later."""
    number = {call.id: place for place, wave in enumerate(Plan(*calls).waves()) for call in wave}
    assert sorted(number) == sorted(call.id for call in calls)
    for call in calls:
        assert number[call.id] == 1 + max((number[other] for other in call.dependencies), default=-1)


@given(calls=plans_without_circles())
def test_the_waves_hold_every_call_once_in_the_order_of_the_plan(calls: tuple[Call, ...]) -> None:
    """The same plan runs the same way after a restart."""
    result = Plan(*calls).waves()
    assert sorted(call.id for wave in result for call in wave) == sorted(call.id for call in calls)
    assert all(wave == tuple(call for call in calls if call in wave) and wave for wave in result)


@given(calls=plans_without_circles(), data=st.data())
def test_one_reference_back_makes_a_circle_that_is_found(
    calls: tuple[Call, ...], data: st.DataObject
) -> None:
    """Rule 3: wherever the circle is, the refusal names it from end to end."""
    linked = [call for call in calls if call.dependencies]
    if not linked:
        return
    call = data.draw(st.sampled_from(linked))
    first = data.draw(st.sampled_from(sorted(call.dependencies)))
    closed = tuple(
        Call(other.id, look, other.args, [*other.after, call.id]) if other.id == first else other
        for other in calls
    )
    with pytest.raises(PlanError, match="in a circle") as refusal:
        Plan(*closed)
    circle = str(refusal.value).removeprefix("the calls depend on each other in a circle: ").split(" -> ")
    dependencies = {other.id: other.dependencies for other in closed}
    assert circle[0] == circle[-1]
    assert all(before in dependencies[after] for before, after in itertools.pairwise(circle))


# Acceptance ---------------------------------------------------------------------------------------


def accepted(*calls: Call, known: Collection[str] = (), calls_max: int = 9) -> tuple[Call, ...]:
    """The calls of a plan as they are recorded."""
    return accept(Plan(*calls), known=known, tools=TOOLS, calls_max=calls_max)


def test_a_plan_is_accepted_with_its_literals_in_json_form() -> None:
    """What is run is what was recorded: dates are texts, tuples are lists, references stay."""
    a = Call("a", book, {"day": DAY, "people": 3})
    b = Call("b", "look", {"x": (DAY, {1: Ref("a", "k")}), "y": Ref("a", default=(DAY,))}, ["a"])
    assert accepted(a, b) == (
        Call("a", "book", {"day": "2026-12-04", "people": 3}),
        Call(
            "b",
            "look",
            {"x": ["2026-12-04", {"1": Ref("a", "k")}], "y": Ref("a", default=["2026-12-04"])},
            ["a"],
        ),
    )
    assert accepted() == ()


def test_what_was_accepted_can_be_accepted_again() -> None:
    """JSON form is the same in JSON form: a restart reads what a first run wrote."""
    first = accepted(Call("a", book, {"day": DAY}), Call("b", look, {"x": [DAY, Ref("a")]}))
    assert accepted(*first) == first


def test_a_later_plan_may_refer_to_calls_of_earlier_ones() -> None:
    """By reference and by `after`; they are not run again."""
    calls = accepted(Call("c", look, {"x": Ref("a")}), Call("d", look, after=["b"]), known={"a", "b"})
    assert [call.id for call in calls] == ["c", "d"]


def test_an_operation_may_have_as_many_calls_as_its_bound_says() -> None:
    """Those of earlier plans count."""
    two = (Call("c", look), Call("d", look))
    assert accepted(*two, known=["a", "b"], calls_max=4) == two
    with pytest.raises(PlanError) as refusal:
        accepted(*two, known=["a", "b"], calls_max=3)
    assert str(refusal.value) == "the plan has too many calls: an operation may have 3 (calls_max)"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (Call("old", look), "call 'old': an earlier plan of this operation used that id; choose another"),
        (Call("a", look, {"x": [Ref("b")]}), "call 'a': it depends on 'b', and there is no such call"),
        (Call("a", look, after=["z", "b"]), "call 'a': it depends on 'b', and there is no such call"),
        (
            Call("a", look, {"x": Ref("b", default=1)}),
            "call 'a': it depends on 'b', and there is no such call",
        ),
        (
            Call("a", "vanish"),
            "call 'a': the assistant has no tool 'vanish'; add it to Assistant(tools=...)",
        ),
        (Call("a", look, {"z": 1}), "call 'a': tool 'look' has no parameter 'z'; it has: x, y"),
        (Call("a", book), "call 'a': tool 'book' needs the argument 'day'"),
        (
            Call("a", book, {"day": DAY, "context": 1}),
            "call 'a': tool 'book' has no parameter 'context'; it has: day, people",
        ),
        (
            Call("a", look, {"x": object()}),
            "call 'a': argument 'x' cannot be stored: Encoding objects of type object is unsupported",
        ),
        (
            Call("a", look, {"x": Ref("old", default=object())}),
            "call 'a': argument 'x' cannot be stored: Encoding objects of type object is unsupported",
        ),
        (
            Call("a", look, {"x": [Ref("old"), {"deep": object()}]}),
            "call 'a': argument 'x' cannot be stored: Encoding objects of type object is unsupported",
        ),
        (
            Call("a", book, {"day": DAY, "people": "two"}),
            "call 'a': argument 'people' cannot be stored: TypeError: expected int, got 'two'",
        ),
        (
            Call("a", book, {"day": "Friday"}),
            "call 'a': argument 'day' cannot be stored: ValueError: Invalid isoformat string: 'Friday'",
        ),
    ],
)
def test_a_plan_that_could_not_run_is_refused_before_any_wave(call: Call, text: str) -> None:
    """Rule 3: the text names the call, and what to do where it is not plain."""
    with pytest.raises(PlanError) as refusal:
        accepted(Call("fine", look), call, known=["old"])
    assert str(refusal.value) == text


def test_what_a_type_of_ones_own_refuses_is_the_plans_fault() -> None:
    """Its own error stands behind the one that names the call."""

    @attrs.frozen
    class Party:
        people: int

        def __attrs_post_init__(self) -> None:
            if self.people > 8:
                raise RuntimeError("too large a party")

    @tool(timeout=5)
    async def seat(party: Party) -> None:
        """Seats."""

    assert accept(Plan(Call("a", seat, {"party": Party(8)})), known=(), tools={"seat": seat}, calls_max=1)
    with pytest.raises(PlanError) as refusal:
        accept(Plan(Call("a", seat, {"party": {"people": 9}})), known=(), tools={"seat": seat}, calls_max=1)
    assert (
        str(refusal.value)
        == "call 'a': argument 'party' cannot be stored: unknown error (too large a party) @ $"
    )
    assert isinstance(refusal.value.__cause__, ToolFailed)


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (None, "a planner returns a Plan, not None"),
        ([Call("a", look)], "a planner returns a Plan, not [Call(id='a', tool='look', after=())]"),
        ("x" * 99, f"a planner returns a Plan, not '{'x' * 79}"),
    ],
)
def test_what_is_not_a_plan_is_refused_in_a_short_line(plan: Any, text: str) -> None:
    """Rule 3: also what a planner forgot to wrap, and at most 80 characters of it."""
    with pytest.raises(PlanError) as refusal:
        accept(plan, known=(), tools=TOOLS, calls_max=9)
    assert str(refusal.value) == text


# Before and at a call -----------------------------------------------------------------------------


def outcome(status: Status = Status.SUCCEEDED, raw: Any = None, **more: Any) -> Outcome:
    """How a call ended."""
    return Outcome(call_id="a", tool="look", status=status, raw=raw, **more)


ENDED = {
    "a": outcome(raw={"free": ["18:00", "20:30"], "none": None}),
    "b": outcome(Status.FAILED, error="ValueError: no such day"),
    "c": outcome(Status.TIMED_OUT),
    "lost": outcome(value_lost=True, error="it is too large"),
}


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (Call("z", look), None),
        (Call("z", look, {"x": Ref("a"), "y": 1}, ["a"]), None),
        (Call("z", look, {"x": Ref("b")}), "'b' failed: ValueError: no such day"),
        (Call("z", look, after=["b"]), "'b' failed: ValueError: no such day"),
        (Call("z", look, {"x": [{"deep": Ref("c")}]}), "'c' timed out"),
        (Call("z", look, {"x": Ref("c")}, after=["b"]), "'b' failed: ValueError: no such day"),
        # A default makes a reference do without its call, but not an `after`, nor a second reference.
        (Call("z", look, {"x": Ref("b", default=1)}), None),
        (Call("z", look, {"x": Ref("b", default=1)}, after=["b"]), "'b' failed: ValueError: no such day"),
        (Call("z", look, {"x": Ref("b", default=1), "y": Ref("b")}), "'b' failed: ValueError: no such day"),
        # It did what it was asked; that its value is lost is the concern of who wants the value.
        (Call("z", look, {"x": Ref("lost")}, after=["lost"]), None),
    ],
)
def test_a_call_is_blocked_by_a_dependency_that_did_not_succeed(call: Call, why: str | None) -> None:
    """Unless its reference has a default."""
    assert blocked_by(call, ENDED) == why


@pytest.mark.parametrize("status", list(Status))
def test_only_success_lets_a_dependent_call_run(status: Status) -> None:
    """Every other way to end blocks it."""
    blocked = blocked_by(Call("z", look, after=["a"]), {"a": outcome(status)})
    assert (blocked is None) is (status is Status.SUCCEEDED)


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        (Ref("a"), {"free": ["18:00", "20:30"], "none": None}),
        (Ref("a", "free", 1), "20:30"),
        (Ref("a", "free", -1), "20:30"),
        # A value that is there goes before the default, also when it is None.
        (Ref("a", "none", default=5), None),
        (Ref("a", "closed", default=None), None),
        (Ref("a", "free", 2, default="none"), "none"),
        (Ref("a", "none", "deeper", default="none"), "none"),
        (Ref("a", "free", "x", default="none"), "none"),
        (Ref("b", default=[1]), [1]),
        (Ref("lost", "free", default=0), 0),
        ({"x": [Ref("a", "free", 0), {"y": (Ref("b", default=1), 2)}]}, {"x": ["18:00", {"y": [1, 2]}]}),
        ("a", "a"),
        ({"x": None, "y": [1.5, True]}, {"x": None, "y": [1.5, True]}),
    ],
)
def test_a_reference_is_replaced_by_what_it_names(value: Any, resolved: Any) -> None:
    """However deep it stands; everything else stays as it is."""
    assert resolve(value, ENDED) == resolved


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (Ref("a", "closed"), "the value of 'a' has no ['closed']"),
        (Ref("a", "free", 2), "the value of 'a' has no ['free'][2]"),
        (Ref("a", "free", "x"), "the value of 'a' has no ['free']['x']"),
        (Ref("a", "none", 0), "the value of 'a' has no ['none'][0]"),
        (Ref("b"), "the value of 'b' is not there: failed: ValueError: no such day"),
        (
            Ref("lost"),
            "the value of 'lost' is not there: succeeded, its value lost: it is too large",
        ),
    ],
)
def test_a_reference_to_nothing_fails_its_call(ref: Ref, text: str) -> None:
    """The text names the call and the way that was not there."""
    with pytest.raises(ToolFailed) as failure:
        resolve({"x": [ref]}, ENDED)
    assert str(failure.value) == text
