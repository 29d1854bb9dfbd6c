"""A small world around the engine for property tests: users, tools, a store and a process that dies.

Rule 1: a `Scenario` is a value and says everything; what happens follows from it and from Trio's scheduling.
Rule 2: what the fakes saw stands in one ledger, in order; what a dead process still does stands nowhere.
Rule 3: every time is a binary fraction of a second on the mock clock, so that instants meet exactly.

Whoever comes by scenarios in another way has all it takes here: `run`, and `promises.broken` for the history.
"""

import math
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import attrs
import structlog
import trio
from trio.testing import MockClock

from engine import (
    POLICIES,
    Assistant,
    Call,
    Context,
    Decision,
    Engine,
    Fate,
    Limits,
    MemoryStore,
    Message,
    OutboxRow,
    Outcome,
    OutgoingKind,
    Plan,
    Policy,
    Ref,
    Results,
    Snapshot,
    StoreUnavailable,
    ToolContext,
    TypingSignal,
    User,
    open_engine,
    tool,
)
from engine.store import Begin, Change, Committed, Intended, Listener, OperationRecord, Queue

# Trio's clock begins at 0, and a message's timestamp is not before 1970.
EPOCH: Final = 1000.0
# How much older than everything a late message is.
LATE_SECONDS: Final = 500
TOOL_SECONDS_MAX: Final = 2.0
RECORD_SECONDS_MAX: Final = 2.0
GRACE_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.5
STOP_WORD: Final = "stop"
# After the last message and the last death: longer than anything that can still be going on.
REST_SECONDS: Final = 500.0
_OWN_TASKS: Final = 3
# Written to the log by what is foreseen: an assistant that raises, a store that fails.
_LOGS_EXPECTED: Final = frozenset({"operation_failed"})


# What is to happen --------------------------------------------------------------------------------


@attrs.frozen
class Act:
    """One call: which tool, how long it takes, how it ends (ok, raises, hangs), and how its undo does.

    `needs`: it is skipped unless the first call of the wave before succeeded.
    """

    tool: str = "look"
    seconds: float = 1.0
    how: str = "ok"
    undo: str = "ok"
    needs: bool = False


Waves = tuple[tuple[Act, ...], ...]


@attrs.frozen
class Request:
    """What the assistant does for one message: its waves, those of each adaptation, how long it thinks.

    `breaks`: where it raises, "" for nowhere.  `joining`: what it does when the message joins an operation:
    keep the calls, replace them, or plan those not started again and its own behind them.
    """

    waves: Waves = ((Act(),),)
    more: tuple[Waves, ...] = ()
    planning: float = 0.5
    adapting: float = 0.0
    responding: float = 0.5
    breaks: str = ""
    joining: str = "keep"


@attrs.frozen
class Post:
    """A message: a request, or the stop word when there is none.  `late`: written before all others."""

    user: str = "anna"
    request: Request | None = Request()
    late: bool = False


@attrs.frozen
class Delivery:
    """Messages that come together, `after` seconds after those before.

    `again` are the numbers of earlier messages that come once more.  `stops`: the user for whom somebody
    calls `engine.stop` at that time.
    """

    after: float = 0.0
    posts: tuple[Post, ...] = ()
    again: tuple[int, ...] = ()
    stops: str = ""


@attrs.frozen
class Trouble:
    """At a time the store refuses the next writes (of these kinds, by name), and each takes so long."""

    at: float
    refusals: int = 0
    only: tuple[str, ...] = ()
    seconds: float = 0.0


@attrs.frozen
class Ending:
    """How a life of the process ends; another begins."""

    at: float
    dies: bool = True


@attrs.frozen
class Bounds:
    """The limits that a run is about."""

    debounce_seconds: float = 0.0
    debounce_seconds_max: float = 2.0
    interruptions_max: int = 10
    operation_seconds_max: float = 60.0
    acknowledgement_seconds_min: float = 0.0
    wave_seconds_max: float = 60.0
    waiting_messages_max: int = 100
    adaptations_max: int = 5

    def limits(self) -> Limits:
        """With short patience, so that a run comes to its end."""
        return Limits(
            stale_seconds=math.inf,
            record_seconds_max=RECORD_SECONDS_MAX,
            receive_seconds_max=RECORD_SECONDS_MAX,
            grace_seconds=GRACE_SECONDS,
            **attrs.asdict(self),
        )


