"""The operator's commands, as they are typed and as what they print."""

import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import trio

from engine import (
    Answered,
    Call,
    Failed,
    Merged,
    Message,
    OutboxRow,
    Outcome,
    OutgoingKind,
    Ref,
    Reply,
    SendState,
    SqliteStore,
    Status,
    Stopped,
    Superseded,
    UndoStatus,
    User,
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
    Mark,
    Planned,
    Queue,
    Settle,
    UndoIntended,
    Undone,
)
from web.__main__ import main
from web.logs import hash_id
from web.operator import commands

ANNA = User("15551234567")
NOW = 1_800_000_000  # 2027-01-15 08:00:00 UTC
DAY = 24 * 3600


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings say that the database is."""
    for name in [name for name in os.environ if name.startswith(("MIDSTREAM_", "WHATSAPP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIDSTREAM_DATABASE", "sqlite:///data.db")
    monkeypatch.setattr(commands.time, "time", lambda: NOW)
    return tmp_path / "data.db"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command line; returns the exit code, the output and the errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def nobody(committed: Committed) -> None:
    """A listener that hears nothing."""


@asynccontextmanager
async def open_store() -> AsyncIterator[SqliteStore]:
    """A store as a running server has it."""
    store = SqliteStore("data.db")
    async with store.open(nobody):
        yield store


def fill(*changes: Change) -> None:
    """What a server wrote that does not run any more."""

    async def write() -> None:
        async with open_store() as store:
            await store.write(changes)

    trio.run(write)


def message(id: str = "wamid.1", *, text: str = "Check Hanukkah", at: int = NOW) -> Message:
    return Message(id=id, user=ANNA, text=text, timestamp=at)


def row(id: str, text: str = "It begins on Friday", message_id: str = "wamid.1") -> Queue:
    return Queue(
        OutboxRow(
            id=id,
            user=ANNA,
            kind=OutgoingKind.REPLY,
            text=text,
            message_id=message_id,
            operation_id="0badcafe",
        )
    )


def outcome(call: str, status: Status, **fields: Any) -> Outcome:
    return Outcome(call_id=call, tool="look_up", status=status, **fields)


def running() -> list[Change]:
    """An operation in its second wave: one call has ended, one failed, one is under way, one is to come."""
    calls = (
        Call("day", "look_up", {"what": "Hanukkah"}),
        Call("place", "look_up", {"what": "home"}),
        Call("times", "look_up", {"day": Ref("day")}),
        Call("tell", "look_up", after=["times"]),
    )
    return [
        Accept(message=message(), at=NOW),
        Begin(operation_id="0badcafe", message=message(), at=NOW + 0.5),
        Planned(operation_id="0badcafe", round=0, calls=calls),
        Intended(operation_id="0badcafe", call_ids=("day", "place"), at=NOW),
        Happened(
            operation_id="0badcafe",
            outcomes=(
                outcome("day", Status.SUCCEEDED, raw="Friday", seconds=0.25),
                outcome("place", Status.FAILED, error="no place of\n+15551234567 is known", seconds=1.5),
            ),
        ),
        Intended(operation_id="0badcafe", call_ids=("times",), at=NOW),
    ]


def finished() -> list[Change]:
    """An operation that was answered, its reply sent."""
    return [
        Accept(message=message(), at=NOW),
        Begin(operation_id="0badcafe", message=message(), at=NOW),
        End(operation_id="0badcafe", phase=Phase.COMPLETED, at=NOW + 2),
        Settle("wamid.1", Answered(Reply("It begins on Friday"))),
        row("row1"),
        Mark(row_id="row1", state=SendState.SENT, attempts=1, provider_id="wamid.2"),
    ]


def dead(id: str) -> Mark:
    return Mark(row_id=id, state=SendState.DEAD, attempts=7, error="no user +15551234567 (error 131026)")


def look(statement: str) -> list[Any]:
    """What stands in the file, seen from outside."""
    with closing(sqlite3.connect("data.db")) as connection:
        return connection.execute(statement).fetchall()


# Every command ------------------------------------------------------------------------------------

COMMANDS = [
    ("operations",),
    ("operations", "0bad"),
    ("replay", "0bad"),
    ("outbox",),
    ("outbox", "retry", "--all-dead"),
    ("outbox", "drop", "row1"),
    ("forget", "15551234567", "--yes"),
    ("purge", "--older-than", "30d"),
    ("backup", "backup.db"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_a_database_says_so_and_makes_none(run: Any, tmp_path: Path, command: Any) -> None:
    """One line, exit code 1, and no file."""
    code, out, err = run(*command)
    assert (code, out) == (1, "")
    assert err == (
        "midstream: MIDSTREAM_DATABASE: there is no database data.db; the server makes it when it starts\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_leaves_another_programs_file_alone(run: Any, database: Path, command: Any) -> None:
    """One line that says what it is not."""
    database.write_text("letters to a friend")
    code, out, err = run(*command)
    assert (code, out) == (1, "")
    assert err == (
        "midstream: MIDSTREAM_DATABASE: data.db is not a database of Midstream; name another file\n"
    )
    assert database.read_text() == "letters to a friend"


def test_only_what_a_command_needs_must_be_right(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the credentials matter to no operation; a wrong setting of ours is refused all the same."""
    fill(*running())
    monkeypatch.setenv("WHATSAPP_ACCESS_TOKEN", "EAA")
    monkeypatch.setenv("MIDSTREAM_BIND", "0.0.0.0:80")
    assert run("operations")[0] == 0
    monkeypatch.setenv("MIDSTREAM_DATABSE", "sqlite:///other.db")
    code, out, err = run("operations")
    assert (code, out) == (2, "")
    assert "MIDSTREAM_DATABSE: there is no such setting" in err


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        ("operations --limit 0", "must be a whole number, at least 1"),
        ("operations --limit many", "must be a whole number, at least 1"),
        ("outbox --state lost", "invalid choice: 'lost'"),
        ("outbox retry", "one of the arguments ID --all-dead is required"),
        ("outbox drop row1 --all-dead", "not allowed with"),
        ("forget +", "must be a phone number with its country's code"),
        ("purge", "--older-than"),
        ("purge --older-than 30", "must be days or hours, as 30d or 240h"),
        ("purge --older-than -30d", "--older-than"),
        ("purge --older-than 7d", "must be at least 8d: Meta sends a message again for 7 days"),
        ("purge --older-than 191h", "must be at least 8d"),
    ],
)
def test_a_wrong_command_line_is_refused(
    capsys: pytest.CaptureFixture[str], command: str, refusal: str
) -> None:
    """As argparse does it: the usage, a line, exit code 2."""
    with pytest.raises(SystemExit) as exit:
        main(command.split())
    assert exit.value.code == 2
    assert refusal in capsys.readouterr().err


