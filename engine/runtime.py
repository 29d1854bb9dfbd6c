"""Opens the engine: the root nursery, the store's commits, what comes in, and the drain.

Rule 1: delivery hangs on the commit, not on the request that waits for it.
Rule 2: the nursery closes before the store does; nothing is written to a closed store.
"""

import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import attrs
import trio

from engine.arrivals import ASKING, fate_on_arrival, is_takeover, written_at
from engine.aside import Aside
from engine.assistant import Assistant, Outbound, is_async
from engine.beginnings import Beginnings
from engine.bursts import Debounce
from engine.calls import Caller
from engine.content import Kind, MediaSource
from engine.context import ContextManager
from engine.endings import Endings
from engine.errors import AssistantError, InboxFull, StoreError, StoreUnavailable
from engine.events import DrainFinished, DrainStarted, Events, MessageSettled, RecoveryStarted
from engine.languages import Languages, with_acknowledgement
from engine.limits import Limits
from engine.model import DeliveryReport, Fate, Message, OutboxRow, OutgoingKind, Turn, User
from engine.orchestrator import Orchestrator
from engine.outbox import Outbox
from engine.policy import POLICIES, Policy
from engine.records import Records
from engine.recovery import Recovery
from engine.replies import TemplateBody
from engine.runner import Runner
from engine.sessions import SessionManager
from engine.store import Accept, Change, Committed, Depths, Report, Store, Unfinished
from engine.texts import ACKNOWLEDGEMENT
from engine.threads import Threads
from engine.undoing import Undoing
from engine.waiters import Waiters
from engine.waves import Waves

# What a healthy way out needs for the last replies; a way out that is down keeps nobody waiting.
_FLUSH_SECONDS: Final = 5.0


def _new_id() -> str:
    return uuid.uuid4().hex


