"""One conversation between a terminal and an engine: its lines, its commands, its end.

Rule 1: lines are taken in the order they were written, each before the next.
Rule 2: the end of a pipe waits for the fates of what came through it; a person who leaves does not wait.
"""

from typing import Any, Final

import attrs
import trio

from engine.assistant import Assistant
from engine.events import Event, MessageSettled
from engine.model import Message, OutboxRow, TypingSignal, User
from engine.repl.lines import Place, Tone, chat_line, clean, live_line, render
from engine.repl.terminal import Terminal
from engine.runtime import Engine, open_engine
from engine.store.memory import MemoryStore

# A number that is nobody's: the terminal is the phone.
_PHONE: Final = User("15550100000")

_WELCOME: Final = (
    "Midstream, with this terminal as the phone.  Nothing is kept.",
    "Change your mind before the reply is there: write again.  /help for more.",
)
_HELP: Final = (
    "/stop      end what runs, after the wave under way; drop what waits",
    "           (or write stop, cancel, para, arrête … and nothing else)",
    "/history   show what was said so far",
    "/quit      leave, as Ctrl-D does, or Ctrl-C with nothing typed",
)
_STOPPING: Final = "stopping at the next boundary"
_DROPPED: Final = "dropped what waited; nothing had begun"
_NOTHING: Final = "nothing is running"
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
    # Messages without a fate, and the event that says that there is one less.
    _unsettled: set[str] = attrs.field(factory=set)
    _settled: trio.Event = attrs.field(factory=trio.Event)
    _received: int = 0

    async def talk(self, assistant: Assistant, **options: Any) -> int:
        """Talk until the person or the input ends it; returns the exit code.

        `options` are those of `open_engine`, whose errors this raises.
        """
        async with open_engine(assistant, store=MemoryStore(), outbound=self._send, **options) as engine:
            engine.events.subscribe(self._hear)
            for text in _WELCOME:
                self.terminal.show(live_line(text))
            with self._scope:
                await self._take_lines(engine)
            self.leaving = True
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
        self._received += 1
        message = Message(id=f"line-{self._received}", user=_PHONE, text=text)
        self._unsettled.add(message.id)
        await engine.receive([message])

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

    # What goes out --------------------------------------------------------------------------------

    async def _send(self, outgoing: OutboxRow | TypingSignal) -> str:
        """The engine's way out."""
        await trio.lowlevel.checkpoint()
        match outgoing:
            case OutboxRow():
                self.terminal.show(chat_line("bot", outgoing.text, Tone.BOT))
            # A plan says more; until there is one, this is the only sign that somebody is at it.
            case TypingSignal() if self.terminal.interactive and not self._place.planned:
                self.terminal.show(live_line("typing…"))
        return ""

    def _hear(self, event: Event) -> None:
        """The engine's events: what is shown of them, and which messages have met their fate."""
        if line := render(event, self._place):
            self.terminal.show(line)
        self._place = self._place.after(event)
        if isinstance(event, MessageSettled):
            self._unsettled.discard(event.message_id)
            self._settled.set()
