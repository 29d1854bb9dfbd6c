"""Which outcomes of superseded requests a new one may take over."""

from typing import Any

import attrs
import pytest

from engine import Call, Outcome, Ref, Status, Tool
from engine.model import UndoStatus
from engine.reuse import Reusable, find_reusable
from engine.store import CallRecord

SECOND = 1_800_000_000.0


def named(name: str, reusable_seconds: float) -> Tool:
    async def look(**arguments: Any) -> None:
        """Looks."""

    look.__name__ = name
    return Tool(
        name=name,
        description="",
        function=look,
        timeout=1.0,
        idempotent=True,
        retries=0,
        undo=None,
        reusable_seconds=reusable_seconds,
        parameters={},
        required=frozenset(),
        returns=Any,
        takes_context=False,
    )


LOOK, BOOK = named("look", 60.0), named("book", 0.0)
TOOLS = {"look": LOOK, "book": BOOK}
DAY = {"day": "2027-01-01", "people": 2}


def succeeded(call_id: str, raw: Any = "free", *, tool: str = "look", seconds: float = 0.0) -> Outcome:
    return Outcome(call_id=call_id, tool=tool, status=Status.SUCCEEDED, raw=raw, seconds=seconds)


def made(outcome: Outcome | None, args: dict[str, Any] | None = None, **more: Any) -> CallRecord:
    """A call that was made at SECOND; `more` is for `CallRecord`."""
    id, name = ("a", "look") if outcome is None else (outcome.call_id, outcome.tool)
    record = {"round": 0, "intended_at": SECOND, "outcome": outcome, **more}
    return CallRecord(call=Call(id, name, DAY if args is None else args), **record)


def found(*requests: tuple[CallRecord, ...], tools: dict[str, Tool] | None = None) -> Reusable:
    """What these requests, oldest first, leave; their results are as the records have them."""
    results = [
        {record.call.id: record.outcome for record in request if record.outcome is not None}
        for request in requests
    ]
    return find_reusable(requests, results, TOOLS if tools is None else tools)


# What may be taken over ---------------------------------------------------------------------------


def test_the_same_call_takes_over_the_outcome() -> None:
    """With its typed value: the results are those that the next plan sees."""
    record = made(succeeded("a", [18, 19]))
    typed = succeeded("a", [18, 19]).with_value((18, 19))
    reusable = find_reusable([(record,)], [{"a": typed}], TOOLS)
    taken_over = reusable.find(LOOK, DAY, now=SECOND)
    assert taken_over is typed
    assert taken_over.value == (18, 19)


@pytest.mark.parametrize(
    ("arguments", "same"),
    [
        (DAY, True),
        ({"people": 2, "day": "2027-01-01"}, True),
        ({"day": "2027-01-01"}, False),
        ({"day": "2027-01-01", "people": 3}, False),
        ({"day": "2027-01-01", "people": "2"}, False),
        ({"day": "2027-01-01", "people": True}, False),
        ({**DAY, "area": None}, False),
        ({}, False),
    ],
)
def test_the_arguments_are_the_same_in_whatever_order(arguments: dict[str, Any], same: bool) -> None:
    """As JSON: what only looks alike is another call."""
    taken_over = found((made(succeeded("a")),)).find(LOOK, arguments, now=SECOND)
    assert taken_over == (succeeded("a") if same else None)


def test_a_call_of_another_tool_is_another_call() -> None:
    """Whatever its arguments."""
    tools = {"look": LOOK, "see": named("see", 60.0)}
    reusable = found((made(succeeded("a")),), tools=tools)
    assert reusable.find(tools["see"], DAY, now=SECOND) is None


@pytest.mark.parametrize(
    ("after", "fresh"), [(-1, False), (0, False), (1.5, True), (61.5, True), (61.75, False), (1e9, False)]
)
def test_an_outcome_is_fresh_for_so_long(after: float, fresh: bool) -> None:
    """From when it was known: after the call's start and what it took.  A clock set back makes none fresh."""
    reusable = found((made(succeeded("a", seconds=1.5)),))
    assert (reusable.find(LOOK, DAY, now=SECOND + after) is not None) is fresh