@attrs.frozen
class Scenario:
    """One run.  `policy` is a name, or the decisions of a policy of somebody's own, one after the other."""

    deliveries: tuple[Delivery, ...] = ()
    policy: str | tuple[Any, ...] = "interrupt"
    bounds: Bounds = Bounds()
    troubles: tuple[Trouble, ...] = ()
    lives: tuple[Ending, ...] = ()
    sending: float = 0.0
    # Trio shuffles the tasks that may run: which way.
    chance: int = 0
    # When there is a user here: what all others write never comes.
    only: str = ""

    @property
    def is_undisturbed(self) -> bool:
        """Whether neither the store fails nor the process ends."""
        return not self.troubles and not self.lives


# What happened ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Entry:
    """Something that a fake saw.  `run` names the operation as its assistant knows it: one `credentials`.

    `key` is an operation's and a call's id, `messages` are ids; what `detail` holds depends on `what`.
    """

    n: int
    at: float
    life: int
    what: str
    user: str = ""
    run: str = ""
    key: str = ""
    message: str = ""
    messages: tuple[str, ...] = ()
    detail: Any = None


@attrs.define(eq=False)
class Ledger:
    """What the fakes saw, in order."""

    entries: list[Entry] = attrs.field(factory=list)
    life: int = 0

    def add(self, life: int, what: str, **fields: Any) -> None:
        """One thing more, unless the process that did it is dead."""
        if life == self.life:
            self.entries.append(
                Entry(n=len(self.entries), at=trio.current_time(), life=life, what=what, **fields)
            )

    @contextmanager
    def during(self, life: int, what: str, **fields: Any) -> Iterator[None]:
        """`what` and `what ended`, with how it ended."""
        how = "ok"
        self.add(life, what, **fields)
        try:
            yield
        except trio.Cancelled:
            how = "cut"
            raise
        except BaseException:
            how = "raised"
            raise
        finally:
            self.add(life, f"{what} ended", **{**fields, "detail": how})

    def of(self, *what: str) -> list[Entry]:
        """The entries of these kinds."""
        return [entry for entry in self.entries if entry.what in what]


@attrs.frozen(kw_only=True)
class History:
    """A run that is over: what was seen, and what the store knows at the end."""

    scenario: Scenario
    posts: Mapping[str, Post]
    messages: Mapping[str, Message]
    entries: Sequence[Entry]
    fates: Mapping[str, Fate | None]
    operations: Mapping[str, OperationRecord]
    at_rest: Mapping[str, int]
    logs: Sequence[Mapping[str, Any]]

    def of(self, *what: str) -> list[Entry]:
        """The entries of these kinds."""
        return [entry for entry in self.entries if entry.what in what]

    def changes(self, *kinds: type[Change]) -> list[tuple[Entry, Any]]:
        """The recorded changes of these kinds, each with its entry."""
        return [(entry, entry.detail) for entry in self.of("recorded") if isinstance(entry.detail, kinds)]


# The fakes ----------------------------------------------------------------------------------------


@attrs.define(eq=False)
class _Write:
    life: int
    changes: Sequence[Change]
    is_refused: bool
    done: trio.Event = attrs.field(factory=trio.Event)
    error: Exception | None = None