def test_commands_start_without_the_server() -> None:
    """An operator does not wait for what only a server needs."""
    heavy = "quart", "quart_trio", "hypercorn", "httpx2", "prompt_toolkit"
    program = f"import sys, web.__main__; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


# Operations ---------------------------------------------------------------------------------------


def test_operations_are_listed(run: Any) -> None:
    """Who they are for only by the last digits, and a message by what logs call it."""
    fill(*running())
    assert run("operations") == (
        0,
        "ID        USER   PHASE    STARTED (UTC)        MESSAGE       CALLS  INTERRUPTED BY  CRASHES\n"
        f"0badcafe  …4567  in_wave  2027-01-15 08:00:00  {hash_id('wamid.1')}  2/4    -               0\n",
        "",
    )


def test_finished_operations_are_listed_when_asked_for(run: Any) -> None:
    """An empty list says that it is one, where a pipe does not read it."""
    fill(*finished())
    assert run("operations") == (0, "", "midstream: no unfinished operation\n")
    code, out, err = run("operations", "--all")
    assert (code, err) == (0, "")
    assert "0badcafe  …4567  completed" in out


def test_a_list_that_is_cut_says_so(run: Any) -> None:
    """A number of lines that looks complete would mislead."""
    fill(Accept(message=message(), at=NOW), row("row1"), row("row2"))
    assert run("outbox", "--limit", "2")[2] == ""
    code, out, err = run("outbox", "--limit", "1")
    assert (code, out.count("\n")) == (0, 2)
    assert err == "midstream: there are more than 1; see --limit\n"


