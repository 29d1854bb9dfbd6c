"""One conversation between a terminal and an engine: its lines, its commands, its end.

Rule 1: lines are taken in the order they were written, each before the next.
Rule 2: the end of a pipe waits for the fates of what came through it; a person who leaves does not wait.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs
import trio

from engine.assistant import Assistant
from engine.content import Quoted
from engine.events import Event, MessageSettled
from engine.model import Message, OutboxRow, OutgoingKind, TypingSignal, User
from engine.repl.bodies import show_body
from engine.repl.files import save_file
from engine.repl.lines import Place, Tone, chat_line, clean, live_line, render
from engine.repl.live import Live
from engine.repl.offer import Offer
from engine.repl.terminal import Terminal
from engine.replies import Inline, TextBody
from engine.runtime import Engine, open_engine
from engine.store.memory import MemoryStore

# A number that is nobody's: the terminal is the phone.
_PHONE: Final = User("15550100000")

_WELCOME: Final = (
    "Midstream, with this terminal as the phone.  The conversation is not kept.",
    "Change your mind before the reply is there: write again.  /help for more.",
)
_HELP: Final = (
    "/stop      end what runs, after the wave under way; drop what waits",
    "           (or write stop, cancel, para, arrête … and nothing else)",
    "/history   show what was said so far",
    "/save      keep a file that came: /save NUMBER, or /save NUMBER PATH",
    "/quit      leave, as Ctrl-D does, or Ctrl-C with nothing typed",
    "NUMBER     tap the choice of that number under the newest reply",
)
_STOPPING: Final = "stopping at the next boundary"
_DROPPED: Final = "dropped what waited; nothing had begun"
_NOTHING: Final = "nothing is running"
_HOW_TO_SAVE: Final = "write /save NUMBER, or /save NUMBER PATH, with the number of a file that came"
_LEAVING: Final = "leaving at the next boundary; Ctrl-C leaves at once"


@attrs.define(eq=False)
class Chat:
    """Runs an assistant for one terminal.  `leave` ends it from outside: a signal, say."""

    terminal: Terminal
    leaving: bool = False
    _code: int = 0
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    # How far the operation that runs has come, for the lines about it.
    _place: Place = attrs.field(factory=Place)
    _live: Live = attrs.field(factory=Live)
    # How many seconds a call may take, by its tool's name.
    _bounds: Mapping[str, float] = attrs.field(factory=dict)
    # Messages without a fate, and the event that says that there is one less.
    _unsettled: set[str] = attrs.field(factory=set)
    _settled: trio.Event = attrs.field(factory=trio.Event)
    # What the lines of the person say, by the ids of their messages.
    _texts: dict[str, str] = attrs.field(factory=dict)
    _offer: Offer = attrs.field(factory=Offer)
    _files: list[Inline] = attrs.field(factory=list)

    async def talk(self, assistant: Assistant, **options: Any) -> int:
        """Talk until the person or the input ends it; returns the exit code.

        `options` are those of `open_engine`, whose errors this raises.
        """
        self._bounds = {name: tool.timeout for name, tool in assistant.tools.items()}
        async with open_engine(assistant, store=MemoryStore(), outbound=self._send, **options) as engine:
            engine.events.subscribe(self._hear)
            for text in _WELCOME:
                self.terminal.show(live_line(text))
            try:
                with self._scope:
                    await self._take_lines(engine)
            finally:
                self.leaving = True
                self.terminal.show_live(Live())
            if self._unsettled:
                self.terminal.show(live_line(_LEAVING))
        return self._code

    def leave(self, code: int = 0) -> None:
        """Take no more lines; what runs is suspended at its boundary."""
        self.leaving = True
        self._code = code
        self._scope.cancel()

    # What comes in --------------------------------------------------------------------------------

    async def _take_lines(self, engine: Engine) -> None:
        async with self.terminal.lines() as lines:
            async for line in lines:
                if text := clean(line).strip():
                    await self._take(text, engine)
            while self._unsettled and not self.terminal.interactive:
                self._settled = trio.Event()
                await self._settled.wait()

    async def _take(self, text: str, engine: Engine) -> None:
        if not self.terminal.interactive:  # nobody saw it being typed
            self.terminal.show(chat_line("you", text, Tone.YOU))
        if text.startswith("/"):
            await self._obey(text, engine)
            return
        if engine.sessions.languages.stop_language(text) and self._has_begun(engine):
            self.terminal.show(live_line(_STOPPING))
        message = self._message(text)
        self._texts[message.id] = message.text
        self._unsettled.add(message.id)
        await engine.receive([message])

    def _message(self, text: str) -> Message:
        id = f"line-{len(self._texts) + 1}"
        tapped = self._offer.find(text)
        if tapped is None:
            return Message(id=id, user=_PHONE, text=text)
        quoted, choice = Quoted(message_id=tapped[0]), tapped[1]
        self.terminal.show(live_line(f"tapped  {choice.title}"))
        return Message(id=id, user=_PHONE, text=choice.title, content=choice, quoted=quoted)

    async def _obey(self, command: str, engine: Engine) -> None:
        match command:
            case "/stop":
                self._stop(engine)
            case "/history":
                await self._show_history(engine)
            case "/quit":
                self.leave()
            case "/help":
                for text in _HELP:
                    self.terminal.show(live_line(text))
            case _ if command.split()[0] == "/save":
                await self._save(command.removeprefix("/save").strip())
            case _:
                self.terminal.show(live_line(f"there is no command {command}; /help lists them", Tone.BAD))

    def _stop(self, engine: Engine) -> None:
        """What was done by then is said by the engine, when all has ended."""
        has_begun = self._has_begun(engine)
        if not engine.stop(_PHONE.id):
            self.terminal.show(live_line(_NOTHING))
        else:
            self.terminal.show(live_line(_STOPPING if has_begun else _DROPPED))

    def _has_begun(self, engine: Engine) -> bool:
        session = engine.sessions.get(_PHONE.id)
        return session is not None and session.operation is not None

    async def _show_history(self, engine: Engine) -> None:
        turns = await engine.read_history(_PHONE.id)
        for turn in turns:
            speaker = "you" if turn.role == "user" else "bot"
            self.terminal.show(chat_line(speaker, turn.text, Tone.LIVE))
        if not turns:
            self.terminal.show(live_line("nothing has been said so far"))

    async def _save(self, words: str) -> None:
        number, _, path = words.partition(" ")
        if not (number.isdecimal() and 1 <= int(number) <= len(self._files)):
            self.terminal.show(live_line(_HOW_TO_SAVE, Tone.BAD))
            return
        try:
            saved = await save_file(self._files[int(number) - 1], path.strip())
        except FileExistsError as error:
            words = f"{error.filename} is there already; name another: /save {number} PATH"
            self.terminal.show(live_line(words, Tone.BAD))
        except OSError as error:
            self.terminal.show(live_line(f"{error.filename} cannot be written: {error.strerror}", Tone.BAD))
        else:
            self.terminal.show(live_line(f"saved   {saved}"))

    # What goes out --------------------------------------------------------------------------------

    async def _send(self, outgoing: OutboxRow | TypingSignal) -> str:
        """The engine's way out."""
        await trio.lowlevel.checkpoint()
        if not isinstance(outgoing, OutboxRow):  # that somebody is at it is shown for as long as it lasts
            return ""
        if outgoing.kind is OutgoingKind.REPLY:
            self._offer = self._offer.before(outgoing)
        shown = show_body(
            outgoing.body or TextBody(outgoing.text),
            choices=len(self._offer.choices),
            files=len(self._files),
            texts=self._texts,
        )
        quote = (f"↩ {self._texts.get(outgoing.reply_to, '')}",) if outgoing.reply_to else ()
        self.terminal.show(chat_line("bot", "\n".join((*quote, *shown.lines)), Tone.BOT))
        self._offer = self._offer.with_choices(outgoing.id, shown.choices)
        self._files += shown.files
        return outgoing.id

    def _hear(self, event: Event) -> None:
        """The engine's events: what is shown of them, and which messages have met their fate."""
        if line := render(event, self._place):
            self.terminal.show(line)
        self._place = self._place.after(event)
        live = self._live.after(event, trio.current_time(), self._bounds)
        if live != self._live and not self.leaving:
            self._live = live
            self.terminal.show_live(live)
        if isinstance(event, MessageSettled):
            self._unsettled.discard(event.message_id)
            self._settled.set()
