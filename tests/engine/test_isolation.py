"""P11: what one user, or a piece of somebody's code, does wrong reaches nobody else and lasts no longer."""

import asyncio

import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    Event,
    Limits,
    MemoryStore,
    Message,
    OutboxRow,
    OutgoingKind,
    Plan,
    Results,
    StoreUnavailable,
    User,
    open_engine,
    tool,
)
from engine.store import Begin, Queue, Settle
from engine.testing import UnreliableStore, open_conversation, scripted_assistant, sleeping_tool

ANNA, BEN = "15551234567", "15557654321"


def echoing() -> Assistant:
    return scripted_assistant(Plan(), tools=[])


def message(id: str, user_id: str = ANNA, text: str = "x") -> Message:
    return Message(id=id, user=User(user_id), text=text)


def row(text: str, user_id: str) -> OutboxRow:
    return OutboxRow(
        id=f"row {text}", user=User(user_id), kind=OutgoingKind.NOTICE, text=text, message_id="m0"
    )


async def swallow(outgoing: object) -> str:
    return ""


# One user's flood ---------------------------------------------------------------------------------


async def test_one_users_backlog_delays_nobody_elses_reply(autojump_clock: MockClock) -> None:
    """More rows of hers wait than memory takes, one each six seconds goes out; all of them do, in order."""
    sent: dict[str, list[tuple[float, str]]] = {ANNA: [], BEN: []}

    async def out(outgoing: object) -> str:
        if isinstance(outgoing, OutboxRow):
            sent[outgoing.user.id].append((trio.current_time(), outgoing.text))
        return ""

    limits = Limits(outbox_rows_max=100, pair_seconds=6, pair_burst_max=1)
    async with open_conversation(echoing(), outbound=out, limits=limits) as conversation:
        for number in range(300):
            await conversation.engine.process_message(ANNA, f"{number:03}")
        asked_at = trio.current_time()
        await conversation.engine.process_message(BEN, "hello")
        await trio.sleep(1)
        assert sent[BEN] == [(asked_at, "done: hello")]
        await trio.sleep(300 * 6)
    assert [text for _, text in sent[ANNA]] == [f"done: {number:03}" for number in range(300)]


async def test_a_backlog_that_a_restart_finds_delays_nobody_else(autojump_clock: MockClock) -> None:
    """Her rows are the oldest; the reader passes those over that have no room in her line."""
    sent: list[tuple[float, str]] = []

    async def out(outgoing: object) -> str:
        if isinstance(outgoing, OutboxRow):
            sent.append((trio.current_time(), outgoing.text))
        return ""

    store = MemoryStore()
    async with store.open(lambda committed: None):
        for number in range(300):
            await store.write([Queue(row(f"{number:03}", ANNA))])
        await store.write([Queue(row("hello", BEN))])
    limits = Limits(outbox_rows_max=100, pair_seconds=6, pair_burst_max=1)
    async with open_engine(echoing(), store=store, outbound=out, limits=limits):
        await trio.sleep(1)
        assert sorted(sent) == [(0, "000"), (0, "hello")]
        await trio.sleep(300 * 6)
    assert [text for _, text in sent if text != "hello"] == [f"{number:03}" for number in range(300)]


async def test_too_many_that_wait_are_told_so_once_an_operation(autojump_clock: MockClock) -> None:
    """A loop of a thousand messages must not become a thousand notices."""
    told: list[str] = []

    async def out(outgoing: object) -> str:
        if isinstance(outgoing, OutboxRow) and outgoing.kind == "notice":
            told.append(outgoing.text)
        return ""

    assistant = scripted_assistant(Plan(Call("a", slow := sleeping_tool("slow", 10))), tools=[slow])
    limits = Limits(waiting_messages_max=3)
    async with open_conversation(assistant, outbound=out, limits=limits) as conversation:
        await conversation.engine.receive([message("m0")])
        await trio.sleep(1)
        for number in range(20):
            await conversation.engine.receive([message(f"n{number}")])
        await trio.sleep(100)
    assert len(told) == 1


# Somebody's code ----------------------------------------------------------------------------------