def test_an_operation_is_shown_with_its_waves_and_outcomes(run: Any) -> None:
    """What happened, what is under way, what is to come; nothing that was said."""
    fill(*running(), Interrupt(operation_id="0badcafe", by="wamid.9"))
    code, out, err = run("operations", "0bad")
    assert (code, err) == (0, "")
    assert out == (
        "operation       0badcafe\n"
        "user            …4567\n"
        f"message         {hash_id('wamid.1')}\n"
        "burst           1 message\n"
        "phase           in_wave\n"
        "started         2027-01-15 08:00:00 UTC\n"
        "ended           -\n"
        f"interrupted by  {hash_id('wamid.9')}\n"
        "reason          new_message_received\n"
        "crashes         0\n"
        "fate            none yet\n"
        "\n"
        "round 0, wave 1\n"
        "  day    look_up  succeeded                            0.250 s\n"
        "  place  look_up  failed: no place of\\n…4567 is known  1.500 s\n"
        "\n"
        "round 0, wave 2\n"
        "  times  look_up  started, no outcome yet  -\n"
        "\n"
        "round 0, wave 3\n"
        "  tell  look_up  not started  -\n"
    )


def test_what_was_said_is_shown_when_asked_for(run: Any) -> None:
    """The message, the arguments, the values, the reply."""
    fill(*running(), Settle("wamid.1", Answered(Reply("It begins\n\x1b[31mon Friday"))))
    code, out, _ = run("operations", "0badcafe", "--text")
    assert code == 0
    assert "text            Check Hanukkah\n" in out
    assert "(what='Hanukkah') -> 'Friday'\n" in out
    assert "fate            answered: It begins\\n\\x1b[31mon Friday\n" in out


def burst() -> list[Change]:
    """Two messages that were one request, and a third that joined it with a later plan."""
    first, second, third = (
        message("wamid.1"),
        message("wamid.2", text="or Passover"),
        message("wamid.3", text="quick"),
    )
    book = Call("book", "book", {"day": "Friday"})
    return [
        *(Accept(message=one, at=NOW) for one in (first, second, third)),
        Begin(operation_id="0badcafe", message=second, burst=("wamid.1", "wamid.2"), at=NOW),
        Planned(operation_id="0badcafe", round=0, calls=(Call("day", "look_up"), book)),
        Settle("wamid.1", Merged("wamid.2")),
        Intended(operation_id="0badcafe", call_ids=("day",), at=NOW),
        Happened(operation_id="0badcafe", outcomes=(outcome("day", Status.SUCCEEDED, reused=True),)),
        Planned(operation_id="0badcafe", round=1, calls=(book,), joined=("wamid.3",)),
        Settle("wamid.3", Merged("wamid.2")),
    ]


def test_an_operation_shows_all_the_messages_it_works_on(run: Any) -> None:
    """By what logs call them, those that joined it included; what they say only when asked for."""
    fill(*burst())
    ids = ", ".join(map(hash_id, ("wamid.1", "wamid.2", "wamid.3")))
    code, out, _ = run("operations", "0badcafe")
    assert code == 0
    assert f"message         {hash_id('wamid.2')}\nburst           3 messages: {ids}\n" in out
    assert "fate            none yet\n" in out
    assert "Hanukkah" not in out
    out = run("operations", "0badcafe", "--text")[1]
    assert "text            Check Hanukkah\ntext            or Passover\ntext            quick\n" in out
    assert "1/2" in run("operations")[1]


def test_a_call_that_a_later_plan_kept_is_shown_once(run: Any) -> None:
    """In the round that has it now; and an outcome that was taken over took no time."""
    fill(*burst())
    assert run("operations", "0badcafe")[1].endswith(
        "\n\n"
        "round 0, wave 1\n"
        "  day  look_up  succeeded  reused\n"
        "\n"
        "round 1, wave 1\n"
        "  book  book  not started  -\n"
    )