class WorldStore(MemoryStore):
    """A store that can be slow, refuse, or be the store of a process that has died.

    Writes are applied in the order in which they were handed over, each after `seconds`.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.refusals = 0
        self.only: tuple[str, ...] = ()
        self.seconds = 0.0
        self._life = 0  # whose store it is; another process may live by now
        self._queue: deque[_Write] = deque()
        self._nursery: trio.Nursery | None = None

    @asynccontextmanager
    async def open(self, listener: Listener) -> AsyncIterator[None]:
        """See `Store.open`."""
        life = self._life = self.ledger.life

        def listen(committed: Committed) -> None:
            for accepted in committed.accepted:
                message = accepted.message
                late = accepted.newest is not None
                self._note(
                    life, "delivered", user=message.user.id, message=message.id, detail=(message, late)
                )
            for settled in committed.settled:
                message = settled.message
                self._note(life, "settled", user=message.user.id, message=message.id, detail=settled.fate)
            listener(committed)

        async with super().open(listen), trio.open_nursery() as self._nursery:
            yield
            self._queue.clear()
            self._nursery.cancel_scope.cancel()

    def _note(self, life: int, what: str, **fields: Any) -> None:
        self.ledger.add(life, what, **fields)

    async def write(self, changes: Sequence[Change]) -> None:
        """See `Store.write`."""
        life = self._life
        for change in changes:
            if isinstance(change, Intended):
                for call_id in change.call_ids:
                    self._note(life, "intent", key=f"{change.operation_id}/{call_id}")
            elif isinstance(change, Queue) and change.row.kind is OutgoingKind.REPLY:
                self._note(life, "reply", user=change.row.user.id, key=f"{change.row.operation_id}/")
        write = _Write(life, changes, self._is_refused(changes))
        if self._queue or self.seconds:
            self._queue.append(write)
            if len(self._queue) == 1 and self._nursery is not None:
                self._nursery.start_soon(self._work)
            try:
                await write.done.wait()
            except trio.Cancelled:
                self._note(life, "given up")  # whoever waited; what was handed over is still written
                raise
        else:
            await self._apply(write)
        if write.error is not None:
            raise write.error

    def _is_refused(self, changes: Sequence[Change]) -> bool:
        concerned = not self.only or any(type(change).__name__ in self.only for change in changes)
        if concerned and self.refusals:
            self.refusals -= 1
            return True
        return False

    async def _work(self) -> None:
        while self._queue:
            await trio.sleep(self.seconds)
            write = self._queue[0]
            await self._apply(write)
            write.done.set()
            self._queue.popleft()

    async def _apply(self, write: _Write) -> None:
        if write.life != self.ledger.life:
            await trio.sleep_forever()  # the dead write nothing
        if write.is_refused:
            write.error = StoreUnavailable("the disk is full")
            await trio.lowlevel.checkpoint()
            return
        for change in write.changes:
            self._note(write.life, "recorded", detail=change)
        try:
            await super().write(write.changes)
        except Exception as error:
            self._note(write.life, "refused by mistake", detail=repr(error))
            write.error = error


async def _end(how: str, seconds: float) -> None:
    await trio.sleep(math.inf if how == "hangs" else seconds)
    if how == "raises":
        raise RuntimeError("the world said no")


@attrs.define(eq=False)
class _Life:
    """One process: its number, and the assistant whose parts write into the ledger."""

    number: int
    world: "World"
    _runs: int = 0

    def assistant(self) -> Assistant:
        tools = [
            self._tool("look", idempotent=True),
            self._tool("note"),
            self._tool("book", undo=True),
            self._tool("pay", idempotent=True, undo=True),
            self._tool("find", idempotent=True, reusable_seconds=8),
        ]
        return Assistant(
            planner=self,
            responder=self.respond,
            tools=tools,
            credentials=self.credentials,
            policy=self.world.policy(self.number),
        )

    def during(self, what: str, **fields: Any) -> Any:
        return self.world.ledger.during(self.number, what, **fields)

    async def credentials(self, user: User) -> Mapping[str, str]:
        self._runs += 1
        run = f"{self.number}.{self._runs}"
        with self.during("credentials", user=user.id, run=run):
            await trio.lowlevel.checkpoint()
        return {"run": run}

    def _tool(self, name: str, *, undo: bool = False, **settings: Any) -> Any:
        async def act(seconds: float, how: str, undo: str, seen: str = "", *, context: ToolContext) -> str:
            with self.during("act", detail=(seconds, how), **_of(context)):
                await _end(how, seconds)
            return f"{name} {context.idempotency_key}"

        async def take_back(args: Mapping[str, Any], outcome: Outcome, context: ToolContext) -> None:
            with self.during("undo", detail=outcome.status, **_of(context)):
                await _end(args["undo"], 0.25)

        act.__name__ = act.__qualname__ = name
        return tool(timeout=TOOL_SECONDS_MAX, undo=take_back if undo else None, **settings)(act)

    def _thinking(self, what: str, context: Context, **fields: Any) -> Any:
        burst = tuple(message.id for message in context.burst)
        return self.during(
            what, user=context.user.id, run=context.credentials["run"], messages=burst, **fields
        )

    async def plan(self, message: Message, context: Context) -> Plan:
        request = self.world.request(message)
        known = {
            request.message.id: {id: outcome.status for id, outcome in request.results.items()}
            for request in context.superseded
        }
        with self._thinking("plan", context, message=message.id, detail=known):
            await self.world.think(request.planning)
            _break(request, "plan")
            return Plan(*_calls(message.id, 0, request.waves))

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        request = self.world.request(message)
        with self._thinking("adapt", context, message=message.id):
            await self.world.think(request.adapting)
            _break(request, "adapt")
            own = [int(id.split(":")[1]) for id in results if id.startswith(f"{message.id}:")]
            if not own and message.id != context.burst[0].id:  # it has joined
                return self._joined(request, message, results, context)
            round = max(own, default=0)
            return (
                Plan(*_calls(message.id, round + 1, request.more[round]))
                if round < len(request.more)
                else None
            )

    def _joined(self, request: Request, message: Message, results: Results, context: Context) -> Plan | None:
        calls = _calls(message.id, 0, request.waves)
        if request.joining == "again":
            ids = {call.id for call in calls}
            before = [
                call
                for other in context.burst
                for call in _calls(other.id, 0, self.world.request(other).waves)
                if call.id not in results and call.id not in ids
            ]
            kept = {call.id for call in before}.union(results)
            calls = [*(call for call in before if call.dependencies <= kept), *calls]
        return None if request.joining == "keep" else Plan(*calls)

    async def respond(self, message: Message, results: Results, context: Context) -> str:
        request = self.world.request(message)
        with self._thinking("respond", context, message=message.id):
            await self.world.think(request.responding)
            _break(request, "respond")
        return f"reply to {' '.join(message.id for message in context.burst)}"

    async def send(self, outgoing: OutboxRow | TypingSignal) -> str:
        if isinstance(outgoing, TypingSignal):
            await trio.lowlevel.checkpoint()
            return ""
        row = outgoing
        with self.during("sent", user=row.user.id, key=row.id, message=row.message_id, detail=row):
            await trio.sleep(self.world.scenario.sending)
        return f"provider's {row.id}"


async def _answer(answer: trio.Event, seconds: float) -> None:
    await trio.sleep(seconds)
    answer.set()


def _of(context: ToolContext) -> dict[str, str]:
    return {
        "user": context.user.id,
        "run": context.credentials["run"],
        "key": context.idempotency_key,
    }


def _break(request: Request, where: str) -> None:
    if request.breaks == where:
        raise RuntimeError(f"the assistant broke in {where}")


def _calls(message_id: str, round: int, waves: Waves) -> list[Call]:
    """A wave's calls wait for the first call of the wave before; those that need it, for its success."""
    calls: list[Call] = []
    before = ""
    for w, wave in enumerate(waves):
        for c, act in enumerate(wave):
            args: dict[str, Any] = {"seconds": act.seconds, "how": act.how, "undo": act.undo}
            after = [before] if before and act.needs else []
            if before and not act.needs:
                args["seen"] = Ref(before, default="nothing")
            calls.append(Call(f"{message_id}:{round}:{w}{c}", act.tool, args, after=after))
        before = calls[-len(wave)].id
    return calls