def test_a_tool_that_says_nothing_is_called_each_time() -> None:
    """Off by default, also when it has said so since."""
    assert found((made(succeeded("a", tool="book")),)).find(BOOK, DAY, now=SECOND) is None
    reusable = found((made(succeeded("a")),))
    assert reusable.find(attrs.evolve(LOOK, reusable_seconds=0.0), DAY, now=SECOND) is None
    assert reusable.find(attrs.evolve(LOOK, reusable_seconds=1.0), DAY, now=SECOND + 2) is None
    # Nothing that nobody may take is kept: its arguments are not even looked at.
    assert found((made(succeeded("a", tool="book")),)) == Reusable({})


NEVER: dict[str, CallRecord] = {
    "not planned to its end": made(None),
    # Otherwise one that is taken over again and again would never grow old.
    "taken over itself": made(attrs.evolve(succeeded("a"), reused=True), intended_at=None),
    "value lost": made(attrs.evolve(succeeded("a"), value_lost=True)),
    "about to be taken back": made(succeeded("a"), undo_intended_at=SECOND),
    "taken back": made(attrs.evolve(succeeded("a"), undo=UndoStatus.UNDONE), undo_intended_at=SECOND),
    "could not be taken back": made(
        attrs.evolve(succeeded("a"), undo=UndoStatus.FAILED), undo_intended_at=SECOND
    ),
    **{
        status.value: made(attrs.evolve(succeeded("a"), status=status))
        for status in Status
        if status is not Status.SUCCEEDED
    },
}


@pytest.mark.parametrize("record", NEVER.values(), ids=NEVER)
def test_what_did_not_simply_succeed_is_not_taken_over(record: CallRecord) -> None:
    """Rule 1."""
    assert found((record,)) == Reusable({})


def test_a_tool_that_is_gone_leaves_nothing() -> None:
    """Nobody could say how long it is fresh."""
    assert found((made(succeeded("a")),), tools={}) == Reusable({})


def test_a_request_without_calls_leaves_nothing() -> None:
    """Nor does no request."""
    assert found() == found(()) == Reusable({})
    assert Reusable().find(LOOK, DAY, now=SECOND) is None


# Several of them ----------------------------------------------------------------------------------


def test_the_newest_of_several_is_taken_over() -> None:
    """What was found out last; within one request the later call."""
    older, newer = succeeded("a", "older"), succeeded("a", "newer")
    reusable = found((made(older),), (made(newer, intended_at=SECOND + 5),))
    assert reusable.find(LOOK, DAY, now=SECOND + 5) == newer
    assert reusable.find(LOOK, DAY, now=SECOND + 65) == newer
    reusable = found((made(succeeded("a", 1)), made(succeeded("b", 2))))
    assert reusable.find(LOOK, DAY, now=SECOND) == succeeded("b", 2)


def test_each_call_is_found_by_its_own_arguments() -> None:
    """Those of one request and those of others alike."""
    other = {"day": "2027-01-02"}
    reusable = found(
        (made(succeeded("a", 1)), made(succeeded("b", 2), other)), (made(succeeded("a", 3), {}),)
    )
    taken = [reusable.find(LOOK, arguments, now=SECOND) for arguments in (DAY, other, {})]
    assert taken == [succeeded("a", 1), succeeded("b", 2), succeeded("a", 3)]


def test_references_are_followed_before_arguments_are_compared() -> None:
    """What a call was made with counts, not how its plan said so."""
    first = made(succeeded("when", {"day": "2027-01-01"}, tool="book"), {})
    second = made(succeeded("a"), {"day": Ref("when", "day"), "people": 2})
    assert found((first, second)).find(LOOK, DAY, now=SECOND) == succeeded("a")


def test_a_reference_that_leads_nowhere_any_more_leaves_nothing() -> None:
    """What it was made with is not known any more; the others of the request are there."""
    lost = made(attrs.evolve(succeeded("when", tool="book"), value_lost=True), {})
    reusable = found((lost, made(succeeded("a"), {"day": Ref("when")}), made(succeeded("b"))))
    assert reusable == found((made(succeeded("b")),))
    assert reusable.find(LOOK, DAY, now=SECOND) == succeeded("b")
