"""The checks of the crash runs: a good run has nothing against it, and each broken promise is seen."""

import json
from collections.abc import Callable
from typing import Any

import attrs
import checks
import pytest
from checks import Evidence

ANNA = "15551234567"
METRICS = """# HELP midstream_live_sessions Users with work under way
midstream_live_sessions 0.0
midstream_inbox_messages 0.0
midstream_outbox_messages 0.0
"""


def act(what: str, key: str, *, life: int, idempotent: bool = True, **more: Any) -> dict[str, Any]:
    operation, _, call = key.partition("/")
    name = f"wamid.{operation} {call}"
    line = {"what": what, "key": key, "life": life, "idempotent": idempotent, "name": name, "user": ANNA}
    return {**line, "operation": operation, "call": call, **more}


def call(operation_id: str, id: str, status: str | None, *, intended: bool = True) -> dict[str, Any]:
    intended_at = 1.0 if intended else None
    return {
        "operation_id": operation_id,
        "id": id,
        "status": status,
        "intended_at": intended_at,
        "error": None,
        "tool": "book",
        "reused": 0,
        "undo_intended_at": None,
        "undo": None,
        "undo_error": None,
    }


def operation(id: str, phase: str, interrupted_by: str | None = None) -> dict[str, Any]:
    message_id = f"wamid.{id}"
    return {
        "id": id,
        "message_id": message_id,
        "phase": phase,
        "interrupted_by": interrupted_by,
        "reason": "new_message_received" if interrupted_by else None,
        "undo": 0,
        "ended_at": 2.0,
    }


def message(id: str, operation_id: str, fate: str, sequence: int, **fate_fields: str) -> dict[str, Any]:
    return {
        "id": id,
        "user_id": ANNA,
        "text": f"please {id}",
        "operation_id": operation_id,
        "fate": fate,
        "fate_fields": json.dumps(fate_fields),
        "timestamp": 9,
        "sequence": sequence,
    }


def row(id: str, kind: str, operation_id: str, state: str = "sent", delivery: str = "") -> dict[str, Any]:
    text = f"text of {id}"
    return {
        "id": id,
        "kind": kind,
        "operation_id": operation_id,
        "user_id": ANNA,
        "text": text,
        "state": state,
        "delivery": delivery,
    }


def send(row_id: str) -> dict[str, Any]:
    return {"row": row_id, "user": ANNA, "text": f"text of {row_id}"}


def past(*rows: tuple[int, str, str, str]) -> list[dict[str, Any]]:
    return [
        {"n": n, "life": life, "what": what, "id": id, "value": value}
        for n, (life, what, id, value) in enumerate(rows)
    ]


# Two lives.  o1 was interrupted by the message of o2 after its first call; o2 was cut by the death in the
# middle of its call, which is idempotent and was made again; its reply was being sent at another death.
GOOD = Evidence(
    messages=[
        message("wamid.o1", "o1", "superseded", 1, by="wamid.o2"),
        message("wamid.o2", "o2", "answered", 2),
    ],
    operations=[operation("o1", "interrupted", "wamid.o2"), operation("o2", "completed")],
    calls=[
        call("o1", "a", "succeeded"),
        call("o1", "b", "skipped", intended=False),
        call("o2", "a", "succeeded"),
        call("o2", "b", "unknown"),
    ],
    outbox=[row("k1", "acknowledgement", "o1"), row("r1", "reply", "o2", delivery="read")],
    history=past(
        (1, "inbox", "wamid.o1", ANNA),
        (1, "begin", "o1", "wamid.o1"),
        (1, "plan", "o1/a", "0"),
        (1, "plan", "o1/b", "0"),
        (1, "inbox", "wamid.o2", ANNA),
        (1, "row", "k1", "pending"),
        (1, "row", "k1", "sending"),
        (1, "row", "k1", "sent"),
        (1, "outcome", "o1/a", "succeeded"),
        (1, "outcome", "o1/b", "skipped"),
        (1, "end", "o1", "interrupted"),
        (1, "fate", "wamid.o1", "superseded"),
        (1, "begin", "o2", "wamid.o2"),
        (1, "plan", "o2/a", "0"),
        (1, "plan", "o2/b", "0"),
        (2, "outcome", "o2/b", "unknown"),
        (2, "outcome", "o2/a", "succeeded"),
        (2, "end", "o2", "completed"),
        (2, "fate", "wamid.o2", "answered"),
        (2, "row", "r1", "pending"),
        (2, "row", "r1", "sending"),
        (3, "row", "r1", "resending"),
        (3, "row", "r1", "sent"),
    ),
    acts=[
        {"what": "plan", "life": 1, "name": "wamid.o1", "user": ANNA, "burst": ["wamid.o1"]},
        act("start", "o1/a", life=1),
        act("end", "o1/a", life=1),
        {"what": "plan", "life": 1, "name": "wamid.o2", "user": ANNA, "burst": ["wamid.o2"]},
        act("start", "o2/a", life=1),
        act("start", "o2/b", life=1, idempotent=False),
        act("start", "o2/a", life=2),
        act("end", "o2/a", life=2),
    ],
    sends=[send("k1"), send("r1"), send("r1")],
    statuses=[{"row": "r1", "status": "read"}, {"row": "r1", "status": "sent"}],
    accepted=[{"id": "wamid.o1"}, {"id": "wamid.o2"}, {"id": "wamid.o2"}],
    errors=[{"event": "session_failed", "level": "error", "error": "expected"}],
    metrics=METRICS,
)