@pytest.mark.parametrize(
    ("reason", "undo", "by", "shown"),
    [
        (Reason.NEW_MESSAGE, False, "wamid.9", f"{hash_id('wamid.9')}\nreason          new_message_received"),
        (
            Reason.NEW_MESSAGE,
            True,
            "wamid.9",
            f"{hash_id('wamid.9')}\nreason          new_message_received, with undo",
        ),
        (Reason.STOPPED, False, "", "-\nreason          user_stopped"),
        (Reason.DEADLINE, False, "", "-\nreason          deadline"),
    ],
)
def test_an_operation_shows_why_it_was_interrupted(
    run: Any, reason: Reason, undo: bool, by: str, shown: str
) -> None:
    """Also where no message did it; in the words of the event and of the metrics."""
    fill(*running(), Interrupt(operation_id="0badcafe", by=by, reason=reason, undo=undo))
    assert f"interrupted by  {shown}\n" in run("operations", "0badcafe")[1]


def test_an_operation_that_nothing_interrupted_has_no_reason(run: Any) -> None:
    """A dash, as for everything that is not there."""
    fill(*running())
    assert "interrupted by  -\nreason          -\n" in run("operations", "0badcafe")[1]


def test_what_was_taken_back_is_shown_beside_each_call(run: Any) -> None:
    """What was, what could not be and why, and what is being taken back just now."""
    calls = tuple(Call(name, "book") for name in ("one", "two", "three", "four", "five"))
    undone = (
        ("one", UndoStatus.UNDONE, None),
        ("two", UndoStatus.FAILED, "ValueError: ask\n+15551234567"),
        ("three", UndoStatus.TIMED_OUT, "after 30 s"),
    )
    fill(
        Accept(message=message(), at=NOW),
        Begin(operation_id="0badcafe", message=message(), at=NOW),
        Planned(operation_id="0badcafe", round=0, calls=calls),
        Intended(operation_id="0badcafe", call_ids=tuple(call.id for call in calls), at=NOW),
        Happened(
            operation_id="0badcafe",
            outcomes=tuple(outcome(call.id, Status.SUCCEEDED, seconds=1) for call in calls),
        ),
        Interrupt(operation_id="0badcafe", by="wamid.9", undo=True),
        *(UndoIntended(operation_id="0badcafe", call_id=call.id, at=NOW) for call in calls[:4]),
        *(
            Undone(operation_id="0badcafe", call_id=call_id, status=status, error=error)
            for call_id, status, error in undone
        ),
    )
    out = run("operations", "0badcafe")[1]
    assert "phase           undoing\n" in out
    assert out.endswith(
        "round 0, wave 1\n"
        "  one    book  succeeded  1.000 s  taken back\n"
        "  two    book  succeeded  1.000 s  not taken back, failed: ValueError: ask\\n…4567\n"
        "  three  book  succeeded  1.000 s  not taken back, timed out: after 30 s\n"
        "  four   book  succeeded  1.000 s  undo started, no outcome yet\n"
        "  five   book  succeeded  1.000 s\n"
    )


@pytest.mark.parametrize(
    ("fate", "shown"),
    [
        (Answered(Reply("a secret")), "answered"),
        (Superseded("wamid.2"), f"superseded by {hash_id('wamid.2')}"),
        (Merged("wamid.3"), f"merged into {hash_id('wamid.3')}"),
        (Failed("KeyError: 15551234567"), "failed: KeyError: …4567"),
        (Stopped("Stopped. Already done: a secret."), "stopped"),
    ],
)
def test_an_operation_shows_the_fate_of_its_message(run: Any, fate: Any, shown: str) -> None:
    """In the words of the log."""
    fill(*running(), Settle("wamid.1", fate))
    assert f"fate            {shown}\n" in run("operations", "0badcafe")[1]


def test_a_later_round_has_its_own_waves(run: Any) -> None:
    """What was planned after results were seen depends on an earlier round, which is settled."""
    fill(
        *running(), Planned(operation_id="0badcafe", round=1, calls=(Call("more", "look_up", after=["day"]),))
    )
    assert "\nround 1, wave 1\n  more  look_up  not started  -\n" in run("operations", "0badcafe")[1]


@pytest.mark.parametrize("id", ["", "1", "0badcafe0"])
def test_an_unknown_operation_is_told(run: Any, id: str) -> None:
    """One line, exit code 1."""
    fill(*running())
    assert run("operations", id) == (1, "", f"midstream: there is no operation {id!r}\n")