class Engine:
    """A running engine.  Made by `open_engine`, whose arguments these are, with the nursery for its tasks."""

    def __init__(
        self,
        assistant: Assistant,
        *,
        nursery: trio.Nursery,
        store: Store,
        outbound: Outbound,
        policy: Policy,
        limits: Limits,
        languages: Languages,
        asking: frozenset[Kind],
        template: TemplateBody | None,
        media: MediaSource | None,
        now: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.limits: Final = limits
        self.events: Final = Events()
        self._store = store
        self._nursery = nursery
        self._asking = asking
        self._now = now
        self._new_id = new_id
        self._receiving = 0
        self._is_stalled = False
        self._drained: trio.Event | None = None
        self._all_ended = False
        self._threads = Threads(limits)
        self._waiters = Waiters()
        records = Records(store, self.events, limits)
        self._outbox = Outbox(
            nursery, outbound, records, self.events, limits, on_sent=self._on_sent, now=now, template=template
        )
        contexts = ContextManager(assistant, records, media)
        recovery = Recovery(
            tools=assistant.tools, contexts=contexts, records=records, events=self.events, limits=limits
        )
        endings = Endings(
            recovery=recovery,
            undoing=Undoing(
                tools=assistant.tools,
                threads=self._threads,
                contexts=contexts,
                records=records,
                events=self.events,
                limits=limits,
                now=now,
            ),
            records=records,
            events=self.events,
            languages=languages,
            limits=limits,
            now=now,
            new_id=new_id,
            on_suspended=self._waiters.suspend,
        )
        aside = Aside(
            nursery=nursery,
            records=records,
            languages=languages,
            new_id=new_id,
            on_suspended=self._waiters.suspend,
        )
        caller = Caller(assistant.tools, self._threads, self.events, limits)
        runner = Runner(
            orchestrator=Orchestrator(
                assistant=assistant,
                waves=Waves(caller, records, self.events, limits, now),
                contexts=contexts,
                records=records,
                events=self.events,
                limits=limits,
                now=now,
                new_id=new_id,
            ),
            beginnings=Beginnings(
                recovery=recovery, endings=endings, records=records, events=self.events, now=now
            ),
            endings=endings,
            aside=aside,
            records=records,
            events=self.events,
            limits=limits,
            policy=policy,
            new_id=new_id,
            typing=self._outbox.typing,
            on_suspended=self._waiters.suspend,
        )
        self.sessions: Final = SessionManager(
            nursery=nursery,
            runner=runner,
            records=records,
            events=self.events,
            limits=limits,
            policy=policy,
            languages=languages,
            endings=endings,
            aside=aside,
            now=now,
            on_suspended=self._waiters.suspend,
            media=media,
        )

    # What comes in --------------------------------------------------------------------------------

    async def receive(self, messages: Sequence[Message], reports: Sequence[DeliveryReport] = ()) -> None:
        """Take messages in; returns when they are on disk (P5) and delivered, in this order.

        Messages of one user in one call are one burst.  `reports` are what the provider says of messages that
        were sent.  Raises InboxFull when more wait to be written than `writes_waiting_max`, StoreUnavailable
        when the store does not take them; in both cases the sender should send them again.
        """
        debounce = Debounce(
            seconds=self.limits.debounce_seconds, seconds_max=self.limits.debounce_seconds_max
        )
        changes: list[Change] = [
            *(self._accept(message, debounce) for message in messages),
            *(Report(report) for report in reports),
        ]
        if not changes:
            return
        if self._is_stalled:
            raise StoreUnavailable("the store has not answered yet; send them again later")
        if self._receiving + len(changes) > self.limits.writes_waiting_max:
            raise InboxFull("more messages wait to be written than writes_waiting_max; send them again later")
        self._receiving += len(changes)
        try:
            # Cancelled or too slow, what was handed over is still written, delivered and known (P5).
            with trio.fail_after(self.limits.receive_seconds_max):
                await self._store.write(changes)
        except trio.TooSlowError:
            self._stall()
            raise StoreUnavailable(
                f"the store did not answer for {self.limits.receive_seconds_max:g} s (receive_seconds_max)"
            ) from None
        finally:
            self._receiving -= len(changes)

    def _accept(self, message: Message, debounce: Debounce) -> Accept:
        at = self._now()
        return Accept(
            message=message,
            at=at,
            debounce=debounce,
            fate=fate_on_arrival(
                message, at=at, stale_seconds=self.limits.stale_seconds, asking=self._asking
            ),
            silent_until=written_at(message, at) + self.limits.takeover_seconds
            if is_takeover(message)
            else None,
        )

    def _stall(self) -> None:
        """What was handed over is still on its way: take nothing more in until that is through."""
        if not self._is_stalled:
            self._is_stalled = True
            self._nursery.start_soon(self._wait_answered)

    async def _wait_answered(self) -> None:
        with suppress(StoreError):
            await self._store.check()  # behind all that was handed over before
        self._is_stalled = False

    async def process_message(self, user_id: str, text: str) -> Fate:
        """Take one message in and wait for its fate.  Cancelling this cancels only the wait.

        Raises what `receive` raises.
        """
        message = Message(id=self._new_id(), user=User(user_id), text=text)
        self._waiters.expect(message.id)
        try:
            await self.receive([message])
            return await self._waiters.wait(message.id)
        finally:
            self._waiters.forget(message.id)

    def stop(self, user_id: str) -> bool:
        """End the user's operation at its boundary and drop what waits; False when nothing ran.

        By the id that they have now: whoever was found to be somebody known is stopped by that one's.
        """
        return self.sessions.stop(user_id)

    # What an operator asks ------------------------------------------------------------------------

    @property
    def draining(self) -> bool:
        """Whether the engine was told to stop."""
        return self.sessions.draining

    @property
    def live_sessions(self) -> int:
        """How many users have work under way."""
        return len(self.sessions)

    @property
    def stragglers(self) -> int:
        """How many worker threads have outlived their calls."""
        return self._threads.stragglers

    async def check_store(self) -> None:
        """Raises StoreUnavailable when the store cannot be written."""
        try:
            with trio.fail_after(self.limits.receive_seconds_max):
                await self._store.check()
        except trio.TooSlowError:
            raise StoreUnavailable("the store did not answer in time") from None

    async def read_depths(self) -> Depths:
        """How much waits in the inbox and in the outbox.  Raises StoreUnavailable."""
        return await self._store.read_depths()

    async def read_history(self, user_id: str) -> tuple[Turn, ...]:
        """What the user and the assistant have said, oldest first.  Raises StoreUnavailable."""
        limit = self.limits.history_messages_max
        return (await self._store.read_conversation(user_id, limit=limit)).turns

    async def recover(self) -> None:
        """Take up what an earlier process left: operations, messages that wait, rows not sent (P14).

        Raises StoreUnavailable.
        """
        unfinished = await self._store.read_unfinished()
        self._outbox.read_all()
        self.sessions.recover(unfinished)
        if unfinished:
            self._nursery.start_soon(self._announce, unfinished)

    async def _announce(self, unfinished: Sequence[Unfinished]) -> None:
        # In a task of its own, so that whoever opened the engine can listen.
        self.events.emit(
            RecoveryStarted(
                operations=sum(len(left.operations) for left in unfinished),
                messages=sum(len(left.waiting) for left in unfinished),
            )
        )

    def read_outbox(self) -> None:
        """Somebody else has put rows into the outbox: send them."""
        self._outbox.read_all()

    async def drain(self) -> bool:
        """Begin nothing new; return when every operation has ended or is suspended.

        Running waves get `grace_seconds`.  What is received meanwhile is stored for the next start.
        False when an operation did not end even so: a tool that shields itself holds its wave.
        """
        if self._drained is not None:
            await self._drained.wait()
            return self._all_ended
        self._drained = trio.Event()
        with trio.CancelScope(shield=True):  # each of its parts is bounded, and others wait for its end
            await self._drain()
        self._drained.set()
        return self._all_ended

    async def _drain(self) -> None:
        started_at = trio.current_time()
        self.events.emit(DrainStarted(grace_seconds=self.limits.grace_seconds, sessions=self.live_sessions))
        self.sessions.suspend(started_at + self.limits.grace_seconds)
        # A tool that shields itself could hold its wave beyond the grace; the process must still end.
        with trio.move_on_after(self.limits.grace_seconds + self.limits.record_seconds_max) as waiting:
            await self.sessions.wait_empty()
        self._all_ended = not waiting.cancelled_caught
        await self._outbox.flush(_FLUSH_SECONDS)
        self.events.emit(DrainFinished(seconds=trio.current_time() - started_at))

    # What the store tells -------------------------------------------------------------------------

    def on_commit(self, committed: Committed) -> None:
        """The store's listener.  Synchronous, in commit order: whoever sees one part of it sees all of it."""
        for moved in committed.moved:
            self._outbox.move(moved.user_id, moved.to)
            self.sessions.move(moved.user_id, moved.to)
        for settled in committed.settled:
            self._hear(settled.message)
            self.events.emit(
                MessageSettled(
                    user_id=settled.message.user.id, message_id=settled.message.id, fate=settled.fate
                )
            )
            self._waiters.settle(settled.message.id, settled.fate)
            self._outbox.hear_user(settled.message.user.id, self._heard_at(settled.message))
        self._outbox.enqueue(committed.queued)
        self._outbox.drop(committed.dropped)  # also what this very write had queued
        self._outbox.hear(committed.reported)
        for accepted in committed.accepted:
            self._hear(accepted.message)
            self._outbox.hear_user(accepted.message.user.id, written_at(accepted.message, self._now()))
            self.sessions.deliver(accepted)
        for moved in committed.moved:
            if moved.silent_until > self._now():  # so is the other of the two, from here on
                self.sessions.take_over(moved.to)
        # After them: what was taken after the echo is not among them.
        for settled in committed.settled:
            if is_takeover(settled.message) and self._age(settled.message) <= self.limits.stale_seconds:
                self.sessions.take_over(settled.message.user.id)

    def _age(self, message: Message) -> float:
        return self._now() - written_at(message, self._now())

    def _heard_at(self, message: Message) -> float:
        """0 for what its user did not write."""
        if message.content.kind in (Kind.ECHO, Kind.SYSTEM):
            return 0.0
        return written_at(message, self._now())

    def _hear(self, message: Message) -> None:
        if message.identity is not None and message.identity.address:
            self._outbox.readdress(message.user.id, message.identity.address)

    def leave(self, committed: Committed) -> None:
        """Tell whoever waits that the next start goes on with what was committed."""
        for accepted in committed.accepted:
            self._waiters.suspend(accepted.message.id)

    def _on_sent(self, row: OutboxRow) -> None:
        # WhatsApp hides the typing indicator at our next message; after a reply that is right.
        if row.kind is not OutgoingKind.REPLY:
            self.sessions.show_typing_again(row.user.id)


@asynccontextmanager
async def open_engine(
    assistant: Assistant,
    *,
    store: Store,
    outbound: Outbound,
    policy: str | Policy = "interrupt",
    limits: Limits | None = None,
    acknowledgement: str = ACKNOWLEDGEMENT,
    languages: Languages | None = None,
    asking: frozenset[Kind] = ASKING,
    template: TemplateBody | None = None,
    media: MediaSource | None = None,
    now: Callable[[], float] = time.time,
    new_id: Callable[[], str] = _new_id,
) -> AsyncIterator[Engine]:
    """Run an engine for the length of the block; at its end the engine is drained.

    `outbound` sends to the user; `policy` is a name in POLICIES or a function, and an assistant's own goes
    before it.  `acknowledgement` is said in every language, empty: none is; `languages` are all the texts and
    stop words, and take its place.  `asking`: the kinds of message that are requests; all others go into the
    conversation and no further.  `template` is sent in place of what comes later than `window_seconds` after
    its user wrote.  `media`: where the files that users send are downloaded from.  `now` is seconds since
    1970.  Raises StoreUnusable when the store cannot be opened, and AssistantError for a policy that does not
    exist.
    """
    named = _policy(policy)
    decide = assistant.policy or named
    known = attrs.evolve(languages or with_acknowledgement(acknowledgement), language_of=assistant.language)
    body_error: BaseException | None = None

    is_open = False

    def on_commit(committed: Committed) -> None:
        if is_open:
            engine.on_commit(committed)
        else:  # what is committed when all tasks have ended is the next start's
            engine.leave(committed)

    async with store.open(on_commit), trio.open_nursery() as nursery:
        engine = Engine(
            assistant,
            nursery=nursery,
            store=store,
            outbound=outbound,
            policy=decide,
            limits=limits or Limits(),
            languages=known,
            asking=asking,
            template=template,
            media=media,
            now=now,
            new_id=new_id,
        )
        is_open = True
        try:
            await engine.recover()
            yield engine
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            body_error = error  # raised below: from in here it would arrive wrapped in a group
        finally:
            with trio.CancelScope(shield=True):  # bounded by drain itself
                await engine.drain()
            is_open = False
            nursery.cancel_scope.cancel()
    if body_error is not None:
        raise body_error


def _policy(policy: str | Policy) -> Policy:
    if not isinstance(policy, str):
        if not callable(policy) or is_async(policy):
            raise AssistantError(
                f"policy must be a plain function of a message and a snapshot, not {policy!r}"
            )
        return policy
    if policy not in POLICIES:
        raise AssistantError(f"there is no policy {policy!r}; there are: {', '.join(POLICIES)}")
    return POLICIES[policy]
