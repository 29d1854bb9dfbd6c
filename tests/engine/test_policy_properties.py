"""No policy breaks a promise, whoever writes what when, and whatever fails or dies meanwhile.

Each example once broke something, or is an instant that chance rarely meets; which, is said there.
"""

from collections import Counter
from typing import Any

import attrs
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from promises import broken
from world import Act, Bounds, Delivery, Ending, History, Post, Request, Scenario, Trouble, run

from engine import POLICIES, Decision

# The same examples wherever this runs: whoever looks for new ones gives more of them another seed.
generated = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

# What may happen ----------------------------------------------------------------------------------


def often(usual: Any, *others: Any, times: int = 6) -> st.SearchStrategy[Any]:
    """The usual, so many times for once each of the others."""
    return st.sampled_from([usual] * times + list(others))


def quarters(most: float) -> st.SearchStrategy[float]:
    """Instants that meet."""
    return st.integers(0, int(most * 4)).map(lambda n: n / 4)


ACTS = st.builds(
    Act,
    st.sampled_from(["look", "book", "pay", "note", "find"]),
    st.sampled_from([0.5, 0.25, 1.0, 1.75]),
    often("ok", "raises", "hangs"),
    often("ok", "raises", "hangs", times=3),
    st.booleans(),
)


def waves(least: int, most: int) -> st.SearchStrategy[Any]:
    wave = st.lists(ACTS, min_size=1, max_size=2).map(tuple)
    return st.lists(wave, min_size=least, max_size=most).map(tuple)


REQUESTS = st.builds(
    Request,
    often(1, 0, times=9).flatmap(lambda least: waves(least, 3)),
    st.lists(waves(1, 2), max_size=2).map(tuple),
    st.sampled_from([0.25, 0.5, 0.0]),
    st.sampled_from([0.25, 0.0]),
    st.sampled_from([0.25, 0.5, 1.0, 0.0]),
    often("", "plan", "adapt", "respond", times=25),
    st.sampled_from(["keep", "replace", "again"]),
)
POSTS = st.builds(
    lambda user, request, is_stop, late: Post(user, None if is_stop else request, late),
    often("anna", "ben", times=5),
    REQUESTS,
    often(False, True, times=11),
    often(False, True, times=7),
)
DELIVERIES = st.lists(
    st.builds(
        Delivery,
        quarters(2),
        often(1, 2, times=3).flatmap(lambda most: st.lists(POSTS, min_size=1, max_size=most).map(tuple)),
        often(0, 1, times=5).flatmap(
            lambda least: st.lists(st.integers(0, 6), min_size=least, max_size=2 * least).map(tuple)
        ),
        often("", "anna", times=30),
    ),
    min_size=2,
    max_size=7,
).map(tuple)
BOUNDS = st.builds(
    Bounds,
    debounce_seconds=often(0.0, 0.5, times=3),
    interruptions_max=st.sampled_from([10, 2, 1]),
    operation_seconds_max=often(60.0, 3.0, times=5),
    acknowledgement_seconds_min=often(0.0, 1.0, 4.0, times=3),
    wave_seconds_max=often(60.0, 1.0, times=5),
    waiting_messages_max=often(100, 2, times=5),
    adaptations_max=often(5, 1, times=3),
)
NAMED = st.sampled_from(sorted(POLICIES))
# What cancels and what joins comes more often; None is no decision at all.
OWN = st.lists(
    st.sampled_from(
        [*Decision, *Decision, *[Decision.INTERRUPT, Decision.ROLLBACK, Decision.STEER] * 3, None]
    ),
    min_size=1,
    max_size=7,
).map(tuple)
KINDS = (
    "Accept",
    "Begin",
    "Planned",
    "Intended",
    "Happened",
    "Interrupt",
    "End",
    "Settle",
    "Mark",
    "UndoIntended",
    "Undone",
)
# In the end the store is well again.
TROUBLES = st.lists(
    st.builds(
        Trouble,
        quarters(10),
        st.sampled_from([1, 0, 2, 3, -1]),
        st.lists(st.sampled_from(KINDS), max_size=2).map(tuple),
        often(0.0, 0.25, 1.0, times=2),
    ),
    min_size=1,
    max_size=3,
).map(lambda some: (*some, Trouble(12.0)))
LIVES = st.lists(st.builds(Ending, quarters(10), often(True, False, times=3)), min_size=1, max_size=2).map(
    lambda some: tuple(sorted(some, key=lambda one: one.at))
)