# The run ------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class World:
    """One scenario under way."""

    scenario: Scenario
    ledger: Ledger = attrs.field(factory=Ledger)
    engine: Engine | None = None
    outside: trio.Nursery | None = None
    posts: dict[str, Post] = attrs.field(factory=dict)
    messages: dict[str, Message] = attrs.field(factory=dict)
    store: WorldStore = attrs.field(init=False)
    at_rest: dict[str, int] = attrs.field(factory=dict)
    _decided: int = 0
    _ids: int = 0

    def __attrs_post_init__(self) -> None:
        self.store = WorldStore(self.ledger)

    def request(self, message: Message) -> Request:
        """What the assistant does for that message; a stop word never gets there."""
        return self.posts[message.id].request or Request()

    def policy(self, life: int) -> Policy:
        """The scenario's policy, which also writes down what it saw and said."""

        def policy(message: Message, snapshot: Snapshot) -> Decision:
            decision: Decision = self._decide(message, snapshot)
            self.ledger.add(
                life, "decided", user=message.user.id, message=message.id, detail=(decision, snapshot)
            )
            return decision

        return policy

    def _decide(self, message: Message, snapshot: Snapshot) -> Any:
        if isinstance(self.scenario.policy, str):
            return POLICIES[self.scenario.policy](message, snapshot)
        self._decided += 1
        return self.scenario.policy[(self._decided - 1) % len(self.scenario.policy)]

    async def think(self, seconds: float) -> None:
        """As long as a model's answer takes, which comes from outside.

        Unlike a sleep that ends, an answer that is there is not taken back by a cancellation in its instant.
        """
        answer = trio.Event()
        assert self.outside is not None
        self.outside.start_soon(_answer, answer, seconds)
        await answer.wait()

    def new_id(self) -> str:
        self._ids += 1
        return f"id{self._ids}"

    async def run(self) -> History:
        """From the first message to a rest in which nothing is left to do."""
        with structlog.testing.capture_logs() as logs:
            async with trio.open_nursery() as nursery:
                self.outside = nursery
                nursery.start_soon(self._make_trouble)
                nursery.start_soon(self._deliver_all, sent := trio.Event())
                for ending in self.scenario.lives:
                    async with self._live():
                        await trio.sleep_until(max(ending.at, trio.current_time()))
                        self.engine = None
                        self.ledger.add(self.ledger.life, "dies" if ending.dies else "stops")
                        said = len(logs)
                        if ending.dies:
                            self.ledger.life += 1
                    if ending.dies:
                        del logs[said:]
                async with self._live():
                    await sent.wait()
                    await trio.sleep(REST_SECONDS)
                    assert self.engine is not None
                    depths = await self.engine.read_depths()
                    self.at_rest = {
                        "sessions": self.engine.live_sessions,
                        "inbox": depths.inbox,
                        "outbox": depths.outbox,
                        # Of its own there are three: Trio's, the one that runs this, the store's keeper.
                        "tasks": trio.lowlevel.current_statistics().tasks_living - _OWN_TASKS,
                    }
                    await self._read_all()
        return History(
            scenario=self.scenario,
            posts=self.posts,
            messages=self.messages,
            entries=self.ledger.entries,
            fates=self.fates,
            operations=self.operations,
            at_rest=self.at_rest,
            logs=[line for line in logs if line["event"] not in _LOGS_EXPECTED],
        )

    fates: dict[str, Fate | None] = attrs.field(factory=dict)
    operations: dict[str, OperationRecord] = attrs.field(factory=dict)

    async def _read_all(self) -> None:
        for entry in self.ledger.of("delivered"):
            self.fates[entry.message] = await self.store.read_fate(entry.message)
        for entry in self.ledger.of("recorded"):
            if isinstance(entry.detail, Begin):
                record = await self.store.read_operation(entry.detail.operation_id)
                assert record is not None
                self.operations[record.operation_id] = record

    @asynccontextmanager
    async def _live(self) -> AsyncIterator[None]:
        """A process from its start to its end."""
        self.ledger.life += 1
        life = _Life(self.ledger.life, self)
        async with open_engine(
            life.assistant(),
            store=self.store,
            outbound=life.send,
            limits=self.scenario.bounds.limits(),
            now=lambda: EPOCH + trio.current_time(),
            new_id=self.new_id,
        ) as self.engine:
            yield
        self.engine = None

    async def _make_trouble(self) -> None:
        for trouble in sorted(self.scenario.troubles, key=lambda trouble: trouble.at):
            await trio.sleep_until(trouble.at)
            self.store.refusals, self.store.only = trouble.refusals, trouble.only
            self.store.seconds = trouble.seconds

    async def _deliver_all(self, sent: trio.Event) -> None:
        at = 0.0
        async with trio.open_nursery() as nursery:
            for delivery in self.scenario.deliveries:
                at += delivery.after
                ids = list(self.messages)
                batch = [self.messages[ids[number]] for number in delivery.again if number < len(ids)]
                batch += [self._message(post, at) for post in delivery.posts]
                if self.scenario.only:
                    batch = [message for message in batch if message.user.id == self.scenario.only]
                # Each by a task that waits for its time: in that instant it may come before all else.
                nursery.start_soon(self._deliver_at, at, batch, delivery.stops)
        sent.set()

    async def _deliver_at(self, at: float, batch: Sequence[Message], stops: str) -> None:
        await trio.sleep_until(at)
        if stops and self.engine is not None:
            self.ledger.add(self.ledger.life, "stop", user=stops)
            self.engine.stop(stops)
        if batch:
            await self._deliver(batch)

    def _message(self, post: Post, at: float) -> Message:
        id = f"m{len(self.messages)}"
        self.posts[id] = post
        timestamp = int(EPOCH + at) - (LATE_SECONDS if post.late else 0)
        text = STOP_WORD if post.request is None else f"please {id}"
        self.messages[id] = Message(id=id, user=User(post.user), text=text, timestamp=timestamp)
        return self.messages[id]

    async def _deliver(self, batch: Sequence[Message]) -> None:
        """Again and again, as Meta does, until it is taken."""
        while True:
            engine, life = self.engine, self.ledger.life
            try:
                if engine is not None:
                    await engine.receive(batch)
                    if life == self.ledger.life:
                        self.ledger.add(life, "accepted", messages=tuple(message.id for message in batch))
                        return
            except StoreUnavailable:
                """It comes again."""
            await trio.sleep(RETRY_SECONDS)


def run(scenario: Scenario) -> History:
    """The history of a scenario, on a mock clock."""
    made: list[History] = []
    # Hypothesis makes Trio's scheduling repeatable, by a seed that is the same for every example.
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    trio._core._run._r.seed(scenario.chance)

    async def main() -> None:
        made.append(await World(scenario).run())

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return made[0]
