"""A conversation in the terminal: what is shown, what the commands do, how it ends."""

import io
import math
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output

from engine import (
    Assistant,
    AssistantError,
    Button,
    ButtonsBody,
    Call,
    Context,
    DocumentBody,
    Inline,
    Limits,
    Message,
    Outcome,
    Plan,
    Reply,
    Results,
    ToolContext,
    built_in,
    tool,
)
from engine.content import ButtonReply
from engine.repl import run_repl
from engine.repl.chat import Chat
from engine.repl.files import save_file
from engine.repl.lines import Line, Tone, chat_line
from engine.repl.live import Bar, Live
from engine.repl.prompt import PromptTerminal
from engine.repl.screen import RichScreen
from engine.repl.script import TimedLine
from engine.repl.terminal import PlainTerminal, ScriptedTerminal, Terminal
from engine.testing import scripted_assistant, sleeping_tool

# The fake ------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class FakeTerminal:
    """A terminal at which somebody writes each line at its second; after the last one the input ends.

    `shown` is what stands on it.  Verified: the contract below runs against it and the real ones.
    """

    script: Sequence[tuple[float, str]] = ()
    interactive: bool = False
    shown: list[str] = attrs.field(factory=list)
    # What was under way, each time that it changed, and when.
    moved: list[tuple[float, Live]] = attrs.field(factory=list)

    def show(self, line: Line) -> None:
        self.shown.append(line.text)

    def show_live(self, live: Live) -> None:
        self.moved.append((trio.current_time(), live))

    @asynccontextmanager
    async def lines(self) -> AsyncIterator[trio.MemoryReceiveChannel[str]]:
        put, lines = trio.open_memory_channel[str](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, put)
            yield lines
            nursery.cancel_scope.cancel()

    async def _write(self, put: trio.MemorySendChannel[str]) -> None:
        async with put:
            for second, text in self.script:
                await trio.sleep_until(second)
                await put.send(text)


# The contract of every terminal --------------------------------------------------------------------

# A terminal on which these lines were written, whose input then ends or stays open; and what it shows.
Bench = Iterator[tuple[Terminal, Callable[[], str]]]


@contextmanager
def _fake(texts: Sequence[str], *, ends: bool) -> Bench:
    script = [(0.0, text) for text in texts] + ([] if ends else [(math.inf, "")])
    terminal = FakeTerminal(script)
    yield terminal, lambda: "\n".join(terminal.shown)


@contextmanager
def _plain(texts: Sequence[str], *, ends: bool) -> Bench:
    stdin, writer = os.pipe()
    os.write(writer, "\n".join(texts).encode())
    if ends:
        os.close(writer)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdout", shown := io.TextIOWrapper(io.BytesIO(), "utf-8"))
            yield PlainTerminal(stdin), lambda: shown.buffer.getvalue().decode()
    finally:
        if not ends:
            os.close(writer)  # first: it wakes the thread that was left in os.read
        os.close(stdin)


@contextmanager
def _prompt(texts: Sequence[str], *, ends: bool) -> Bench:
    shown = io.StringIO()
    output = Vt100_Output(shown, lambda: Size(rows=24, columns=80), term="dumb", enable_cpr=False)
    with create_pipe_input() as keys, create_app_session(input=keys, output=output):
        keys.send_text("".join(f"{text}\r" for text in texts) + ("\x04" if ends else ""))
        yield PromptTerminal(), shown.getvalue