def scenarios(
    policies: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[Scenario]:
    return st.builds(
        Scenario,
        DELIVERIES,
        policies,
        BOUNDS,
        sending=often(0.0, 1.0, times=2),
        chance=st.integers(0, 7),
        **more,
    )


def check(scenario: Scenario) -> None:
    lines = broken(run(scenario))
    assert not lines, "\n".join([repr(scenario), *lines])


# What once broke ----------------------------------------------------------------------------------

QUICK = Post(request=Request(waves=(), planning=0.0, responding=0.0))
USUAL = Post(request=Request(waves=((Act(seconds=0.5),),), planning=0.25, adapting=0.25, responding=0.25))
STOP = Post(request=None)

# A fragment that came late, to a burst that waited, interrupted what was newer than it (P12).
LATE_FRAGMENT = Scenario(
    (Delivery(posts=(QUICK,)), Delivery(posts=(QUICK, QUICK, attrs.evolve(QUICK, late=True)))),
    policy=(Decision.INTERRUPT, Decision.START, Decision.START),
    lives=(Ending(at=0.0, dies=False),),
)
# A policy that gives no decision, asked again after a failed commit, interrupted what P13 protects.
NO_DECISION = Scenario(
    (
        Delivery(posts=(USUAL,)),
        Delivery(posts=(USUAL,)),
        Delivery(after=0.75, posts=(USUAL,)),
        Delivery(
            after=0.25,
            posts=(
                attrs.evolve(USUAL, request=attrs.evolve(USUAL.request, waves=((Act(seconds=0.5),),) * 2)),
            ),
        ),
        Delivery(posts=(USUAL,)),
        Delivery(posts=(USUAL,)),
        Delivery(after=0.25, posts=(USUAL,)),
    ),
    policy=(None, Decision.ENQUEUE, Decision.INTERRUPT, Decision.INTERRUPT, *[Decision.START] * 3),
    bounds=Bounds(interruptions_max=2, waiting_messages_max=2),
    troubles=(Trouble(at=2.5, refusals=1), Trouble(at=12.0)),
)
# A stop said while the nursery of a suspended operation was closing broke the delivery of its commit.
CLOSING_NURSERY = Scenario(
    (Delivery(after=6.75, posts=(STOP,)), Delivery(after=1.5, posts=(QUICK, QUICK)), Delivery(2.25, (STOP,))),
    policy="enqueue",
    troubles=(Trouble(at=0.0, refusals=1, seconds=1.0), Trouble(at=12.0)),
)
# A stop that had ended something before the process died ended, after it, what was asked for since.
STOP_AFTER_A_RESTART = Scenario(
    (Delivery(after=0.25, posts=(QUICK, QUICK)), Delivery(after=0.75, posts=(STOP, QUICK))),
    policy="enqueue",
    troubles=(Trouble(at=0.0), Trouble(at=1.0, seconds=1.0), Trouble(at=12.0)),
    lives=(Ending(at=3.0),),
)
# What had waited for longer interrupted, after a restart, an operation for something newer (P12).
OLDER_AFTER_A_RESTART = Scenario(
    (Delivery(posts=(USUAL,)), *[Delivery(posts=(USUAL,))] * 2, Delivery(posts=(USUAL, USUAL))),
    policy=(*[Decision.START] * 3, Decision.ENQUEUE, Decision.JOIN, Decision.INTERRUPT),
    troubles=(Trouble(at=0.0, refusals=1), Trouble(at=12.0)),
    lives=(Ending(at=1.5),),
)
# A command to stop, given while the record of a failure was refused, was forgotten: it all began anew.
STOP_WHILE_IT_FAILS = Scenario(
    (
        Delivery(after=2.5, posts=(Post(request=Request(waves=(), responding=0.0, breaks="plan")),)),
        Delivery(after=0.5, stops="anna"),
    ),
    policy="enqueue",
    troubles=(Trouble(at=2.75, refusals=2, seconds=1.0), Trouble(at=12.0)),
)


# A message that comes when the answer of the responder is there, and the reply not yet handed over (P8).
BEFORE_THE_COMMIT = Scenario((Delivery(posts=(USUAL,)), Delivery(after=1.25, posts=(USUAL,))))


@generated
@given(scenarios(NAMED))
@example(BEFORE_THE_COMMIT)
@example(attrs.evolve(BEFORE_THE_COMMIT, chance=2))
@example(attrs.evolve(BEFORE_THE_COMMIT, chance=4))
def test_no_policy_breaks_a_promise(scenario: Scenario) -> None:
    """P1 to P10, P12, P13: people who change their mind, say stop, write late, twice, in bursts."""
    check(scenario)


@generated
@given(scenarios(OWN))
def test_no_policy_of_somebodys_own_breaks_a_promise(scenario: Scenario) -> None:
    """Whatever it says, and whenever; also when that is no decision."""
    check(scenario)


@generated
@given(scenarios(NAMED | OWN, troubles=TROUBLES))
@example(NO_DECISION)
@example(CLOSING_NURSERY)
@example(attrs.evolve(CLOSING_NURSERY, chance=1))
@example(attrs.evolve(CLOSING_NURSERY, chance=2))
@example(STOP_WHILE_IT_FAILS)
def test_a_store_that_fails_breaks_no_promise(scenario: Scenario) -> None:
    """P8 above all: the store refuses some writes, or takes its time."""
    check(scenario)


@generated
@given(scenarios(NAMED | OWN, lives=LIVES))
@example(LATE_FRAGMENT)
def test_a_process_that_dies_breaks_no_promise(scenario: Scenario) -> None:
    """P14, and all the others over it: killed or told to stop in the middle, once or twice."""
    check(scenario)


@generated
@given(scenarios(NAMED | OWN, troubles=TROUBLES, lives=LIVES))
@example(STOP_AFTER_A_RESTART)
@example(OLDER_AFTER_A_RESTART)
def test_both_together_break_no_promise(scenario: Scenario) -> None:
    """The process dies while the store fails."""
    check(scenario)


# P11 ----------------------------------------------------------------------------------------------


def life_of(history: History, user: str) -> Counter[Any]:
    """What happened to a user, and when.  An operation's id is nobody's business."""
    seen = [entry for entry in history.entries if entry.user == user]
    rows = [
        (entry.at, entry.what, entry.detail.kind, entry.detail.text) for entry in seen if entry.what == "sent"
    ]
    acts = [
        (entry.at, entry.what, entry.key.rpartition("/")[2], entry.message, entry.messages)
        for entry in seen
        if entry.what not in ("sent", "sent ended")
    ]
    return Counter(rows) + Counter(acts)


@settings(generated, max_examples=40)
@given(scenarios(NAMED))
def test_nobody_delays_anybody_else(scenario: Scenario) -> None:
    """P11: to the instant, a user has the same as if nobody else had written."""
    # No two of a user's own things may meet in one instant: there either may come first.
    apart = [
        attrs.evolve(delivery, after=delivery.after + number / 64)
        for number, delivery in enumerate(scenario.deliveries, start=1)
    ]
    scenario = attrs.evolve(scenario, deliveries=tuple(apart))
    alone = attrs.evolve(scenario, only="anna")
    assert life_of(run(scenario), "anna") == life_of(run(alone), "anna")