@tool(timeout=5)
def bridging() -> str:
    """A library that runs a loop of its own, which was cancelled."""
    raise asyncio.CancelledError


async def test_a_plain_tool_that_raises_no_exception_fails_alone() -> None:
    """asyncio's CancelledError is a BaseException: it must not end the other users' engine."""
    seen: list[str] = []

    async def respond(message: Message, results: Results, context: object) -> str:
        seen.append(results["a"].reason)
        return "done"

    assistant = scripted_assistant(Plan(Call("a", bridging)), tools=[bridging])
    assistant = Assistant(planner=assistant.planner, responder=respond, tools=[bridging])
    async with open_engine(assistant, store=MemoryStore(), outbound=swallow) as engine:
        await engine.process_message(ANNA, "go")
    assert seen == ["failed: RuntimeError: CancelledError"]


@pytest.mark.parametrize("at", ["message_accepted", "session_started", "message_settled"])
async def test_a_hook_that_exits_means_itself(autojump_clock: MockClock, at: str) -> None:
    """sys.exit() in a hook: it is logged, and everybody's work goes on."""

    def leave(event: Event) -> None:
        if event.name == at:
            raise SystemExit(3)

    async with open_conversation(echoing()) as conversation:
        conversation.engine.events.subscribe(leave)
        fate = await conversation.engine.process_message(ANNA, "go")
    assert fate.name == "answered"


async def test_an_exit_in_the_block_comes_out_as_it_is(autojump_clock: MockClock) -> None:
    """Not in a group: its status is the process's."""
    with pytest.raises(SystemExit) as left:
        async with open_engine(echoing(), store=MemoryStore(), outbound=swallow):
            raise SystemExit(3)
    assert left.value.code == 3


async def test_a_way_out_that_returns_no_text_has_sent_all_the_same(autojump_clock: MockClock) -> None:
    """An API's answer handed through is no id; the message must not go out again after a restart."""
    texts: list[str] = []

    async def out(outgoing: object) -> dict[str, str]:
        if isinstance(outgoing, OutboxRow):
            texts.append(outgoing.text)
        return {"id": "wamid.1"}

    store = MemoryStore()
    for _ in range(2):
        async with open_engine(echoing(), store=store, outbound=out) as engine:  # type: ignore[arg-type]
            if not texts:
                await engine.process_message(ANNA, "go")
            await trio.sleep(200)
    assert texts == ["done: go"]


async def test_a_tool_that_raises_a_page_is_cut(autojump_clock: MockClock) -> None:
    """Its error is copied into each call that depends on it."""

    @tool(timeout=5)
    async def loud() -> str:
        """Raises a page."""
        raise ValueError("x" * 200_000)

    calls = [Call("c0", loud)]
    calls += [Call(f"c{number}", loud, after=[f"c{number - 1}"]) for number in range(1, 100)]
    seen: list[int] = []

    async def respond(message: Message, results: Results, context: object) -> str:
        seen.extend(len(outcome.error or "") for outcome in results.values())
        return "done"

    planner = scripted_assistant(Plan(*calls), tools=[loud]).planner
    assistant = Assistant(planner=planner, responder=respond, tools=[loud])
    async with open_engine(assistant, store=MemoryStore(), outbound=swallow) as engine:
        await engine.process_message(ANNA, "go")
    assert len(seen) == 100
    assert max(seen) < 1_100


async def test_what_is_said_at_a_stop_goes_out_in_parts(autojump_clock: MockClock) -> None:
    """A list of what was done may be longer than a message can be; the channel would refuse it."""
    texts: list[str] = []

    async def out(outgoing: object) -> str:
        if isinstance(outgoing, OutboxRow):
            texts.append(outgoing.text)
        return ""

    quick = [
        tool(timeout=5, title=f"a table for two in the restaurant of number {number}")(_named(number))
        for number in range(60)
    ]
    slow = sleeping_tool("slow", 5)
    plan = Plan(*(Call(str(number), each) for number, each in enumerate(quick)), Call("s", slow))
    assistant = scripted_assistant(plan, tools=[*quick, slow])
    limits = Limits(text_characters_max=1_000)
    async with open_conversation(assistant, outbound=out, limits=limits) as conversation:
        await conversation.engine.receive([message("m1")])
        await trio.sleep(1)
        await conversation.engine.process_message(ANNA, "stop")
        await trio.sleep(1)
    assert len(texts) > 1
    assert max(map(len, texts)) <= 1_000
    assert "number 59" in texts[-1]