def having(**changes: Any) -> Evidence:
    """The good run, with these lines added to these parts, or others in their place."""
    fields: dict[str, Any] = {}
    for name, change in changes.items():
        part = getattr(GOOD, name)
        fields[name] = change(part) if callable(change) else [*part, *change]
    return attrs.evolve(GOOD, **fields)


def where(key: str, value: Any, **new: Any) -> Callable[[Any], list[dict[str, Any]]]:
    """Every line, those with this value changed."""
    return lambda part: [{**line, **new} if line[key] == value else line for line in part]


def without(key: str, value: Any) -> Callable[[Any], list[dict[str, Any]]]:
    return lambda part: [line for line in part if line[key] != value]


def more_past(*rows: tuple[int, str, str, str]) -> Callable[[Any], list[dict[str, Any]]]:
    return lambda part: [*part, *past(*rows)]


def taken_back(undo: str | None = "undone", *, lives: tuple[int, ...] = (1,), **more: Any) -> Evidence:
    """The good run under rollback: the one call that o1 made is taken back before o2 acts."""
    acts = list(GOOD.acts)
    acts[3:3] = [act("undo", "o1/a", life=life) for life in lives]
    new = {"undo": undo, "undo_intended_at": 1.0, **more}
    calls = [{**call, **new} if call["id"] == "a" else call for call in GOOD.calls[:2]]
    return attrs.evolve(
        having(operations=where("id", "o1", undo=1)),
        acts=acts,
        calls=[*calls, *GOOD.calls[2:]],
        history=[*GOOD.history, *past((1, "undo", "o1/a", str(undo)))],
        policy="rollback",
    )


def second_first() -> Evidence:
    """Of two calls that o1 made one after the other, the first is taken back first."""
    evidence = taken_back()
    at = {"a": 1.0, "b": 2.0}
    undos = [act("undo", f"o1/{id}", life=1) for id in "ab"]
    calls = [{**call, "intended_at": at[call["id"]]} for call in evidence.calls]
    return attrs.evolve(evidence, acts=undos, calls=calls)


def out_of_turn(*, arrived: str) -> Evidence:
    """Under enqueue o1 and o2 wait for the end of o0; o2 is late, so it is older, and begins last."""
    rows = [
        (1, "inbox", "wamid.o0", ANNA),
        (1, "begin", "o0", "wamid.o0"),
        (1, "inbox", "wamid.o1", ANNA),
        (1, "end", "o0", "completed"),
        (1, "begin", "o1", "wamid.o1"),
        (1, "end", "o1", "completed"),
        (1, "begin", "o2", "wamid.o2"),
    ]
    rows.insert({"before the end": 3, "after the end": 4}[arrived], (1, "inbox", "wamid.o2", ANNA))
    messages = [message(f"wamid.o{n}", f"o{n}", "answered", n) for n in range(3)]
    messages[2]["timestamp"] = 8
    return attrs.evolve(GOOD, messages=messages, history=past(*rows), policy="enqueue")


def test_what_comes_when_the_next_is_chosen_may_be_too_late() -> None:
    """The record of the beginning stands after it then, and says nothing against the choice."""
    assert checks.check_order(out_of_turn(arrived="after the end")) == []


def test_a_good_run_has_nothing_against_it() -> None:
    """A call that is made again by one key, an ambiguous reply sent twice, a status out of order."""
    assert checks.check_all(GOOD) == []
    assert checks.check_all(taken_back()) == []
    given_up = taken_back("failed", lives=(), undo_error="the process died 3 times in a row meanwhile")
    assert checks.check_all(given_up) == []


