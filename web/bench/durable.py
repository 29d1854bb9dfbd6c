"""What a durable message costs: one server, its store on disk or in memory, all else the same."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from web.bench.figures import MEMORY, SQLITE, Figure, at_least, figure, ratio_at_most
from web.bench.processes import BenchBroken, Child, child, run_child

NAME: Final = "durable"
TITLE: Final = """What a durable message costs: one server, its store on disk or in memory, all else the same.
The assistant plans nothing, the way out swallows replies, the log is made and thrown away.
CPU time: all threads of the server, from the webhook to the reply recorded as sent."""
STORES: Final = (MEMORY, SQLITE)
# The connections at which the targets hold: one alone has nobody to share a commit with.
_LOADED: Final = 32
_CPU_RATIO: Final = ratio_at_most(1.4)
_ACCEPTED_PER_COMMIT: Final = at_least(8)


@attrs.frozen(kw_only=True)
class Sizes:
    """How much is measured.  `messages`: how many one round sends, by connections."""

    rounds: int
    messages: Mapping[int, int]


# Messages of a round: about a second or two of work each.
FULL: Final = Sizes(rounds=5, messages={1: 200, 32: 900})
QUICK: Final = Sizes(rounds=3, messages={1: 100, 32: 450})


@attrs.frozen(kw_only=True)
class Round:
    """One round, as it was counted.

    `seconds`: from the first message posted to the last answer.  `cpu_seconds`: the server's, user and
    system, all threads, until every reply was sent and that was recorded.  `commits` are all until then,
    `accepting_commits` those of them that took messages in.
    """

    store: str
    connections: int
    sent: int
    accepted: int
    answered: int
    seconds: float
    cpu_seconds: float
    commits: int
    accepting_commits: int

    @property
    def cpu_microseconds(self) -> float:
        """CPU time a message."""
        return self.cpu_seconds / self.accepted * 1e6

    @property
    def accepted_per_commit(self) -> float:
        """How many messages a commit takes in, if it takes in any."""
        return self.accepted / self.accepting_commits

    @property
    def commits_per_message(self) -> float:
        """All commits: what follows from a message is written as well."""
        return self.commits / self.accepted

    @property
    def accepted_per_second(self) -> float:
        """By the clock on the wall, stalls of the machine included."""
        return self.accepted / self.seconds


@attrs.define(eq=False)
class _Server:
    """A server's process, with one store."""

    store: str
    child: Child
    port: int
    sent: int = 0
    accepted: int = 0

    def count(self) -> dict[str, Any]:
        """What it has done and what that cost, once everything accepted so far is done."""
        counted: dict[str, Any] = self.child.ask(self.accepted)
        return counted


def measure(folder: Path, sizes: Sizes = FULL) -> Sequence[Figure]:
    """Rounds with either store in turn; a first one of each is not counted.  Raises BenchBroken."""
    return figures_of(run_rounds(folder, sizes))


def run_rounds(folder: Path, sizes: Sizes) -> Sequence[Round]:
    """The rounds that count, in the order of their measurement."""
    with ExitStack() as stack:
        servers = [stack.enter_context(_serving(store, folder)) for store in STORES]
        measured = [
            _measure(server, connections, count)
            for number in range(sizes.rounds + 1)
            for connections, count in sizes.messages.items()
            # Whoever is second may find a machine that the first has warmed: each is first in turn.
            for server in (servers if number % 2 else reversed(servers))
        ]
    return measured[len(sizes.messages) * len(STORES) :]


def _measure(server: _Server, connections: int, messages: int) -> Round:
    """One round, from the first message to the last reply that is sent and recorded."""
    before = server.count()
    answers = run_child("web.bench.load", server.port, connections, server.sent, messages)
    if not answers["accepted"]:
        raise BenchBroken("the server accepted nothing")
    server.sent += messages
    server.accepted += answers["accepted"]
    after = server.count()
    return Round(
        store=server.store,
        connections=connections,
        sent=messages,
        accepted=answers["accepted"],
        seconds=answers["seconds"],
        **{name: after[name] - before[name] for name in after},
    )


@contextmanager
def _serving(store: str, folder: Path) -> Iterator[_Server]:
    with child("web.bench.server", store, folder / "durable.db") as process:
        yield _Server(store, process, port=process.read()["port"])


# The figures --------------------------------------------------------------------------------------


def figures_of(rounds: Sequence[Round]) -> Sequence[Figure]:
    """What these rounds say; those of the two stores are paired in the order of their measurement."""
    figures: list[Figure] = []
    for connections in sorted({one.connections for one in rounds}):
        memory, sqlite = (
            [one for one in rounds if one.connections == connections and one.store == store]
            for store in STORES
        )
        figures += _of_connections(connections, memory, sqlite)
    sent = sum(one.sent for one in rounds)
    answered = sum(one.answered for one in rounds)
    lost = figure(NAME, f"answered of {sent:,} sent", "messages", [answered], target=at_least(sent))
    return (*figures, lost)


def _of_connections(connections: int, memory: Sequence[Round], sqlite: Sequence[Round]) -> Iterator[Figure]:
    at = f"{connections} connection{'' if connections == 1 else 's'}"
    is_loaded = connections == _LOADED
    yield figure(
        NAME,
        f"a message, {at}",
        "CPU µs",
        [one.cpu_microseconds for one in sqlite],
        rival=MEMORY,
        rival_runs=[one.cpu_microseconds for one in memory],
        target=_CPU_RATIO if is_loaded else None,
    )
    # The store in memory commits each write by itself: its commits are the writes.
    yield figure(
        NAME,
        f"commits a message, {at}",
        "commits",
        [one.commits_per_message for one in sqlite],
        rival=MEMORY,
        rival_runs=[one.commits_per_message for one in memory],
    )
    yield figure(
        NAME,
        f"accepted a second, stalls included, {at}",
        "messages/s",
        [one.accepted_per_second for one in sqlite],
        rival=MEMORY,
        rival_runs=[one.accepted_per_second for one in memory],
    )
    yield figure(
        NAME,
        f"accepted a commit that takes any in, {at}",
        "messages",
        [one.accepted_per_commit for one in sqlite],
        target=_ACCEPTED_PER_COMMIT if is_loaded else None,
    )