# The outbox ---------------------------------------------------------------------------------------


def test_the_outbox_is_listed_without_what_it_says(run: Any) -> None:
    """Dead letters with the reason; a text only when asked for."""
    fill(*running(), row("row1"), dead("row1"))
    code, out, err = run("outbox")
    assert (code, err) == (0, "")
    assert out == (
        "ID    USER   KIND   STATE  ATTEMPTS  DELIVERY  ERROR\n"
        "row1  …4567  reply  dead   7         -         no user …4567 (error 131026)\n"
    )
    assert "It begins on Friday" in run("outbox", "--text")[1]
    assert run("outbox", "--state", "sent") == (0, "", "midstream: nothing is sent\n")


def test_dead_letters_are_sent_at_the_next_start(run: Any) -> None:
    """When no server runs, that is when."""
    fill(*running(), row("row1"), row("row2"), dead("row1"), dead("row2"))
    assert run("outbox", "retry", "row1") == (
        0,
        "to be sent again: 1 dead letter; no server runs: it sends them when it starts\n",
        "",
    )
    assert look("SELECT id, state FROM outbox ORDER BY sequence") == [("row2", "dead"), ("row1", "pending")]
    assert run("outbox", "drop", "--all-dead") == (0, "dropped: 1 dead letter\n", "")
    assert run("outbox", "retry", "--all-dead") == (0, "to be sent again: 0 dead letters\n", "")


def test_a_letter_that_is_not_dead_is_told(run: Any) -> None:
    """One line, exit code 1."""
    fill(*finished())
    assert run("outbox", "retry", "row1") == (1, "", "midstream: row1 is sent, not a dead letter\n")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to know a process")
async def test_a_running_server_is_told_of_letters_to_send(run: Any) -> None:
    """It reads its outbox again on the signal; who does not expect that is only named."""
    async with open_store() as store:
        await store.write([*running(), row("row1"), row("row2"), dead("row1"), dead("row2")])
        assert "could not be told" in run("outbox", "retry", "row1")[1]
        with trio.open_signal_receiver(signal.SIGHUP) as heard:
            out = run("outbox", "retry", "row2")[1]
            assert out.startswith(f"to be sent again: 1 dead letter; the server (process {os.getpid()}@")
            async for number in heard:
                assert number == signal.SIGHUP
                break
        assert [unsent.id for unsent in await store.read_unsent(10)] == ["row1", "row2"]


# Forgetting and keeping ---------------------------------------------------------------------------


@pytest.mark.parametrize("phone", ["15551234567", "+1 (555) 123-4567", "001.555.123.4567"])
def test_a_person_is_forgotten_by_the_number_as_people_write_it(run: Any, phone: str) -> None:
    """With what was removed in numbers; once more is no error."""
    fill(*finished())
    assert run("forget", phone, "--yes") == (
        0,
        "forgot …4567: 1 message, 1 operation, 0 calls, 1 outbox row\n",
        "midstream: backups made before still hold it\n",
    )
    assert look("SELECT * FROM messages") == []
    assert run("forget", phone, "--yes") == (0, "nothing is known about …4567\n", "")


def test_a_person_without_a_number_is_forgotten_by_the_id(run: Any) -> None:
    """WhatsApp's own ids are no numbers, and stay as they are."""
    anna = User("US.13491208655302741918")
    fill(Accept(message=Message(id="wamid.1", user=anna, text="hello", timestamp=NOW), at=NOW))
    assert run("forget", anna.id, "--yes")[1].startswith("forgot …1918: 1 message,")


