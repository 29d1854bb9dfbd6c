"""The promises as the property tests ask for them: a good history keeps them all, and each is seen broken."""

from collections.abc import Callable
from functools import cache
from typing import Any

import attrs
import promises
import pytest
from promises import Facts
from world import Act, Bounds, Delivery, Entry, History, Post, Request, Scenario, run

from engine import (
    Answered,
    Failed,
    Ignored,
    Merged,
    OutboxRow,
    OutgoingKind,
    Rejected,
    Reply,
    Status,
    Stopped,
    Superseded,
)
from engine.phases import Reason
from engine.store import Begin, End, Happened, Intended, Interrupt, Mark, Queue, UndoIntended

BOOK = Post(
    request=Request(waves=((Act("book", 0.5),), (Act("pay", 1.0), Act("look", 1.0)), (Act("note", 0.5),)))
)
STOP = Post(request=None)


@cache
def history(policy: str = "rollback") -> History:
    """m1 takes m0 back, m2 takes m1 back, and is answered; m3 is answered; a stop word finds nothing."""
    return run(
        Scenario(
            (
                Delivery(posts=(BOOK,)),
                Delivery(1.5, (BOOK,)),
                Delivery(3.0, (BOOK,)),
                Delivery(20.0, (BOOK,)),
                Delivery(20.0, (STOP,)),
            ),
            policy=policy,
        )
    )


Doctor = Callable[[History], History]


def entries(change: Callable[[Entry], list[Entry]]) -> Doctor:
    """Each entry, with others in its place."""

    def doctor(good: History) -> History:
        made = [one for entry in good.entries for one in change(entry)]
        return attrs.evolve(good, entries=[attrs.evolve(one, n=n) for n, one in enumerate(made)])

    return doctor


def is_record(entry: Entry, *kinds: type) -> bool:
    return entry.what == "recorded" and isinstance(entry.detail, kinds)


def is_row(entry: Entry, kind: OutgoingKind) -> bool:
    return is_record(entry, Queue) and entry.detail.row.kind is kind


def without(which: Callable[[Entry], bool]) -> Doctor:
    return entries(lambda entry: [] if which(entry) else [entry])


def changed(which: Callable[[Entry], bool], **new: Any) -> Doctor:
    return entries(lambda entry: [attrs.evolve(entry, **new)] if which(entry) else [entry])


def followed(which: Callable[[Entry], bool], *others: str, **new: Any) -> Doctor:
    """What is like each of these comes once more right after it."""
    return entries(lambda entry: [entry, attrs.evolve(entry, **new)] if which(entry) else [entry])


def at_the_end(which: Callable[[Entry], bool], **new: Any) -> Doctor:
    """The first of these comes once more, last of all."""

    def doctor(good: History) -> History:
        first = next(entry for entry in good.entries if which(entry))
        last = attrs.evolve(first, n=len(good.entries), **new)
        return attrs.evolve(good, entries=[*good.entries, last])

    return doctor


def fate(message_id: str, given: Any) -> Doctor:
    return lambda good: attrs.evolve(good, fates={**good.fates, message_id: given})


def bounds(**new: Any) -> Doctor:
    return lambda good: attrs.evolve(good, scenario=attrs.evolve(good.scenario, bounds=Bounds(**new)))


def policy(name: str) -> Doctor:
    return lambda good: attrs.evolve(good, scenario=attrs.evolve(good.scenario, policy=name))


def outcomes(change: Callable[[Any], Any]) -> Doctor:
    """The outcome of every call, as the store has it in the end."""

    def doctor(good: History) -> History:
        return attrs.evolve(
            good,
            operations={
                id: attrs.evolve(
                    operation,
                    calls=tuple(attrs.evolve(call, outcome=change(call.outcome)) for call in operation.calls),
                )
                for id, operation in good.operations.items()
            },
        )

    return doctor


def is_activity(what: str, message_id: str) -> Callable[[Entry], bool]:
    return lambda entry: entry.what == what and entry.message == message_id


def swapped_beginnings(good: History) -> History:
    """m2's operation begins where m1's does, and the other way round."""
    begins = [entry.detail for entry in good.entries if is_record(entry, Begin)]
    others = {begins[1]: begins[2], begins[2]: begins[1]}
    return entries(
        lambda entry: (
            [attrs.evolve(entry, detail=others.get(entry.detail, entry.detail))]
            if is_record(entry, Begin)
            else [entry]
        )
    )(good)


def alike(row: Any) -> Any:
    return attrs.evolve(row, id=f"{row.id} again")