def _named(number: int):
    async def act() -> str:
        return ""

    act.__name__ = f"act_{number}"
    return act


# A store that fails -------------------------------------------------------------------------------


async def test_a_stalled_store_is_not_handed_more_than_may_wait(autojump_clock: MockClock) -> None:
    """Whoever was refused has left its write in the queue: more would wait behind it, without end."""
    store = UnreliableStore()
    limits = Limits(writes_waiting_max=10, receive_seconds_max=1)
    refused: list[str] = []
    async with open_conversation(echoing(), store=store, limits=limits) as conversation:
        store.seconds = 30
        for number in range(5):
            with pytest.raises(StoreUnavailable) as refusal:
                await conversation.engine.receive([message(f"m{number}")])
            refused.append(str(refusal.value))
        store.seconds = 0
        await trio.sleep(60)
        await conversation.engine.receive([message("m9")])
    assert refused == [
        "the store did not answer for 1 s (receive_seconds_max)",
        *["the store has not answered yet; send them again later"] * 4,
    ]


async def _ask(engine: object, text: str, fates: dict[str, str]) -> None:
    fates[text] = (await engine.process_message(ANNA, text)).name  # type: ignore[attr-defined]


async def test_a_message_that_was_passed_over_is_not_waited_for_for_ever(autojump_clock: MockClock) -> None:
    """Its fate stands in a beginning that cannot be recorded: the restart knows it."""
    store, fates = UnreliableStore(), {}
    slow = sleeping_tool("slow", 5)
    assistant = scripted_assistant(Plan(Call("a", slow)), tools=[slow])
    async with trio.open_nursery() as nursery, open_conversation(assistant, store=store) as conversation:
        for text in ("one", "two", "three"):
            nursery.start_soon(_ask, conversation.engine, text, fates)  # noqa: ASYNC111
            await trio.sleep(1)
        store.only, store.refusals = (Begin,), 1_000_000
        await trio.sleep(60)
    assert fates == {"one": "superseded", "two": "suspended", "three": "suspended"}


async def test_what_a_stop_drops_is_not_waited_for_for_ever(autojump_clock: MockClock) -> None:
    """The store does not take their fates: both who wait are told."""
    store, fates = UnreliableStore(), {}
    async with (
        trio.open_nursery() as nursery,
        open_conversation(echoing(), store=store, limits=Limits(debounce_seconds=5)) as conversation,
    ):
        store.only, store.refusals = (Settle,), 1_000_000
        nursery.start_soon(_ask, conversation.engine, "one", fates)  # noqa: ASYNC111
        await trio.sleep(1)
        nursery.start_soon(_ask, conversation.engine, "stop", fates)  # noqa: ASYNC111
        await trio.sleep(60)
    assert fates == {"one": "suspended", "stop": "suspended"}


async def test_what_is_committed_when_all_has_ended_is_not_waited_for(autojump_clock: MockClock) -> None:
    """A tool that shields itself holds the end up; what comes meanwhile is the next start's."""

    @tool(timeout=5)
    async def shielded() -> str:
        """Listens to nobody."""
        with trio.CancelScope(shield=True):
            await trio.sleep(200)
        return ""

    fates: dict[str, str] = {}
    assistant = scripted_assistant(Plan(Call("a", shielded)), tools=[shielded])
    async with trio.open_nursery() as nursery, open_conversation(assistant) as conversation:
        nursery.start_soon(_ask, conversation.engine, "one", fates)  # noqa: ASYNC111

        async def come_late() -> None:
            await trio.sleep(150)
            await _ask(conversation.engine, "late", fates)  # noqa: ASYNC111

        nursery.start_soon(come_late)
        await trio.sleep(1)
    assert fates == {"one": "suspended", "late": "suspended"}
