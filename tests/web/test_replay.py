"""`midstream replay`: an operation over time, as it is drawn."""

import itertools
import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    Delivery,
    Failed,
    MemoryStore,
    Message,
    OutboxRow,
    Outcome,
    OutgoingKind,
    Plan,
    SendState,
    Status,
    ToolContext,
    UndoStatus,
    User,
    tool,
)
from engine.phases import Phase, Reason
from engine.store import (
    Accept,
    Begin,
    Change,
    Committed,
    End,
    Happened,
    Intended,
    Interrupt,
    Planned,
    Queue,
    Resume,
    Settle,
    Suspend,
    UndoIntended,
    Undone,
)
from engine.store.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION
from engine.testing import (
    Conversation,
    Trail,
    hanging_tool,
    left_by_a_crash,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
    undoable_tool,
)
from web.__main__ import main
from web.operator import commands
from web.operator.chart import Row, Scale, chart_lines
from web.operator.printing import clock, duration

ANNA = User("15551234567")
NOW = 1_800_000_000  # 2027-01-15 08:00:00 UTC
COMMANDS = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"

Script = Callable[[Conversation], Awaitable[None]]


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings say that the database is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIDSTREAM_DATABASE", "sqlite:///data.db")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(commands.time, "time", lambda: NOW + 60)
    return tmp_path / "data.db"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command line; returns the exit code, the output and the errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def draw(run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `replay` prints for an operation, in a terminal of that width."""

    def draw(id: str, *options: str, width: int = 100) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        code, out, err = run("replay", id, *options)
        assert (code, err) == (0, "")
        assert all(len(line) <= width for line in out.splitlines() if not line.startswith("      "))
        return str(out)

    return draw


def keep(store: MemoryStore) -> None:
    """The store as the file of a server, its tables being the same."""
    with closing(sqlite3.connect("data.db")) as file:
        store._connection.backup(file)
        file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        file.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def record(
    assistant: Assistant, script: Script, store: MemoryStore | None = None, *, at: int = NOW, **options: Any
) -> None:
    """Run an engine in virtual time, `at` its beginning; the ids it gives are op1, op2 and so on."""
    store = store or MemoryStore()
    numbers = itertools.count(1 + at - NOW)

    async def converse() -> None:
        async with open_conversation(
            assistant,
            store=store,
            now=lambda: at + trio.current_time(),
            new_id=lambda: f"op{next(numbers)}",
            **options,
        ) as conversation:
            await script(conversation)

    trio.run(converse, clock=MockClock(autojump_threshold=0))
    keep(store)


def fill(*changes: Change) -> None:
    """What a server wrote."""
    store = MemoryStore()

    def nobody(committed: Committed) -> None:
        """A listener that hears nothing."""

    async def write() -> None:
        async with store.open(nobody):
            await store.write(changes)

    trio.run(write)
    keep(store)


def booking(trail: Trail | None = None, **more: Any) -> Assistant:
    """Looks for a table, books it, and tells a friend: three waves."""
    trail = trail or Trail()
    tables = sleeping_tool("tables", 1.0)
    weather = sleeping_tool("weather", 0.5)
    book = undoable_tool("book", 2.0, trail=trail, undo_seconds=1.0)
    tell = sleeping_tool("tell", 0.5)
    plan = Plan(
        Call("tables", tables),
        Call("weather", weather),
        Call("booking", book, after=["tables"]),
        Call("tell", tell, after=["booking"]),
    )
    return scripted_assistant(
        plan,
        tools=[tables, weather, book, tell],
        planning_seconds=0.5,
        responding_seconds=0.5,
        **more,
    )


async def change_of_mind(conversation: Conversation) -> None:
    """A second message while the second wave runs."""
    await conversation.send(("m1", "A table for two"))
    await trio.sleep(2)
    await conversation.send(("m2", "No, for three"))
    await trio.sleep(30)


# Real operations ----------------------------------------------------------------------------------


def test_an_interrupted_operation_shows_where_it_ended_and_what_never_began(draw: Any) -> None:
    """P2, P3: the wave under way ends first; the line says where; the wave after it stands below."""
    record(booking(), change_of_mind)
    assert (
        draw("op1")
        == """\
operation op1 of …4567: interrupted
began 2027-01-15 08:00:00 UTC
1 message, fate: superseded by ipchbiopenli
interrupted by ipchbiopenli, sent 08:00:02
which operation op4 works on

                    0                   1.750 s        3.500 s   start (UTC)
plan               [.....                                    |]  08:00:00.000  0.500 s
round 0, wave 1    [                                         |]
  tables           [     ============                        |]  08:00:00.500  1.000 s  succeeded
  weather          [     ======                              |]  08:00:00.500  0.500 s  succeeded
round 0, wave 2    [                                         |]
  booking  book    [                 ========================|]  08:00:01.500  2.000 s  succeeded
interrupted        [                                         |]  08:00:03.500           by a message
round 0, wave 3    [                                         |]
  tell             [                                         |]                         skipped
told               [                                         |]
  acknowledgement  [                                         *]  08:00:03.500           sent
end                [                                         #]  08:00:03.500           interrupted

. thinking   = succeeded   | interrupted   * told   # end
"""
    )


def test_a_completed_operation_is_drawn_to_its_reply(draw: Any) -> None:
    """From the first thought to the record of the reply."""
    record(booking(), change_of_mind)
    assert (
        draw("op4")
        == """\
operation op4 of …4567: completed
began 2027-01-15 08:00:03 UTC
1 message, fate: answered

                  0                      2.250 s          4.500 s   start (UTC)
plan             [.....                                          ]  08:00:03.500  0.500 s
round 0, wave 1  [                                               ]
  tables         [     ==========                                ]  08:00:04.000  1.000 s  succeeded
  weather        [     =====                                     ]  08:00:04.000  0.500 s  succeeded
round 0, wave 2  [                                               ]
  booking  book  [               ====================            ]  08:00:05.000  2.000 s  succeeded
round 0, wave 3  [                                               ]
  tell           [                                   =====       ]  08:00:07.000  0.500 s  succeeded
adapt, reply     [                                        ...... ]  08:00:07.500  0.500 s
told             [                                               ]
  reply          [                                              *]  08:00:08.000           sent
end              [                                              #]  08:00:08.000           completed

. thinking   = succeeded   * told   # end
"""
    )


def test_a_narrow_terminal_has_no_room_for_the_time_of_the_day(draw: Any) -> None:
    """60 columns: the bars stay, the rest is cut."""
    record(booking(), change_of_mind)
    assert (
        draw("op1", width=60)
        == """\
operation op1 of …4567: interrupted
began 2027-01-15 08:00:00 UTC
1 message, fate: superseded by ipchbiopenli
interrupted by ipchbiopenli, sent 08:00:02
which operation op4 works on

                    0        3.500 s
plan               [..             |]  0.500 s
round 0, wave 1    [               |]
  tables           [  ====         |]  1.000 s  succeeded
  weather          [  ==           |]  0.500 s  succeeded
round 0, wave 2    [               |]
  booking  book    [      =========|]  2.000 s  succeeded
interrupted        [               |]           by a message
round 0, wave 3    [               |]
  tell             [               |]           skipped
told               [               |]
  acknowledgement  [               *]           sent
end                [               #]           interrupted

. thinking   = succeeded   | interrupted   * told   # end
"""
    )


def test_what_was_taken_back_stands_after_the_boundary(draw: Any) -> None:
    """As does the word on it; with --text also what was said."""
    record(booking(), change_of_mind, policy="rollback")
    assert (
        draw("op1", "--text", width=80)
        == """\
operation op1 of …4567: interrupted
began 2027-01-15 08:00:00 UTC
1 message, fate: superseded by ipchbiopenli
interrupted by ipchbiopenli, sent 08:00:02
which operation op6 works on
      A table for two

                    0                2.250 s     4.500 s
plan               [...                        |        ]  0.500 s
round 0, wave 1    [                           |        ]
  tables           [   ========                |        ]  1.000 s  succeeded
  weather          [   ====                    |        ]  0.500 s  succeeded
round 0, wave 2    [                           |        ]
  booking  book    [           ================|        ]  2.000 s  succeeded
interrupted        [                           |        ]           by a message
  undo booking     [                           <<<<<<<< ]  1.000 s  taken back
round 0, wave 3    [                           |        ]
  tell             [                           |        ]           skipped
told               [                           |        ]
  acknowledgement  [                           *        ]           sent
      Got it! Switching to your new request...
  notice           [                           |       *]           sent
      Taken back: book.
end                [                           |       #]           interrupted

. thinking   = succeeded   < taken back   | interrupted   * told   # end
"""
    )


async def stop_while_thinking(conversation: Conversation) -> None:
    await conversation.send(("m1", "A table for two"))
    await trio.sleep(0.25)
    await conversation.send(("m2", "stop"))
    await trio.sleep(30)


def test_an_operation_that_planned_nothing_is_drawn_too(draw: Any) -> None:
    """Stopped while it was planned: there is no wave."""
    record(booking(), stop_while_thinking)
    assert (
        draw("op1", width=80)
        == """\
operation op1 of …4567: interrupted
began 2027-01-15 08:00:00 UTC
1 message, fate: stopped
interrupted by ipchbiopenli, sent 08:00:00

                0                          0.250 s
plan or reply  [.................................|]  0.250 s  cut
interrupted    [                                 |]           the user said stop
told           [                                 |]
  notice       [                                 *]           sent
end            [                                 #]           interrupted

. thinking   | interrupted   * told   # end
"""
    )


async def one_question(conversation: Conversation) -> None:
    await conversation.send(("m1", "A table for two"))
    await trio.sleep(90)


def test_each_round_has_its_thinking_and_each_ending_its_mark(draw: Any) -> None:
    """A call that failed, one that may have acted, one that was skipped for it; a note; a second round."""

    @tool(timeout=5)
    async def fails(*, context: ToolContext) -> str:
        await trio.sleep(0.5)
        raise ValueError("15551234567 is\nunknown")

    hangs = hanging_tool("hangs", timeout=2.0)
    look = sleeping_tool("look", 1.0)
    assistant = scripted_assistant(
        Plan(Call("one", fails), Call("two", hangs), Call("three", look, {}, after=["one"])),
        Plan(Call("four", look)),
        tools=[fails, hangs, look],
        adapting_seconds=1.0,
    )
    record(assistant, one_question)
    assert (
        draw("op1")
        == """\
operation op1 of …4567: completed
began 2027-01-15 08:00:00 UTC
1 message, fate: answered

                  0                    5.000 s   start (UTC)
plan             [.                           ]  08:00:00.000  0.000 s
round 0, wave 1  [                            ]
  one  fails     [xx                          ]  08:00:00.000  0.500 s  failed: ValueError: …4567 i…
  two  hangs     [??????????                  ]  08:00:00.000  2.000 s  timed out: after 2 s
round 0, wave 2  [                            ]
  three  look    [                            ]                         skipped: 'one' failed: Valu…
adapt            [          ......            ]  08:00:02.000  1.000 s
round 1, wave 1  [                            ]
  four  look     [                =====       ]  08:00:03.000  1.000 s  succeeded
adapt, reply     [                     ...... ]  08:00:04.000  1.000 s
told             [                            ]
  reply          [                           *]  08:00:05.000           sent
end              [                           #]  08:00:05.000           completed

. thinking   = succeeded   x failed   ? may have acted   * told   # end
"""
    )


def test_an_outcome_that_was_reused_has_no_time_of_its_own(draw: Any) -> None:
    """It was another operation's."""

    @tool(timeout=5, reusable_seconds=60)
    async def tables() -> str:
        await trio.sleep(1)
        return "19:00"

    tell = sleeping_tool("tell", 1.0)
    plan = Plan(Call("tables", tables), Call("tell", tell, after=["tables"]))
    record(scripted_assistant(plan, tools=[tables, tell], planning_seconds=1.5), change_of_mind)
    assert (
        draw("op4", width=80)
        == """\
operation op4 of …4567: completed
began 2027-01-15 08:00:02 UTC
1 message, fate: answered

                  0                         2.500 s
plan             [...................              ]  1.500 s
round 0, wave 1  [                                 ]
  tables         [                                 ]           succeeded, reused
round 0, wave 2  [                                 ]
  tell           [                   ============= ]  1.000 s  succeeded
adapt, reply     [                                .]  0.000 s
told             [                                 ]
  reply          [                                *]           sent
end              [                                #]           completed

. thinking   = succeeded   * told   # end
"""
    )


def test_an_operation_in_no_time_is_drawn_in_one_column(draw: Any) -> None:
    """0 s from its beginning to its end."""
    look = sleeping_tool("look", 0.0)
    record(scripted_assistant(Plan(Call("look", look)), tools=[look]), one_question)
    assert (
        draw("op1", width=80)
        == """\
operation op1 of …4567: completed
began 2027-01-15 08:00:00 UTC
1 message, fate: answered

                  0.000 s
plan             [.                                        ]  0.000 s
round 0, wave 1  [                                         ]
  look           [=                                        ]  0.000 s  succeeded
adapt, reply     [.                                        ]  0.000 s
told             [                                         ]
  reply          [*                                        ]           sent
end              [#                                        ]           completed

. thinking   = succeeded   * told   # end
"""
    )


def test_the_time_in_which_no_process_ran_is_left_out_of_the_scale(draw: Any) -> None:
    """A crash between two waves, and a start ten hours later: the bars stay readable."""
    before, after = MemoryStore(), MemoryStore()

    async def die(conversation: Conversation) -> None:
        nonlocal after
        await conversation.send(("m1", "A table for two"))
        await trio.sleep(2.0)
        after = left_by_a_crash(before)

    async def go_on(conversation: Conversation) -> None:
        await trio.sleep(30)

    record(booking(), die, before)
    record(booking(), go_on, after, at=NOW + 36_000)
    assert (
        draw("op1")
        == """\
operation op1 of …4567: completed, the process died 1 time
began 2027-01-15 08:00:00 UTC
1 message, fate: answered

                  0               10 h 00 min   start (UTC)
plan             [.......                    ]  08:00:00.000     0.500 s
round 0, wave 1  [                           ]
  tables         [       ================    ]  08:00:00.500     1.000 s  succeeded
  weather        [       ========            ]  08:00:00.500     0.500 s  succeeded
round 0, wave 2  [                           ]
  booking  book  [                       ?   ]  08:00:01.500              unknown: the process died…
round 0, wave 3  [                           ]
  tell           [                           ]                            skipped: 'booking' unknow…
adapt, reply     [                       ~~~ ]  08:00:01.500  9 h 59 min
told             [                           ]
  reply          [                          *]  18:00:00.500              sent
end              [                          #]  18:00:00.500              completed

. thinking   = succeeded   ? may have acted   * told   ~ time left out   # end
"""
    )


# As far as it is recorded -------------------------------------------------------------------------


def message(id: str, text: str = "A table for two") -> Message:
    return Message(id=id, user=ANNA, text=text, timestamp=NOW)


def outcome(call: str, status: Status = Status.SUCCEEDED, **fields: Any) -> Outcome:
    return Outcome(call_id=call, tool="look", status=status, **fields)


def begun(*calls: Call) -> list[Change]:
    """An operation whose first call runs since a second after its beginning."""
    return [
        Accept(message=message("m1"), at=NOW),
        Begin(operation_id="op1", message=message("m1"), at=NOW),
        Planned(operation_id="op1", round=0, calls=calls),
        Intended(operation_id="op1", call_ids=(calls[0].id,), at=NOW + 1),
    ]


def test_what_is_under_way_goes_on_to_the_present(draw: Any) -> None:
    """A call without an outcome; what waits for it has not started."""
    fill(*begun(Call("one", "look"), Call("two", "look", after=["one"])))
    assert (
        draw("op1", width=80)
        == """\
operation op1 of …4567: in_wave
began 2027-01-15 08:00:00 UTC
1 message, fate: none yet

                  0              1 min 00 s
plan             [.                        ]    1.000 s
round 0, wave 1  [                         ]
  one  look      [========================>]  >59.000 s  started, no outcome yet
round 0, wave 2  [                         ]
  two  look      [                         ]             not started

. thinking   = succeeded   > goes on
"""
    )


def test_thinking_that_is_under_way_goes_on_to_the_present(draw: Any) -> None:
    """Here of the first plan."""
    fill(*begun(Call("one", "look"))[:2])
    assert (
        draw("op1", width=80)
        == """\
operation op1 of …4567: planning
began 2027-01-15 08:00:00 UTC
1 message, fate: none yet

       0                       30.000 s       1 min 00 s
plan  [................................................>]  >1 min 00 s  planning

. thinking   > goes on
"""
    )


def test_a_suspended_operation_ends_with_its_last_record(draw: Any) -> None:
    """Nothing of it is under way until the next start."""
    done = Happened(operation_id="op1", outcomes=(outcome("one", seconds=2.0),))
    fill(*begun(Call("one", "look"), Call("two", "look", after=["one"])), done, Suspend("op1"))
    assert (
        draw("op1", width=80)
        == """\
operation op1 of …4567: at_boundary, suspended
began 2027-01-15 08:00:00 UTC
1 message, fate: none yet

                  0                  1.500 s      3.000 s
plan             [............                           ]  1.000 s
round 0, wave 1  [                                       ]
  one  look      [            ========================== ]  2.000 s  succeeded
round 0, wave 2  [                                       ]
  two  look      [                                       ]           not started

. thinking   = succeeded
"""
    )


def test_undos_that_failed_or_are_under_way_are_told_apart(draw: Any) -> None:
    """The newest call first; the process died meanwhile."""
    calls = tuple(Call(name, "look") for name in ("one", "two", "three"))
    ids = tuple(call.id for call in calls)
    fill(
        *begun(*calls),
        Intended(operation_id="op1", call_ids=ids, at=NOW + 1),
        Happened(operation_id="op1", outcomes=tuple(outcome(id, seconds=4.0) for id in ids)),
        Resume("op1"),
        Accept(message=message("m2"), at=NOW + 3),
        Interrupt(operation_id="op1", by="m2", reason=Reason.NEW_MESSAGE, undo=True),
        UndoIntended(operation_id="op1", call_id="three", at=NOW + 10),
        Undone(operation_id="op1", call_id="three", status=UndoStatus.FAILED, error="ask 15551234567"),
        UndoIntended(operation_id="op1", call_id="two", at=NOW + 20),
        Undone(operation_id="op1", call_id="two", status=UndoStatus.TIMED_OUT, error="after 9 s"),
        UndoIntended(operation_id="op1", call_id="one", at=NOW + 40),
    )
    assert (
        draw("op1")
        == """\
operation op1 of …4567: undoing, the process died 1 time
began 2027-01-15 08:00:00 UTC
1 message, fate: none yet
interrupted by ipchbiopenli, sent 08:00:00

                  0                1 min 00 s   start (UTC)
plan             [.   |                      ]  08:00:00.000    1.000 s
round 0, wave 1  [    |                      ]
  one  look      [==  |                      ]  08:00:01.000    4.000 s  succeeded
  two  look      [==  |                      ]  08:00:01.000    4.000 s  succeeded
  three  look    [==  |                      ]  08:00:01.000    4.000 s  succeeded
adapt or reply   [  ..|                      ]  08:00:05.000    5.000 s  cut
interrupted      [    |                      ]  08:00:10.000             by a message
  undo three     [    xxxx                   ]  08:00:10.000   10.000 s  not taken back, failed: as…
  undo two       [    |   ?????????          ]  08:00:20.000   20.000 s  not taken back, timed out:…
  undo one       [    |            <<<<<<<<<>]  08:00:40.000  >20.000 s  undo started, no outcome y…

. thinking   = succeeded   x failed   ? may have acted   < taken back   > goes on   | interrupted
"""
    )


def test_undos_of_one_instant_stand_in_the_order_they_were_made(draw: Any) -> None:
    """The newest call first, as the engine takes them back."""
    trail = Trail()
    tools = [undoable_tool(name, 1.0, trail=trail) for name in ("flight", "hotel")]
    look = sleeping_tool("look", 2.0)
    plan = Plan(*(Call(each.name, each) for each in tools), Call("look", look, after=["flight"]))
    record(scripted_assistant(plan, tools=[*tools, look]), change_of_mind, policy="rollback")
    undone = [name for _, _, name in trail.of("undo")]
    assert undone == ["hotel", "flight"]
    assert re.findall(r"^  undo (\w+)", draw("op1"), re.MULTILINE) == undone


def test_a_time_between_waves_is_shown_when_a_store_does_not_take_so_long(draw: Any) -> None:
    """Nobody thinks there: a process was down, or the store."""
    calls = Call("one", "look"), Call("two", "look", after=["one"]), Call("three", "look", after=["two"])
    fill(
        *begun(*calls),
        Happened(operation_id="op1", outcomes=(outcome("one", seconds=2.0),)),
        Resume("op1"),
        Intended(operation_id="op1", call_ids=("two",), at=NOW + 6),
        Happened(operation_id="op1", outcomes=(outcome("two", seconds=2.0),)),
        Intended(operation_id="op1", call_ids=("three",), at=NOW + 8.75),
        Happened(operation_id="op1", outcomes=(outcome("three", seconds=1.0),)),
        End(operation_id="op1", phase=Phase.FAILED, at=NOW + 10),
        Settle("m1", Failed("KeyError: 15551234567")),
    )
    assert (
        draw("op1", width=80)
        == """\
operation op1 of …4567: failed, the process died 1 time
began 2027-01-15 08:00:00 UTC
1 message, fate: failed: KeyError: …4567

                   0                  5.000 s      10.000 s
plan              [...                                     ]  1.000 s
round 0, wave 1   [                                        ]
  one  look       [   ========                             ]  2.000 s  succeeded
nothing recorded  [           ............                 ]  3.000 s
round 0, wave 2   [                                        ]
  two  look       [                       ========         ]  2.000 s  succeeded
round 0, wave 3   [                                        ]
  three  look     [                                  ====  ]  1.000 s  succeeded
adapt or reply    [                                      . ]  0.250 s  failed
end               [                                       #]           failed

. thinking   = succeeded   # end
"""
    )


def told(id: str, kind: OutgoingKind, **fields: Any) -> Queue:
    """A row of the outbox."""
    row = OutboxRow(id=id, user=ANNA, kind=kind, text=f"It is\n{id}", operation_id="op1", message_id="m1")
    return Queue(attrs.evolve(row, **fields))


def test_what_its_user_was_told_stands_where_it_was_recorded(draw: Any) -> None:
    """A note has no time; what was given up says why; another operation's is not shown."""
    fill(
        *begun(Call("one", "look")),
        told("note", OutgoingKind.NOTE, state=SendState.SENT, delivery=Delivery.READ),
        told("other", OutgoingKind.REPLY, operation_id="op2"),
        Happened(operation_id="op1", outcomes=(outcome("one", seconds=2.0),)),
        Interrupt(operation_id="op1", by="", reason=Reason.DEADLINE),
        End(operation_id="op1", phase=Phase.INTERRUPTED, at=NOW + 4),
        Settle("m1", Failed("it ran longer")),
        told("sorry", OutgoingKind.APOLOGY, state=SendState.DEAD, error="no user +15551234567"),
    )
    assert (
        draw("op1")
        == """\
operation op1 of …4567: interrupted
began 2027-01-15 08:00:00 UTC
1 message, fate: failed: it ran longer

                  0                 2.000 s     4.000 s   start (UTC)
plan             [.........                           |]  08:00:00.000  1.000 s
round 0, wave 1  [                                    |]
  one  look      [         ==================         |]  08:00:01.000  2.000 s  succeeded
adapt or reply   [                           .........|]  08:00:03.000  1.000 s  cut
interrupted      [                                    |]  08:00:04.000           it took too long
told             [                                    |]
  note           [                                    |]                         sent, read
  apology        [                                    *]  08:00:04.000           dead: no user …4567
end              [                                    #]  08:00:04.000           interrupted

. thinking   = succeeded   | interrupted   * told   # end
"""
    )


def test_nothing_in_it_steers_the_terminal_or_is_a_phone_number(draw: Any) -> None:
    """Ids and errors are the assistant's, texts the user's."""
    hostile = "\x1b[2J\r+15551234567"
    calls = Call(hostile, "look"), Call("two", "look")
    fill(
        *begun(*calls),
        Happened(operation_id="op1", outcomes=(outcome(hostile, Status.FAILED, error=hostile),)),
        told("note", OutgoingKind.NOTE, text=hostile),
    )
    out = draw("op1")
    assert re.search(r"^  \\x1b\[2J\\r…4567  look  ", out, re.MULTILINE)
    assert "5551234" not in out
    assert "A table" not in out
    out = draw("op1", "--text")
    assert "\n      A table for two\n" in out
    assert "\n      \\x1b[2J\\r+15551234567\n" in out
    assert set(out) - {"\n"} == {one for one in out if one.isprintable()}


@pytest.mark.parametrize("id", ["", "1", "op11"])
def test_an_unknown_operation_is_told(run: Any, id: str) -> None:
    """In the words of `midstream operations`."""
    fill(*begun(Call("one", "look")))
    assert run("replay", id) == (1, "", f"midstream: there is no operation {id!r}\n")


def test_an_ambiguous_beginning_is_told(run: Any) -> None:
    """In the words of `midstream operations`."""
    record(booking(), change_of_mind)
    assert run("replay", "op") == (
        1,
        "",
        "midstream: more than one operation begins with 'op'; give more of it\n",
    )


def test_without_a_terminal_there_is_a_width_to_count_on(
    run: Any, monkeypatch: pytest.MonkeyPatch, draw: Any
) -> None:
    """As in a pipe: plain text of 100 columns."""
    record(booking(), change_of_mind)
    shown = draw("op1", width=100)
    monkeypatch.delenv("COLUMNS")
    assert run("replay", "op1") == (0, shown, "")


def test_the_drawing_that_is_documented_is_real(draw: Any) -> None:
    """In the reference, as it is printed."""
    record(booking(), change_of_mind, policy="rollback")
    assert f"```text\n$ midstream replay op1\n{draw('op1')}```\n" in COMMANDS.read_text(encoding="utf-8")


# The parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.000 s"),
        (0.0004, "0.000 s"),
        (59.999, "59.999 s"),
        (59.9996, "1 min 00 s"),
        (61.4, "1 min 01 s"),
        (3599.6, "1 h 00 min"),
        (36_061, "10 h 01 min"),
        (400 * 3600, "400 h 00 min"),
    ],
)
def test_a_duration_is_shown_in_the_units_that_matter(seconds: float, shown: str) -> None:
    """Never a minute of 60 seconds."""
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(NOW, "08:00:00.000"), (NOW + 0.25, "08:00:00.250"), (NOW - 0.0001, "08:00:00.000")],
)
def test_the_time_of_the_day_has_milliseconds(seconds: float, shown: str) -> None:
    """Rounded, not cut."""
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("began", "ended", "left_out", "cells"),
    [
        (0, 10, (), slice(0, 10)),
        (0, 5, (), slice(0, 5)),
        (5, 10, (), slice(5, 10)),
        (5, 5, (), slice(5, 6)),
        (10, 10, (), slice(10, 11)),
        (0.1 + 0.2, 3.0, (), slice(0, 3)),
        (-5, 50, (), slice(0, 10)),
        (2, 10, ((0, 10),), slice(2, 10)),
        (0, 1, ((1, 9),), slice(0, 4)),
        (9, 10, ((1, 9),), slice(5, 10)),
    ],
)
def test_a_bar_lies_between_its_moments(began: float, ended: float, left_out: Any, cells: slice) -> None:
    """At least one column, and only the end in the last; what is left out is a tenth of the rest."""
    assert Scale(began=0, ended=10, left_out=left_out).cells(began, ended, 11) == cells


@pytest.mark.parametrize("width", [60, 61, 79, 80, 89, 90, 100, 200])
@pytest.mark.parametrize("length", [0, 1, 20, 300])
def test_no_line_is_wider_than_it_may_be(width: int, length: int) -> None:
    """Whatever stands in it."""
    word = "x" * length
    rows = [
        Row(label=word, began=NOW, ended=NOW + 3000, took="59 min 59 s", said=word),
        Row(label="", began=NOW, took=">400 h 00 min"),
    ]
    scale = Scale(began=NOW, ended=NOW + 400 * 3600)
    lines = list(chart_lines(rows, scale, NOW + 5, width))
    assert max(map(len, lines)) <= width
    assert len({line.index("]") for line in lines if "]" in line}) == 1