BROKEN: list[tuple[Callable[[Facts], Any], Doctor, str]] = [
    (
        promises.nothing_unforeseen,
        lambda good: attrs.evolve(good, logs=[{"event": "session_crashed", "log_level": "error"}]),
        "session_crashed",
    ),
    (
        promises.nothing_unforeseen,
        followed(lambda entry: entry.n == 0, what="refused by mistake"),
        "a write was refused",
    ),
    (
        promises.p1_one_at_a_time,
        followed(lambda entry: entry.what == "act", what="plan", run="9.9", key=""),
        "plan of 9.9 began during",
    ),
    (
        promises.p1_one_at_a_time,
        at_the_end(lambda entry: entry.what == "act"),
        "began after a later one had",
    ),
    (
        promises.p2_waves_finish,
        entries(
            lambda entry: [attrs.evolve(entry, at=entry.at - 0.25) if entry.what == "act ended" else entry]
        ),
        "not 1.0",
    ),
    (promises.p2_waves_finish, without(lambda entry: entry.what == "act ended"), "never ended"),
    (promises.p3_nothing_after, at_the_end(is_activity("plan", "m0")), "began after m1 had interrupted m0"),
    (
        promises.p3_nothing_after,
        at_the_end(lambda entry: entry.what == "intent", what="reply"),
        "reply id1/m0:0:00 of  began after m1 had interrupted m0",
    ),
    (
        promises.p3_the_newest_message_wins,
        at_the_end(is_activity("plan", "m0")),
        "of m0 began after m1 was delivered",
    ),
    (
        promises.a_burst_is_in_order,
        changed(is_activity("plan", "m2"), messages=("m2", "m2")),
        "was shown ('m2', 'm2')",
    ),
    (
        promises.a_burst_is_in_order,
        changed(is_activity("plan", "m2"), messages=("m2", "m3")),
        "was given m2, of ('m2', 'm3')",
    ),
    (promises.stop_ends_it, at_the_end(is_activity("plan", "m3")), "began after anna had said stop (m4)"),
    (
        promises.stop_ends_it,
        changed(is_activity("plan", "m3"), messages=("m3", "m4")),
        "was shown the stop word",
    ),
    (promises.a_long_operation_ends, bounds(operation_seconds_max=1.0), "s after its operation"),
    (promises.p4_one_fate_each, fate("m0", None), "m0 was given 1 fates, and has None"),
    (
        promises.p4_one_fate_each,
        followed(lambda entry: entry.what == "settled" and entry.message == "m0"),
        "m0 was given 2 fates",
    ),
    (
        promises.p4_one_fate_each,
        without(lambda entry: entry.what == "delivered" and entry.message == "m3"),
        "m3 was accepted and never delivered",
    ),
    (promises.p4_one_fate_each, fate("m0", Rejected("no")), "m0 was rejected, and nobody was told"),
    (promises.p4_one_fate_each, fate("m0", Stopped("no more")), "m0 was stopped, and nobody was told"),
    (promises.p4_one_fate_each, fate("m0", Failed("broke in plan")), "m0 failed, and nobody was told"),
    (promises.p4_one_fate_each, fate("m0", Failed("a bug of ours")), "m0 failed: a bug of ours"),
    (promises.p4_fates_fit_the_policy, policy("enqueue"), "m0 was superseded under enqueue"),
    (promises.p4_fates_fit_the_policy, fate("m3", Ignored("no")), "m3 was ignored"),
    (
        promises.p4_fates_fit_the_policy,
        fate("m4", Answered(Reply("yes"))),
        "m4 said stop and is Answered",
    ),
    (
        promises.p4_fates_fit_the_policy,
        fate("m3", Superseded("m0")),
        "m3 was superseded by m0, which is not newer",
    ),
    (promises.p4_fates_fit_the_policy, fate("m3", Superseded("m9")), "m3 was superseded by 'm9'"),
    (promises.p4_fates_fit_the_policy, fate("m0", Merged("m2")), "merged into m2 before a plan had seen it"),
    (promises.p4_fates_fit_the_policy, fate("m0", Merged("m4")), "m4, which had no operation"),
    (promises.p4_fates_fit_the_policy, fate("m0", Rejected("no")), "m0 was rejected under rollback"),
    (
        promises.p4_fates_fit_the_policy,
        lambda good: fate("m0", Rejected("no"))(policy("reject")(good)),
        "m0 was rejected, and nothing ran",
    ),
    (
        promises.p5_known_ids_have_no_effect,
        followed(lambda entry: entry.what == "delivered"),
        "m0 was delivered 2 times",
    ),
    (
        promises.p5_known_ids_have_no_effect,
        followed(lambda entry: entry.what == "decided"),
        "m0 was decided 2 times in life 1",
    ),
    (
        promises.p6_one_outcome_a_call,
        without(lambda entry: is_record(entry, Intended)),
        "acted before its intent was recorded",
    ),
    (promises.p6_one_outcome_a_call, outcomes(lambda outcome: None), "has no outcome"),
    (
        promises.p6_one_outcome_a_call,
        outcomes(lambda outcome: attrs.evolve(outcome, status=Status.FAILED)),
        "is failed and was succeeded",
    ),
    (
        promises.p6_one_outcome_a_call,
        outcomes(lambda outcome: attrs.evolve(outcome, status=Status.SUCCEEDED)),
        "never acted, and is succeeded",
    ),
    (
        promises.p6_one_outcome_a_call,
        without(lambda entry: entry.what in ("act", "act ended")),
        "was intended, never acted, and is succeeded",
    ),
    (
        promises.p6_the_first_outcome_stands,
        entries(
            lambda entry: (
                [entry, attrs.evolve(entry, detail=_failing(entry.detail))]
                if is_record(entry, Happened)
                else [entry]
            )
        ),
        "was [",
    ),
    (promises.p7_results_are_kept, changed(is_activity("plan", "m1"), detail={}), "was told None of m0"),
    (
        promises.p8_one_reply_for_an_answer,
        without(lambda entry: is_row(entry, OutgoingKind.REPLY)),
        "has 0 replies",
    ),
    (
        promises.p8_one_reply_for_an_answer,
        fate("m2", Answered(Reply("else"))),
        "m2 was answered 'else', and sent",
    ),
    (promises.p8_one_reply_for_an_answer, fate("m2", Failed("no")), "m2 is Failed(reason='no') and has 1"),
    (
        promises.p8_one_reply_for_an_answer,
        at_the_end(is_activity("respond", "m2")),
        "began after the reply was recorded",
    ),
    (promises.every_row_is_sent, without(lambda entry: entry.what == "sent"), "was never sent"),
    (promises.every_row_is_sent, followed(lambda entry: entry.what == "sent"), "was sent 2 times"),
    (
        promises.every_row_is_sent,
        changed(lambda entry: entry.what == "sent", key="x9"),
        "x9 was sent and never",
    ),
    (
        promises.an_end_is_told_once,
        entries(
            lambda entry: (
                [entry, attrs.evolve(entry, detail=Queue(alike(entry.detail.row)))]
                if is_row(entry, OutgoingKind.NOTICE)
                else [entry]
            )
        ),
        "has 2 of notice",
    ),
    (promises.p9_told_once, policy("steer"), "was acknowledged under steer"),
    (
        promises.p9_told_once,
        entries(
            lambda entry: [
                attrs.evolve(entry, detail=attrs.evolve(entry.detail, reason=Reason.DEADLINE))
                if is_record(entry, Interrupt)
                else entry
            ]
        ),
        "was acknowledged, and no message had interrupted it",
    ),
    (
        promises.p9_told_once,
        entries(
            lambda entry: (
                [entry, attrs.evolve(entry, detail=_of_another_row(entry.detail))]
                if entry.what == "sent" or is_record(entry, Interrupt, Mark)
                else [entry]
            )
        ),
        "was acknowledged by {",
    ),
    (
        promises.p9_told_once,
        lambda good: _sent_last(good),
        "was acknowledged after the next reply was recorded",
    ),
    (promises.p9_told_once, bounds(acknowledgement_seconds_min=1.0), "was acknowledged 0.0 s after"),
    (promises.p10_memory_returns, lambda good: attrs.evolve(good, at_rest={"tasks": 1}), "1 tasks at rest"),
    (promises.p10_memory_returns, lambda good: _without_ends(good), "has no end"),
    (
        promises.p12_late_is_not_new,
        entries(
            lambda entry: (
                [attrs.evolve(entry, detail=attrs.evolve(entry.detail, by="m0"))]
                if is_record(entry, Interrupt)
                else [entry]
            )
        ),
        "m0 was interrupted by m0, which is not newer",
    ),
    (
        promises.p12_late_is_not_new,
        entries(
            lambda entry: (
                [attrs.evolve(entry, detail=(entry.detail[0], True))]
                if entry.what == "delivered"
                else [entry]
            )
        ),
        "m2 was late, and answered",
    ),
    (promises.p13_no_starvation, bounds(interruptions_max=1), "m1 was interrupted after too many others"),
    (
        promises.p14_nothing_is_done_again,
        at_the_end(lambda entry: entry.what == "act"),
        "acted after its outcome was recorded",
    ),
    (
        promises.p14_nothing_is_done_again,
        at_the_end(lambda entry: entry.what == "act", life=2),
        "is not idempotent and acted 2 times",
    ),
    (
        promises.p14_nothing_is_done_again,
        followed(lambda entry: entry.what == "act"),
        "acted 2 times in life 1",
    ),
    (
        promises.p14_what_was_undone_stays_so,
        without(lambda entry: is_record(entry, UndoIntended)),
        "was taken back before its intent was recorded",
    ),
    (
        promises.p14_what_was_undone_stays_so,
        at_the_end(lambda entry: entry.what == "undo"),
        "was taken back after that was recorded",
    ),
    (
        promises.p14_what_was_undone_stays_so,
        at_the_end(lambda entry: entry.what == "undo" and entry.key.endswith("m1:0:10")),
        "was taken back after what was done before it",
    ),
    (
        promises.p14_what_was_undone_stays_so,
        without(lambda entry: is_record(entry, Interrupt)),
        "was taken back, and nobody had asked for that",
    ),
    (
        promises.p14_a_rollback_takes_everything_back,
        outcomes(lambda outcome: attrs.evolve(outcome, undo=None)),
        "is succeeded and was not taken back",
    ),
    (
        promises.p14_a_rollback_takes_everything_back,
        outcomes(lambda outcome: attrs.evolve(outcome, status=Status.FAILED)),
        "is failed and was taken back",
    ),
    (
        promises.p14_a_rollback_takes_everything_back,
        entries(
            lambda entry: (
                [attrs.evolve(entry, detail=attrs.evolve(entry.detail, undo=False))]
                if is_record(entry, Interrupt)
                else [entry]
            )
        ),
        "was to be taken back: True, recorded: False",
    ),
    (promises.a_burst_waits_for_more, bounds(debounce_seconds=0.5), "m0 began at 0.0"),
    (
        promises.what_comes_together_stays_so,
        lambda good: attrs.evolve(
            good, entries=[entry for entry in good.entries if entry.what in ("delivered", "decided")]
        ),
        "m0 was superseded by m1, which came with it",
    ),
    (
        promises.a_queue_keeps_its_order,
        lambda good: swapped_beginnings(queued()),
        "m2 began before m1, which is older and waited",
    ),
]