BROKEN: list[tuple[Callable[[Evidence], list[str]], Evidence, str]] = [
    # Each message one fate.
    (checks.check_fates, having(accepted=[{"id": "wamid.lost"}]), "wamid.lost was accepted and is not in"),
    (checks.check_fates, having(messages=where("id", "wamid.o1", fate=None)), "wamid.o1 has no fate"),
    (checks.check_fates, having(history=more_past((2, "fate", "wamid.o1", "failed"))), "given 2 fates"),
    (checks.check_fates, having(history=without("what", "fate")), "wamid.o1 was given 0 fates"),
    (checks.check_answers, having(operations=where("id", "o2", phase="failed")), "wamid.o2 is answered, its"),
    (
        checks.check_answers,
        having(messages=where("id", "wamid.o2", fate="failed")),
        "wamid.o2 is failed, its",
    ),
    (checks.check_answers, having(operations=where("id", "o1", ended_at=None)), "operation o1 has no end"),
    (
        checks.check_answers,
        having(operations=[operation("o3", "failed") | {"message_id": "wamid.o1"}]),
        "wamid.o1 had 2 operations",
    ),
    (
        checks.check_told,
        having(messages=where("id", "wamid.o1", fate="rejected")),
        "wamid.o1 was rejected and nobody was told",
    ),
    (
        checks.check_told,
        having(messages=where("id", "wamid.o1", fate="stopped", fate_fields='{"told": "Stopped."}')),
        "wamid.o1 was stopped and nobody was told",
    ),
    (
        checks.check_merged,
        having(messages=[message("wamid.m3", "o1", "merged", 3, into="wamid.o2")]),
        "wamid.m3 was merged into wamid.o2, and {'id': 'o1'",
    ),
    (
        checks.check_merged,
        having(messages=[message("wamid.m3", "o2", "merged", 3, into="wamid.o2")]),
        "wamid.m3 was merged into wamid.o2, and no planner was shown it",
    ),
    (
        checks.check_rejected,
        having(
            messages=[message("wamid.m3", "", "rejected", 3)],
            history=more_past((2, "inbox", "wamid.m3", ANNA), (2, "fate", "wamid.m3", "rejected")),
        ),
        "wamid.m3 was rejected, and nothing ran",
    ),
    (checks.check_policy, attrs.evolve(GOOD, policy="enqueue"), "wamid.o1 was superseded under enqueue"),
    (
        checks.check_policy,
        having(messages=where("id", "wamid.o1", fate="rejected")),
        "wamid.o1 was rejected under interrupt",
    ),
    (
        checks.check_policy,
        attrs.evolve(taken_back(), policy="interrupt"),
        "o1 was taken back under interrupt",
    ),
    (
        checks.check_stops,
        having(messages=where("id", "wamid.o2", text="stop")),
        "wamid.o2 says stop and was answered",
    ),
    (
        checks.check_starvation,
        attrs.evolve(GOOD, interruptions_max=0),
        "operation o1 was the 1th in a row to be interrupted",
    ),
    (
        checks.check_order,
        out_of_turn(arrived="before the end"),
        "operation o1 of user 15551234567 began before o2, which is older",
    ),
    (checks.check_undos, taken_back(undo_intended_at=None), "nobody had recorded that it would be"),
    (checks.check_undos, second_first(), "call o1/b was taken back after what was done before it"),
    (checks.check_undos, taken_back(None), "call o1/a was taken back and has no record"),
    (checks.check_undos, taken_back(None, lives=()), "call o1/a, succeeded, was taken back: None"),
    (checks.check_undos, taken_back(lives=()), "call o1/a counts as undone and nobody took it back"),
    (checks.check_undos, taken_back(lives=(1, 2)), "call o1/a was taken back in life 2 again"),
    (
        checks.check_undos,
        attrs.evolve(taken_back(), operations=GOOD.operations),
        "call o1/a, succeeded, was taken back: undone",
    ),
    (
        checks.check_interruptions,
        having(messages=where("id", "wamid.o2", timestamp=8)),
        "operation o1 was interrupted by wamid.o2, which is not newer",
    ),
    # Each call one outcome.
    (checks.check_outcomes, having(history=more_past((2, "outcome", "o1/a", "failed"))), "given 2 outcomes"),
    (checks.check_outcomes, having(history=without("id", "o1/a")), "call o1/a was given 0 outcomes"),
    (checks.check_outcomes, having(calls=where("status", "unknown", status=None)), "call o2/b is None"),
    (checks.check_outcomes, having(calls=where("status", "unknown", status="skipped")), "o2/b is skipped"),
    (
        checks.check_outcomes,
        having(calls=where("id", "b", status="succeeded")),
        "o1/b is succeeded, intended",
    ),
    (checks.check_outcomes, having(acts=[act("start", "o1/b", life=1)]), "o1/b acted without an intent"),
    (
        checks.check_outcomes,
        having(acts=without("what", "end")),
        "o1/a is succeeded and never acted to its end",
    ),
    (
        checks.check_outcomes,
        having(calls=where("id", "b", reused=1)),
        "call o2/b is unknown, reused, and intended: True",
    ),
    # Nothing is done again.
    (
        checks.check_repetitions,
        having(acts=[act("start", "o1/a", life=2)]),
        "outcome of life 1 and acted in 2",
    ),
    (checks.check_repetitions, having(acts=[act("start", "o2/a", life=2)]), "o2/a acted 2 times in life 2"),
    (
        checks.check_repetitions,
        having(acts=[act("start", "o2/b", life=2, idempotent=False)]),
        "o2/b is not idempotent and acted 2 times",
    ),
    (
        checks.check_repetitions,
        having(acts=[act("start", "o9/a", life=2, name="wamid.o2 a")]),
        "act wamid.o2 a went by 2 keys",
    ),
    (
        checks.check_plans,
        having(acts=[{"what": "plan", "life": 2, "name": "wamid.o2"}]),
        "wamid.o2 was planned in life 1 and again in 2",
    ),
    # The outbox.
    (checks.check_sends, having(sends=[send("r1")]), "reply row r1 was sent 3 times, ambiguous 1 times"),
    (checks.check_sends, having(sends=[send("k1")]), "acknowledgement row k1 was sent 2 times, ambiguous 0"),
    (checks.check_sends, having(sends=[send("x9")]), "row x9 was sent and is not in the outbox"),
    (
        checks.check_sends,
        having(sends=where("row", "k1", text="another")),
        "row k1 was sent to somebody else",
    ),
    (checks.check_sends, having(sends=without("row", "k1")), "row k1 counts as sent and never was"),
    (
        checks.check_replies,
        having(sends=without("row", "r1"), outbox=where("id", "r1", state="dead")),
        "reply row r1 is dead and never reached",
    ),
    (checks.check_replies, having(outbox=without("id", "r1")), "operation o2 is completed, its replies: 0"),
    (checks.check_replies, having(outbox=[row("r2", "reply", "o1")]), "o1 is interrupted, its replies: 1"),
    (checks.check_replies, having(outbox=[row("r2", "reply", "o9")]), "a reply belongs to no operation: o9"),
    (
        checks.check_acknowledgements,
        having(outbox=[row("k2", "acknowledgement", "o1")]),
        "operation o1 has 2 acknowledgements",
    ),
    (
        checks.check_acknowledgements,
        having(outbox=[row("k2", "acknowledgement", "o2")]),
        "operation o2 has 1 acknowledgements",
    ),
    (checks.check_acknowledgements, having(sends=[send("k1")]), "o1: its user was told 2 times"),
    (
        checks.check_acknowledgements,
        having(outbox=[row("k2", "acknowledgement", "o9")]),
        "an acknowledgement belongs to no operation: o9",
    ),
    (
        checks.check_acknowledged_in_time,
        having(
            outbox=[row("k2", "acknowledgement", "o1")],
            history=lambda part: [
                *past((1, "row", "k2", "pending")),
                *part,
                *past((3, "row", "k2", "sending")),
            ],
        ),
        "row k2 was sent after the next reply was recorded",
    ),
    (
        checks.check_deliveries,
        having(outbox=where("id", "r1", delivery="sent")),
        "row r1 is sent after a status read",
    ),
    # One at a time.
    (
        checks.check_one_at_a_time,
        having(acts=[act("undo", "o1/a", life=2)]),
        "operation o1 of user 15551234567 acted after a later one had, in life 2",
    ),
    (
        checks.check_one_at_a_time,
        having(history=lambda part: [one for one in part if one["what"] != "end"]),
        "operation o2 of user 15551234567 began before o1 had ended",
    ),
    (
        checks.check_one_at_a_time,
        having(acts=[act("start", "o3/a", life=3), act("start", "o4/a", life=3)]),
        "operation o4 of user 15551234567 acted while o3 did, in life 3",
    ),
    (
        checks.check_one_at_a_time,
        having(acts=[act("start", "o1/b", life=2)]),
        "operation o1 of user 15551234567 acted after a later one had, in life 2",
    ),
    # At rest.
    (
        checks.check_rest,
        having(metrics=lambda text: text.replace("sessions 0", "sessions 1")),
        "midstream_live_sessions is 1.0",
    ),
    (checks.check_rest, having(metrics=lambda text: ""), "midstream_inbox_messages is missing"),
    (
        checks.check_logs,
        having(errors=[{"event": "session_crashed", "level": "error"}]),
        "1 times in the logs:",
    ),
]


@pytest.mark.parametrize(("check", "evidence", "said"), BROKEN)
def test_a_broken_promise_is_seen(check, evidence, said) -> None:
    """Each check, by the run above with one thing wrong in it."""
    assert [line for line in check(evidence) if said in line] != []


def test_every_check_is_seen_failing() -> None:
    """A check that nothing breaks would prove nothing."""
    assert {check for check, _, _ in BROKEN} == set(checks.CHECKS)