def test_nobody_is_forgotten_by_a_slip(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can be asked, it must be said that nobody is to be."""
    fill(*finished())
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        code, out, err = run("forget", ANNA.id)
    assert (code, out) == (1, "")
    assert err == "midstream: this cannot be undone, and nobody can be asked here; add --yes\n"
    assert len(look("SELECT * FROM messages")) == 1


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("Yes", 0), ("", 1), ("n", 1), ("what?", 1)])
def test_a_person_at_a_terminal_is_asked(answer: str, left: int) -> None:
    """Anything but a yes is a no."""
    fill(*finished())
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "web", "forget", ANNA.id]
    environment = os.environ | {"PYTHONPATH": str(Path(commands.__file__).parents[2])}
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, text=True, env=environment)
    os.close(theirs)
    try:
        os.write(ours, f"{answer}\n".encode())
        out, _ = process.communicate()
    finally:
        os.close(ours)
    assert out.startswith("Forget everything about …4567? This cannot be undone [y/N] ")
    assert process.returncode == (1 if left else 0)
    assert len(look("SELECT * FROM messages")) == left


async def test_a_person_whom_a_server_works_for_is_not_forgotten(run: Any) -> None:
    """One line that says what to do."""
    async with open_store() as store:
        await store.write(running())
        assert run("forget", ANNA.id, "--yes") == (
            1,
            "",
            "midstream: the server is at work for …4567; stop it, or try again when it is done\n",
        )
    assert run("forget", ANNA.id, "--yes")[0] == 0


def test_the_past_is_purged(run: Any) -> None:
    """By the day or the hour, and from eight days on."""
    old = Message(id="old", user=ANNA, text="long ago", timestamp=NOW - 8 * DAY - 1)
    fill(*finished(), Accept(message=old, at=NOW), Settle("old", Superseded("wamid.1")))
    purged = "removed what was settled before {} UTC: {} message{}, 0 operations, 0 calls, 0 outbox rows\n"
    assert run("purge", "--older-than", "9d") == (0, purged.format("2027-01-06 08:00:00", 0, "s"), "")
    assert run("purge", "--older-than", "192h") == (0, purged.format("2027-01-07 08:00:00", 1, ""), "")
    assert look("SELECT id FROM messages") == [("wamid.1",)]


def test_a_burst_that_is_half_purged_is_still_a_conversation(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its messages may fall into two batches; a server that reads between them must not stumble."""
    long_ago = NOW - 9 * DAY
    one, two = message("old1", at=long_ago), message("old2", at=long_ago, text="or Passover")
    fill(
        Accept(message=one, at=long_ago),
        Accept(message=two, at=long_ago),
        Begin(operation_id="0badcafe", message=two, burst=("old1", "old2"), at=long_ago),
        End(operation_id="0badcafe", phase=Phase.INTERRUPTED, at=long_ago),
        Settle("old1", Superseded("wamid.1")),
        Settle("old2", Superseded("wamid.1")),
    )
    between: list[list[str]] = []

    async def read() -> None:
        async with open_store() as store:
            conversation = await store.read_conversation(ANNA.id, limit=10)
        between.append([turn.message_id for turn in conversation.turns])
        assert [record.message.id for record in conversation.superseded] == between[-1]

    monkeypatch.setattr("engine.store.sqlite.admin.removing._BATCH_MESSAGES", 1)
    monkeypatch.setattr(commands.time, "sleep", lambda _seconds: trio.run(read))
    removed = "2 messages, 1 operation, 0 calls, 0 outbox rows\n"
    assert run("purge", "--older-than", "8d")[1].endswith(removed)
    assert between == [["old2"], []]


async def test_a_backup_is_made_while_a_server_runs(run: Any, tmp_path: Path) -> None:
    """Its size is told; a second one needs another name."""
    async with open_store() as store:
        await store.write(finished())
        code, out, err = run("backup", "backup.db")
    size = (tmp_path / "backup.db").stat().st_size
    assert (code, out, err) == (0, f"backed up to backup.db ({size} bytes)\n", "")
    assert run("backup", "backup.db") == (
        1,
        "",
        "midstream: backup.db exists and is not overwritten; name another file\n",
    )


# As a process -------------------------------------------------------------------------------------


def start(*arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
    """The command in a process of its own."""
    root = Path(commands.__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-m", "web", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(root)} | variables,
    )


def test_a_terminal_that_cannot_show_a_sign_gets_an_escape() -> None:
    """A list never ends in an error about letters."""
    fill(*running())
    out, err = start("operations", PYTHONIOENCODING="ascii").communicate()
    assert rb"\u20264567" in out
    assert err == b""


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    """As in `midstream operations | head -1`."""
    fill(*running())
    process = start("operations")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1