def _failing(happened: Happened) -> Happened:
    failed = tuple(attrs.evolve(outcome, status=Status.CUT_OFF) for outcome in happened.outcomes)
    return attrs.evolve(happened, outcomes=failed)


def _of_another_row(detail: Any) -> Any:
    """The same, of a second row: what was sent, how it fared, or an interruption's acknowledgement."""
    match detail:
        case Mark():
            return attrs.evolve(detail, row_id=f"{detail.row_id} again")
        case Interrupt(acknowledgement=row) if row is not None:
            return attrs.evolve(detail, acknowledgement=alike(row))
        case OutboxRow():
            return alike(detail)
    return detail


def _sent_last(good: History) -> History:
    """The first row that was sent is sent last of all."""
    row_id = next(entry.detail.row_id for entry in good.entries if is_record(entry, Mark))

    def is_mark(entry: Entry) -> bool:
        return is_record(entry, Mark) and entry.detail.row_id == row_id

    first = next(entry for entry in good.entries if is_mark(entry))
    left = without(is_mark)(good)
    return attrs.evolve(left, entries=[*left.entries, attrs.evolve(first, n=len(left.entries))])


def _without_ends(good: History) -> History:
    return without(lambda entry: is_record(entry, End))(good)


@cache
def queued() -> History:
    """m1 and m2 wait for m0, each in its turn."""
    return run(
        Scenario((Delivery(posts=(BOOK,)), Delivery(1.0, (BOOK,)), Delivery(0.25, (BOOK,))), "enqueue")
    )


@pytest.mark.parametrize("made", [history, queued])
def test_a_good_history_breaks_no_promise(made: Callable[[], History]) -> None:
    """Two requests taken back, an answer, a stop word; three that wait for their turn."""
    assert promises.broken(made()) == []
    kinds = {type(fate) for fate in made().fates.values()}
    assert kinds == ({Superseded, Answered, Stopped} if made is history else {Answered})


@pytest.mark.parametrize(("check", "doctor", "said"), BROKEN)
def test_a_broken_promise_is_seen(check: Callable[[Facts], Any], doctor: Doctor, said: str) -> None:
    """Each check, by the history above with one thing wrong in it."""
    lines = list(check(promises.facts_of(doctor(history()))))
    assert [line for line in lines if said in line] != [], lines


def test_every_check_is_seen_failing() -> None:
    """A check that nothing breaks would prove nothing."""
    assert {check for check, _, _ in BROKEN} == set(promises.CHECKS)