@contextmanager
def _scripted(texts: Sequence[str], *, ends: bool) -> Bench:
    script = [TimedLine(0.0, text) for text in texts] + ([] if ends else [TimedLine(math.inf, "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", shown := io.StringIO())
        yield ScriptedTerminal(RichScreen(), script), shown.getvalue


every_terminal = pytest.mark.parametrize("open_bench", [_fake, _plain, _prompt, _scripted])


@every_terminal
async def test_a_terminal_gives_each_line_in_order_and_then_the_end(open_bench) -> None:
    """Every line once, as it was written, however fast; the last one without its line end, too."""
    texts = ["Check Hanukkah", "", "/help", "חנוכה", "last"]
    with open_bench(texts, ends=True) as (terminal, _shown):
        async with terminal.lines() as lines:
            assert [line async for line in lines] == texts


@every_terminal
async def test_a_terminal_can_be_left_while_nobody_writes(open_bench) -> None:
    """A signal must not wait for the person: the block ends though its reader waits."""
    with open_bench([], ends=False) as (terminal, _shown), trio.CancelScope() as scope:
        async with terminal.lines() as lines, trio.open_nursery() as nursery:
            nursery.start_soon(lines.receive)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert scope.cancelled_caught


@every_terminal
async def test_a_terminal_shows_a_line_in_every_tone_while_it_reads(open_bench) -> None:
    """What is shown stands there when the block has ended."""
    with open_bench([], ends=False) as (terminal, shown):
        async with terminal.lines():
            for tone in Tone:
                terminal.show(Line(f"a {tone} line ✓", tone))
        text = shown()
    assert [f"a {tone} line ✓" in text for tone in Tone] == [True] * len(Tone)


@every_terminal
async def test_a_terminal_shows_lines_while_something_is_under_way(open_bench) -> None:
    """They stand there when it is not any more; and what was never under way can end, too."""
    with open_bench([], ends=False) as (terminal, shown):
        terminal.show_live(Live())
        async with terminal.lines():
            terminal.show_live(Live(runs=True))
            terminal.show_live(Live(runs=True, bars=(Bar("who", trio.current_time(), 10.0),)))
            terminal.show(Line("a line"))
            terminal.show_live(Live())
        terminal.show_live(Live())
        text = shown()
    assert "a line" in text


# The real ones' own --------------------------------------------------------------------------------


async def test_bytes_that_are_no_text_come_as_replacement_characters() -> None:
    """A pipe may carry anything."""
    stdin, writer = os.pipe()
    os.write(writer, b"a\xffb\n\xed\xb3\xbf\n")
    os.close(writer)
    async with PlainTerminal(stdin).lines() as lines:
        assert [line async for line in lines] == ["a\ufffdb", "\ufffd\ufffd\ufffd"]
    os.close(stdin)


async def test_an_input_that_cannot_be_read_is_at_its_end(tmp_path) -> None:
    """`midstream repl < /some/directory` says nothing, and ends."""
    stdin = os.open(tmp_path, os.O_RDONLY)
    async with PlainTerminal(stdin).lines() as lines:
        assert [line async for line in lines] == []
    os.close(stdin)


def test_an_output_that_cannot_hold_a_character_gets_a_question_mark(monkeypatch) -> None:
    """An ASCII terminal shows what it can."""
    stdout = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr("sys.stdout", stdout)
    PlainTerminal(0).show(Line("✓ a"))
    assert stdout.buffer.getvalue() == b"? a\n"


def test_a_narrow_terminal_keeps_words_whole_and_who_speaks_apart(monkeypatch) -> None:
    """What does not fit stands under what was said; a wide character counts as the two columns it takes."""
    monkeypatch.setenv("COLUMNS", "15")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout", shown := io.StringIO())
    PromptTerminal().show(chat_line("bot", "It is 過越祭 now\n\nand incomprehensible", Tone.BOT))
    assert shown.getvalue().splitlines() == [
        "bot> It is",
        "     過越祭 now",
        "     ",
        "     and",
        "     incomprehe",
        "     nsible",
    ]


async def test_ctrl_c_clears_what_was_typed_and_with_nothing_typed_it_leaves() -> None:
    """As in a shell; and then out."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("half a line\x03whole\r\x03never\r")
        async with PromptTerminal().lines() as lines:
            assert [line async for line in lines] == ["whole"]


# Conversations -------------------------------------------------------------------------------------

_look = sleeping_tool("look", 2.0)
_PLAN = Plan(Call("who", _look), Call("when", _look, after=["who"]))
_PLANNED = "     plan    [who] → [when]"
_WAVE_1 = ["     wave 1  who", "       ✓ who  2.0 s", "     wave 1  finished in 2.0 s"]
_WAVE_2 = ["     wave 2  when", "       ✓ when  2.0 s", "     wave 2  finished in 2.0 s"]
_ACKNOWLEDGED = "bot> Got it! Switching to your new request..."
_LEAVING = "     leaving at the next boundary; Ctrl-C leaves at once"


async def _talk(
    terminal: FakeTerminal,
    assistant: Assistant | None = None,
    *,
    leave_at: float = math.inf,
    **options: Any,
) -> tuple[int, list[str]]:
    """The exit code, and what was shown after the two lines of welcome."""
    chat = Chat(terminal)
    assistant = assistant or scripted_assistant(_PLAN, tools=[_look])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_leave, chat, leave_at)
        code = await chat.talk(assistant, **options)
        nursery.cancel_scope.cancel()
    return code, terminal.shown[2:]


async def _leave(chat: Chat, second: float) -> None:
    await trio.sleep_until(second)
    chat.leave(130)


async def test_it_says_at_once_that_nothing_is_kept(autojump_clock) -> None:
    """Before the first line: whoever expects a memory is told."""
    terminal = FakeTerminal()
    assert await _talk(terminal) == (0, [])
    assert "is not kept" in terminal.shown[0]


async def test_a_pipe_is_a_whole_conversation(autojump_clock) -> None:
    """Two lines, the second during the first one's wave: the wave ends, wave 2 does not start, one reply."""
    terminal = FakeTerminal([(0, "Check Hanukkah"), (1, "Actually Passover")])
    assert await _talk(terminal) == (
        0,
        [
            "you> Check Hanukkah",
            _PLANNED,
            "     wave 1  who",
            "you> Actually Passover",
            _ACKNOWLEDGED,
            "       ✓ who  2.0 s",
            "     wave 1  finished in 2.0 s",
            "     interrupted at the boundary after wave 1; wave 2 does not start",
            _PLANNED,
            *_WAVE_1,
            *_WAVE_2,
            "bot> done: Actually Passover",
        ],
    )


async def test_a_pipe_that_is_faster_than_any_wave_gets_its_last_answer(autojump_clock) -> None:
    """Every line is taken as it is read; at the end the last fates are waited for."""
    code, shown = await _talk(FakeTerminal([(0, "one"), (0, "two"), (0, "three")]))
    assert code == 0
    assert [text for text in shown if text.startswith("you>")] == ["you> one", "you> two", "you> three"]
    assert shown[-8:] == [_PLANNED, *_WAVE_1, *_WAVE_2, "bot> done: three"]


async def test_nothing_is_no_message(autojump_clock) -> None:
    """Empty lines, blanks, and control characters alone are passed over; around a text they are taken off."""
    terminal = FakeTerminal([(0, ""), (0, " \t "), (0, "\x1b\x00"), (0, "\udcff"), (0, " Pass\x07over \r")])
    code, shown = await _talk(terminal)
    assert (code, shown[0], shown[-1]) == (0, "you> Passover", "bot> done: Passover")
    assert len([text for text in shown if text.startswith("you>")]) == 1


async def test_stop_ends_the_request_at_its_boundary_and_says_where(autojump_clock) -> None:
    """P3: the wave under way finishes, nothing after it starts; the answer is what was done."""
    assert await _talk(FakeTerminal([(0, "Passover"), (1, "/stop")])) == (
        0,
        [
            "you> Passover",
            _PLANNED,
            "     wave 1  who",
            "you> /stop",
            "     stopping at the next boundary",
            "       ✓ who  2.0 s",
            "     wave 1  finished in 2.0 s",
            "     stopped at the boundary after wave 1; wave 2 does not start",
            "bot> Stopped. Already done: look.",
        ],
    )


async def test_a_stop_word_is_the_same_and_is_answered_in_its_language(autojump_clock) -> None:
    """Whoever writes it sees at once that it was heard."""
    assert await _talk(FakeTerminal([(0, "Passover"), (1, "¡Para!"), (5, "para")])) == (
        0,
        [
            "you> Passover",
            _PLANNED,
            "     wave 1  who",
            "you> ¡Para!",
            "     stopping at the next boundary",
            "       ✓ who  2.0 s",
            "     wave 1  finished in 2.0 s",
            "     stopped at the boundary after wave 1; wave 2 does not start",
            "bot> Detenido. Ya hecho: look.",
            "you> para",
            "bot> No hay nada que detener.",
        ],
    )


async def test_stop_drops_a_burst_that_has_not_begun(autojump_clock) -> None:
    """Nothing was done, and that is the answer, in the history too."""
    script = [(0, "Check"), (1, "Passover"), (2, "/stop"), (3, "/history")]
    code, shown = await _talk(FakeTerminal(script), limits=Limits(debounce_seconds=4))
    assert (code, shown[:4]) == (
        0,
        ["you> Check", "you> Passover", "you> /stop", "     dropped what waited; nothing had begun"],
    )
    assert shown[4:] == ["bot> Stopped.", "you> /history", "you> Check", "you> Passover", "bot> Stopped."]


# Every policy, as whoever sits at the terminal sees it ----------------------------------------------


def _apart(shown: Sequence[str]) -> tuple[list[str], list[str]]:
    """What was done, and what was said: sending is a task of its own, and may come a line later."""
    said = [text for text in shown if text.startswith("bot>")]
    return [text for text in shown if text not in said], said


async def test_under_steer_a_message_joins_the_request_at_its_boundary(autojump_clock) -> None:
    """It says so when it has; the calls that the new plan does without are told."""
    assistant = scripted_assistant(_PLAN, Plan(Call("both", _look)), tools=[_look])
    script = [(0, "Passover"), (1, "and Easter")]
    assert await _talk(FakeTerminal(script), assistant, policy="steer") == (
        0,
        [
            "you> Passover",
            _PLANNED,
            "     wave 1  who",
            "you> and Easter",
            "       ✓ who  2.0 s",
            "     wave 1  finished in 2.0 s",
            "     joined  the request under way",
            "       - when  skipped, a later plan left it out",
            "     more    [both]",
            "     wave 2  both",
            "       ✓ both  2.0 s",
            "     wave 2  finished in 2.0 s",
            "bot> done: and Easter",
        ],
    )


async def test_under_rollback_it_is_told_what_is_taken_back(autojump_clock) -> None:
    """One line for each call, before the end of the request; and the engine's own words."""
    undone: list[dict[str, Any]] = []

    async def take_back(args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
        await trio.sleep(0.5)
        undone.append(args)

    @tool(timeout=10, undo=take_back, title="a table")
    async def book(day: str) -> None:
        await trio.sleep(2)

    plan = Plan(Call("book", book, {"day": "Friday"}), Call("when", _look, after=["book"]))
    assistant = scripted_assistant(plan, tools=[_look, book])
    terminal = FakeTerminal([(0, "Passover"), (1, "Easter")])
    code, shown = await _talk(terminal, assistant, policy="rollback")
    planned = ["     plan    [book] → [when]", "     wave 1  book"]
    booked = ["       ✓ book  2.0 s", "     wave 1  finished in 2.0 s"]
    assert (code, *_apart(shown)) == (
        0,
        [
            "you> Passover",
            *planned,
            "you> Easter",
            *booked,
            "       ↶ book  taken back, 0.5 s",
            "     interrupted at the boundary after wave 1; wave 2 does not start",
            *planned,
            *booked,
            *_WAVE_2,
        ],
        [_ACKNOWLEDGED, "bot> Taken back: a table.", "bot> done: Easter"],
    )
    assert undone == [{"day": "Friday"}]


async def test_under_enqueue_each_message_gets_its_answer_in_turn(autojump_clock) -> None:
    """Nothing is interrupted, so there is nothing to tell."""
    code, shown = await _talk(FakeTerminal([(0, "one"), (1, "two")]), policy="enqueue")
    assert (code, *_apart(shown)) == (
        0,
        [
            "you> one",
            _PLANNED,
            _WAVE_1[0],
            "you> two",
            *_WAVE_1[1:],
            *_WAVE_2,
            _PLANNED,
            *_WAVE_1,
            *_WAVE_2,
        ],
        ["bot> done: one", "bot> done: two"],
    )


async def test_under_reject_every_refusal_is_shown_though_it_is_said_once(autojump_clock) -> None:
    """A second one would otherwise vanish without a word."""
    script = [(0, "one"), (1, "two"), (1, "three")]
    code, shown = await _talk(FakeTerminal(script), policy="reject")
    rejected = "     rejected: by the policy"
    done, said = _apart(shown)
    assert (code, done[2:]) == (
        0,
        [_WAVE_1[0], "you> two", rejected, "you> three", rejected, *_WAVE_1[1:], *_WAVE_2],
    )
    assert said == [f"bot> {built_in().texts['en'].rejected}", "bot> done: one"]


async def test_a_request_that_can_be_interrupted_no_more_says_why_the_next_one_waits(autojump_clock) -> None:
    """P13: the bot says that it waits, the line why."""
    script = [(0, "one"), (1, "two"), (3, "three")]
    code, shown = await _talk(FakeTerminal(script), limits=Limits(interruptions_max=1))
    done, said = _apart(shown)
    assert code == 0
    assert done[done.index("you> three") + 1] == (
        "     waits   interruptions in a row: 1; this request runs to its end"
    )
    told = f"bot> {built_in().texts['en'].deferred}"
    assert said == [_ACKNOWLEDGED, told, "bot> done: two", "bot> done: three"]


async def test_what_an_interrupted_request_found_out_is_not_looked_for_again(autojump_clock) -> None:
    """It says so, and where a later interruption lands does not count that wave."""

    @tool(timeout=10, reusable_seconds=60)
    async def ask() -> None:
        await trio.sleep(2)

    plan = Plan(Call("who", ask), Call("when", _look, after=["who"]))
    assistant = scripted_assistant(plan, tools=[_look, ask])
    terminal = FakeTerminal([(0, "one"), (1, "two"), (3, "/stop")])
    code, shown = await _talk(terminal, assistant, now=trio.current_time)
    assert (code, shown[shown.index(_ACKNOWLEDGED) + 4 :]) == (
        0,
        [
            _PLANNED,
            "       ✓ who  known from an interrupted request",
            "     wave 1  when",
            "you> /stop",
            "     stopping at the next boundary",
            "       ✓ when  2.0 s",
            "     wave 1  finished in 2.0 s",
            "     stopped at the boundary after wave 1, the last; no reply follows",
            "bot> Stopped. Already done: look.",
        ],
    )


# Replies that are more than words -------------------------------------------------------------------

_FILE = Inline("Hanukkah.ics", b"BEGIN:VCALENDAR", "text/calendar")
_DAYS = ButtonsBody("Which day?", [Button("mon", "Monday"), Button("tue", "Tuesday")])


def _replying(**replies: Reply | list[Reply]) -> tuple[Assistant, list[Message]]:
    """An assistant that answers a text, or the id of a choice, with these; and what it was asked."""
    asked = []

    async def respond(message: Message, results: Results, context: Context) -> Reply | list[Reply]:
        asked.append(message)
        return replies[message.choice.id if message.choice else message.text]

    return attrs.evolve(scripted_assistant(Plan(), tools=[]), responder=respond, tools=[]), asked


def _talked(shown: Sequence[str]) -> list[str]:
    return [text for text in shown if text != "     plan    nothing to call"]


async def test_a_number_taps_the_choice_of_the_newest_reply(autojump_clock) -> None:
    """The assistant gets what WhatsApp would send it: the choice, on the message that offered it."""
    assistant, asked = _replying(hello=Reply(_DAYS), tue=Reply("Tuesday it is."), **{"2": Reply("Two?")})
    code, shown = await _talk(FakeTerminal([(0, "hello"), (1, "2"), (2, "2")]), assistant)
    assert (code, _talked(shown)) == (
        0,
        [
            "you> hello",
            "bot> Which day?\n       1  Monday\n       2  Tuesday",
            "you> 2",
            "     tapped  Tuesday",
            "bot> Tuesday it is.",
            "you> 2",
            "bot> Two?",
        ],
    )
    assert [message.text for message in asked] == ["hello", "Tuesday", "2"]
    assert asked[1].choice == ButtonReply(id="tue", title="Tuesday")
    assert asked[1].quoted is not None
    assert asked[1].quoted.message_id
    assert (asked[2].choice, asked[2].quoted) == (None, None)


async def test_a_tap_can_be_taken_back_by_another(autojump_clock) -> None:
    """Until a new reply is there the choices stay, as buttons do."""

    async def respond(message: Message, results: Results, context: Context) -> Reply:
        return Reply(f"{message.text} it is.") if message.choice else Reply(_DAYS)

    assistant = attrs.evolve(scripted_assistant(_PLAN, tools=[_look]), responder=respond)
    code, shown = await _talk(FakeTerminal([(0, "hello"), (5, "1"), (6, "2")]), assistant)
    assert (code, [text for text in shown if text.startswith("     tapped")], shown[-1]) == (
        0,
        ["     tapped  Monday", "     tapped  Tuesday"],
        "bot> Tuesday it is.",
    )


async def test_the_messages_of_one_reply_are_numbered_on(autojump_clock) -> None:
    """Choices and files alike; the next reply's choices begin anew, its files do not."""
    both = [Reply(DocumentBody(_FILE)), Reply(_DAYS), Reply(ButtonsBody("Sure?", [Button("no", "No")]))]
    assistant, asked = _replying(hello=both, no=both)
    _code, shown = await _talk(FakeTerminal([(0, "hello"), (60, "3"), (120, "1")]), assistant)
    shown = [text for text in _talked(shown) if text.startswith("bot>")]
    assert shown[:6] == [
        "bot> [document Hanukkah.ics, 15 bytes; /save 1 keeps it]",
        "bot> Which day?\n       1  Monday\n       2  Tuesday",
        "bot> Sure?\n       3  No",
        "bot> [document Hanukkah.ics, 15 bytes; /save 2 keeps it]",
        "bot> Which day?\n       1  Monday\n       2  Tuesday",
        "bot> Sure?\n       3  No",
    ]
    assert [message.text for message in asked] == ["hello", "No", "Monday"]


async def test_a_reply_shows_what_it_quotes(autojump_clock) -> None:
    """Above it, as a phone does."""
    assistant, _asked = _replying(hello=Reply("Hi", reply_to="line-1"))
    _code, shown = await _talk(FakeTerminal([(0, "hello")]), assistant)
    assert shown[-1] == "bot> ↩ hello\n     Hi"


async def test_a_file_is_saved_under_its_name_or_where_it_is_told(
    autojump_clock, tmp_path, monkeypatch
) -> None:
    """And never over one that is there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assistant, _asked = _replying(hello=Reply(DocumentBody(_FILE)))
    script = ["hello", "/save 1", "/save 1", "/save 1 my calendar.ics", "/save 1 folder", "/save 1 no/where"]
    _code, shown = await _talk(FakeTerminal(list(enumerate(script))), assistant)
    assert [text for text in shown if not text.startswith("you>")][2:] == [
        "     saved   Hanukkah.ics",
        "     Hanukkah.ics is there already; name another: /save 1 PATH",
        "     saved   my calendar.ics",
        "     saved   folder/Hanukkah.ics",
        "     no/where cannot be written: No such file or directory",
    ]
    saved = ["Hanukkah.ics", "folder/Hanukkah.ics", "my calendar.ics"]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.ics")) == saved
    assert [(tmp_path / name).read_bytes() for name in saved] == [b"BEGIN:VCALENDAR"] * 3


@pytest.mark.parametrize("name", ["../up.txt", "/up.txt", "a/b/up.txt", "up\x00.txt"])
async def test_the_name_of_a_file_is_no_way_into_another_folder(name, tmp_path) -> None:
    """An assistant may have it from anywhere."""
    folder = tmp_path / "folder"
    folder.mkdir()
    assert await save_file(Inline(name, b"a"), str(folder)) == trio.Path(folder / "up.txt")
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["up.txt"]


@pytest.mark.parametrize("line", ["/save", "/save 0", "/save 2", "/save x", "/save -1"])
async def test_saving_what_is_not_there_says_how_to(autojump_clock, line) -> None:
    """One file came; its number is 1."""
    assistant, _asked = _replying(hello=Reply(DocumentBody(_FILE)))
    _code, shown = await _talk(FakeTerminal([(0, "hello"), (1, line)]), assistant)
    assert shown[-1] == ("     write /save NUMBER, or /save NUMBER PATH, with the number of a file that came")


# The commands ---------------------------------------------------------------------------------------


async def test_stop_says_when_there_is_nothing_to_stop(autojump_clock) -> None:
    """Neither before the first request nor after its reply."""
    code, shown = await _talk(FakeTerminal([(0, "/stop"), (1, "Passover"), (6, "/stop")]))
    assert (code, shown[:2], shown[-3:]) == (
        0,
        ["you> /stop", "     nothing is running"],
        ["bot> done: Passover", "you> /stop", "     nothing is running"],
    )


async def test_history_is_what_both_have_said(autojump_clock) -> None:
    """P7: a request that was interrupted is part of it."""
    script = [(0, "/history"), (1, "one"), (2, "two"), (9, "/history")]
    code, shown = await _talk(FakeTerminal(script))
    assert (code, shown[:2], shown[-4:]) == (
        0,
        ["you> /history", "     nothing has been said so far"],
        ["you> /history", "you> one", "you> two", "bot> done: two"],
    )


async def test_help_names_every_command_and_an_unknown_one_is_told(autojump_clock) -> None:
    """An unknown command is never sent as a message."""
    assert await _talk(FakeTerminal([(0, "/help"), (0, "/stpo")])) == (
        0,
        [
            "you> /help",
            "     /stop      end what runs, after the wave under way; drop what waits",
            "                (or write stop, cancel, para, arrête … and nothing else)",
            "     /history   show what was said so far",
            "     /save      keep a file that came: /save NUMBER, or /save NUMBER PATH",
            "     /quit      leave, as Ctrl-D does, or Ctrl-C with nothing typed",
            "     NUMBER     tap the choice of that number under the newest reply",
            "you> /stpo",
            "     there is no command /stpo; /help lists them",
        ],
    )


async def test_quitting_during_a_wave_lets_it_finish_and_says_what_does_not_happen(autojump_clock) -> None:
    """P2 holds at the end, too; lines after /quit are not read, and nobody waits for the reply."""
    assert await _talk(FakeTerminal([(0, "Passover"), (1, "/quit"), (1, "Easter")])) == (
        0,
        [
            "you> Passover",
            _PLANNED,
            "     wave 1  who",
            "you> /quit",
            _LEAVING,
            "       ✓ who  2.0 s",
            "     wave 1  finished in 2.0 s",
            "     suspended at the boundary after wave 1; wave 2 does not start",
        ],
    )


async def test_quitting_with_nothing_under_way_says_nothing(autojump_clock) -> None:
    """There is nothing to say."""
    assert await _talk(FakeTerminal([(0, "/quit")])) == (0, ["you> /quit"])


async def test_a_person_who_leaves_does_not_wait_for_the_reply(autojump_clock) -> None:
    """Ctrl-D at a prompt is a wish to leave; the end of a pipe is not.  What was typed is not echoed."""
    code, shown = await _talk(FakeTerminal([(0, "Passover"), (1, "")], interactive=True))
    assert (code, shown) == (
        0,
        [
            _PLANNED,
            "     wave 1  who",
            _LEAVING,
            "       ✓ who  2.0 s",
            "     wave 1  finished in 2.0 s",
            "     suspended at the boundary after wave 1; wave 2 does not start",
        ],
    )


async def test_a_terminal_is_told_what_is_under_way_from_the_first_thought_to_the_reply(
    autojump_clock,
) -> None:
    """A bar for each call of the wave, with the seconds that its tool may take; nothing after the end."""
    terminal = FakeTerminal([(0, "Passover")])
    assistant = scripted_assistant(_PLAN, tools=[_look], planning_seconds=1.0)
    await _talk(terminal, assistant)
    assert terminal.moved == [
        (0, Live(runs=True)),
        (1, Live(runs=True, bars=(Bar("who", 1),))),
        (1, Live(runs=True, bars=(Bar("who", 1, _look.timeout),))),
        (3, Live(runs=True)),
        (3, Live(runs=True, bars=(Bar("when", 3),))),
        (3, Live(runs=True, bars=(Bar("when", 3, _look.timeout),))),
        (5, Live(runs=True)),
        (5, Live()),
        (5, Live()),
    ]


async def test_while_leaving_nothing_moves_any_more(autojump_clock) -> None:
    """The prompt is gone, and with it the place for what moves; the lines still come."""
    terminal = FakeTerminal([(0, "Passover"), (1, "/quit")])
    await _talk(terminal)
    assert terminal.moved[-1] == (1, Live())
    assert "       ✓ who  2.0 s" in terminal.shown


@pytest.mark.parametrize("interactive", [True, False])
async def test_a_signal_leaves_at_the_boundary_with_its_code(autojump_clock, interactive) -> None:
    """While lines are read and while the last fates are waited for alike."""
    script = [(0, "Passover"), (math.inf, "")] if interactive else [(0, "Passover")]
    code, shown = await _talk(FakeTerminal(script, interactive), leave_at=1)
    assert (code, shown[-4:]) == (
        130,
        [
            _LEAVING,
            "       ✓ who  2.0 s",
            "     wave 1  finished in 2.0 s",
            "     suspended at the boundary after wave 1; wave 2 does not start",
        ],
    )


async def test_a_broken_assistant_is_explained_to_whoever_writes_it(autojump_clock) -> None:
    """A user gets only the apology; at this terminal sits the author."""

    async def respond(message: Message, results: Results, context: Context) -> str:
        raise ValueError("no idea")

    broken = attrs.evolve(scripted_assistant(Plan(), tools=[]), responder=respond, tools=[])
    assert await _talk(FakeTerminal([(0, "Passover")]), broken) == (
        0,
        [
            "you> Passover",
            "     plan    nothing to call",
            "     failed: ValueError: no idea",
            "bot> Sorry, something went wrong with your request. Please try again.",
        ],
    )


def test_what_is_wrong_with_the_options_is_raised_as_it_is() -> None:
    """The command line prints it in one line; a group around it would be in the way."""
    with pytest.raises(AssistantError, match="there is no policy 'no such'"):
        run_repl(scripted_assistant(_PLAN, tools=[_look]), policy="no such")
