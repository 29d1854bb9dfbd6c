"""Deliberate faults: what a promise forbids, done to a copy of the engine, to see that the simulator sees it.

Each is a few substitutions in files of the engine; what is replaced must be there exactly once, so that a
fault is never quietly none.
"""

from collections.abc import Mapping
from typing import Final

import attrs

# (file below engine/, what stands there, what stands there then)
Substitution = tuple[str, str, str]


@attrs.frozen
class Fault:
    """One fault: the number of the promise that it breaks, and how it is made.

    `world`: the one in `found.py` that shows it, where a thousand seeds would not.
    """

    promise: int
    substitutions: tuple[Substitution, ...]
    world: str = ""


def _fault(promise: int, *substitutions: Substitution, world: str = "") -> Fault:
    return Fault(promise, substitutions, world)


_INTENT: Final = (
    "        await self.records.write("
    "Intended(operation_id=operation.id, call_ids=call_ids, at=self.now()))\n"
)

# Those that the simulator is for, first of all.
NAMED: Final[Mapping[str, Fault]] = {
    "shield removed": _fault(
        2,
        (
            "waves.py",
            "            nursery.cancel_scope.shield = True\n",
            "",
        ),
    ),
    "record outside the shield": _fault(
        6,
        (
            "waves.py",
            """        if operation.unrecorded:
            await self.records.write(*operation.happened())
            operation.unrecorded.clear()
""",
            "",
        ),
        (
            "waves.py",
            "        operation.advance(Fact.WAVE_FINISHED)\n",
            """        if operation.unrecorded:
            await self.records.store.write(operation.happened())
            operation.unrecorded.clear()
        operation.advance(Fact.WAVE_FINISHED)
""",
        ),
        (
            "waves.py",
            """        if call.id in operation.unrecorded:
            await self._record(operation)
""",
            "",
        ),
        # Its end is not to make up for that.
        (
            "endings.py",
            """            *operation.happened(),
            self.interruption(operation),
            self._end(operation),""",
            """            self.interruption(operation),
            self._end(operation),""",
        ),
    ),
    "no check before the wave": _fault(
        3,
        (
            "waves.py",
            """        await trio.lowlevel.checkpoint_if_cancelled()
        ready = self._take_over""",
            "        ready = self._take_over",
        ),
    ),
    "acknowledgement sent twice": _fault(
        9,
        ("store/sqlite/schema.py", "CREATE UNIQUE INDEX outbox_told_once", "CREATE INDEX outbox_told_once"),
        (
            "store/sqlite/changes.py",
            " WHERE id = ? AND interrupted_by IS NULL AND ended_at IS NULL",
            " WHERE id = ? AND ended_at IS NULL",
        ),
    ),
    "fate not written": _fault(
        4,
        (
            "beginnings.py",
            "            *(Settle(older.id, Superseded(message.id)) for older in operation.passed_over),\n",
            "",
        ),
    ),
    "table row leaked": _fault(
        10, ("sessions.py", "                del self._sessions[session.user.id]\n", "                pass\n")
    ),
    "late message interrupts": _fault(
        12,
        (
            "policy.py",
            '    "interrupt": (_SUPERSEDE,) * len(Situation),\n',
            '    "interrupt": _NEW["interrupt"],\n',
        ),
        (
            "policy.py",
            """            if snapshot.is_late:
                return Decision.SUPERSEDE
""",
            "",
        ),
    ),
    "intent after act": _fault(
        6,
        ("waves.py", _INTENT, ""),
        (
            "waves.py",
            "        operation.wave_scope = None\n",
            f"        operation.wave_scope = None\n{_INTENT}",
        ),
    ),
    "commit point split in two": _fault(
        8,
        (
            "orchestrator.py",
            """        try:
            await self.records.write_once(*changes)
        except""",
            """        try:
            await self.records.write_once(*changes[2:])
            await self.records.write_once(*changes[:2])
        except""",
        ),
    ),
    "restart cap ignored": _fault(
        14, ("recovery.py", "if crashes >= self.limits.recovery_attempts_max:", "if crashes > 1_000_000:")
    ),
    "duplicate id runs": _fault(
        5,
        (
            "store/sqlite/changes.py",
            """    if connection.execute("SELECT 1 FROM messages WHERE id = ?", (message.id,)).fetchone():
        return
""",
            """    if connection.execute("SELECT 1 FROM messages WHERE id = ?", (message.id,)).fetchone():
        again = attrs.evolve(message, sequence=_next(connection))
        brought.accepted.append(Accepted(message=again, burst_id=message.id, starts_at=change.at))
        return
""",
        ),
    ),
    "outbox reordered": _fault(
        9, ("outbox.py", "        line.letters.append(letter)\n", "        line.letters.appendleft(letter)\n")
    ),
    "undo skipped": _fault(
        6, ("undoing.py", "        for call in self._to_undo(operation):\n", "        for call in ():\n")
    ),
    "old and new operation overlap": _fault(
        1,
        (
            "runner.py",
            "            await self._run_apart(session, operation)\n",
            """            trio.lowlevel.spawn_system_task(self._run_apart, session, operation)
            while operation.reason is None and operation.phase not in (Phase.COMPLETED, Phase.FAILED):
                await trio.sleep(0.25)
""",
        ),
    ),
}

# One more for each promise, and for each check that none of those fails.
OTHERS: Final[Mapping[str, Fault]] = {
    "a shutdown gives no grace": _fault(
        2,
        (
            "runtime.py",
            "self.sessions.suspend(started_at + self.limits.grace_seconds)",
            "self.sessions.suspend(started_at)",
        ),
    ),
    "a gap before the commit": _fault(
        3,
        (
            "orchestrator.py",
            "        # No checkpoint may fall between here and the store's hand-over.\n",
            "        await trio.lowlevel.cancel_shielded_checkpoint()\n",
        ),
    ),
    "stop starts what waits": _fault(
        3, ("sessions.py", "dropped = session.waiting.clear() if session else ()", "dropped = ()")
    ),
    "a message that joins is not shown": _fault(
        3, ("orchestrator.py", "elif joining := self._joining(operation):", "elif joining := ():")
    ),
    "merged before the plan": _fault(
        4,
        (
            "orchestrator.py",
            "        plan = await self.assistant.planner.adapt(",
            """        await self.records.write(
            *(Settle(message.id, Merged(operation.message.id)) for message in joining)
        )
        plan = await self.assistant.planner.adapt(""",
        ),
    ),
    "rejected in silence": _fault(
        4,
        (
            "aside.py",
            "Settle(message.id, Rejected(told)), self._notice(message, told, row_id)",
            "Settle(message.id, Rejected(told))",
        ),
    ),
    "the stop word is a request": _fault(
        4,
        (
            "policy.py",
            "        return Decision.IGNORE if snapshot.is_late else Decision.STOP\n",
            "        pass\n",
        ),
    ),
    "accepted before the commit": _fault(
        5,
        (
            "runtime.py",
            "                await self._store.write(changes)\n",
            "                self._nursery.start_soon(self._store.write, changes)\n",
        ),
    ),
    "an error is a success": _fault(
        6, ("calls.py", "        self.status = Status.FAILED\n", "        self.status = Status.SUCCEEDED\n")
    ),
    "superseded requests not shown": _fault(
        7, ("context.py", "            superseded=superseded,\n", "            superseded=(),\n")
    ),
    "the conversation is not shown": _fault(
        7,
        (
            "context.py",
            "tuple(turn for turn in conversation.turns if turn.message_id not in of_this)",
            "()",
        ),
    ),
    "acknowledged after the reply": _fault(
        9,
        (
            "store/sqlite/changes.py",
            "_drop(connection, _ACKNOWLEDGEMENTS, row.user.id, brought)",
            "pass",
        ),
    ),
    "refused again and again": _fault(9, ("sessions.py", 'f"{session.operation.id}-rejected")', "None)")),
    "sent once more for ever": _fault(
        9,
        ("sending.py", "return GiveUp() if was_ambiguous else SendOnceMore(", "return SendOnceMore("),
        ("outbox.py", "        elif letter.was_ambiguous:\n", "        elif False:\n"),
    ),
    "typing goes on": _fault(
        10,
        (
            "runner.py",
            "session.notifier.stop_typing()",
            "pass",
        ),
    ),
    "one user's bug ends everybody's work": _fault(
        11,
        ("runner.py", "except* (Exception, SystemExit) as errors:", "except* ZeroDivisionError as errors:"),
        ("runner.py", "except* Exception:\n", "except* ZeroDivisionError:\n"),
    ),
    "users wait for each other": _fault(
        11,
        ("runner.py", "self._recoveries if session.is_recovered else nullcontext()", "self._recoveries"),
        ("runner.py", "trio.CapacityLimiter(self.limits.recoveries_max)", "trio.CapacityLimiter(1)"),
    ),
    "interruptions are not counted": _fault(
        13, ("session.py", "            self.interruptions += 1\n", "            pass\n")
    ),
    "an operation has no end of time": _fault(
        13,
        (
            "runner.py",
            "operation.scope.deadline = trio.current_time() + self.limits.operation_seconds_max",
            "pass",
        ),
    ),
    "made again though it may have acted": _fault(
        14, ("recovery.py", " and not (tool and tool.idempotent)\n", " and False\n")
    ),
    "taken back again": _fault(14, ("undoing.py", " and outcome.undo is None and ", " and ")),
    "a message that joins is lost": _fault(
        4,
        (
            "orchestrator.py",
            "            *(Settle(message.id, Merged(operation.message.id)) for message in merged),\n",
            "",
        ),
    ),
    "reused beyond its time": _fault(
        7, ("reuse.py", "0 <= now - at <= tool.reusable_seconds", "0 <= now - at")
    ),
    "undone in the order in which it was done": _fault(
        6, ("undoing.py", "in reversed(operation.started)", "in tuple(operation.started)")
    ),
    "an act is made anew after its record": _fault(
        14,
        (
            "recovery.py",
            "known = tuple(call.outcome for call in record.calls if call.outcome is not None)",
            "known = ()",
        ),
    ),
    "the newest message is forgotten": _fault(
        12,
        (
            "store/sqlite/changes.py",
            "        newest_id, newest_timestamp = message.id, timestamp\n",
            "        pass\n",
        ),
    ),
    "planned again": _fault(
        14,
        (
            "recovery.py",
            "Phase.PLANNING if record.phase is Phase.PLANNING else Phase.AT_BOUNDARY\n",
            "Phase.PLANNING\n",
        ),
    ),
}

# What WhatsApp brings: changed minds of other kinds, other people, other names.
ON_WHATSAPP: Final[Mapping[str, Fault]] = {
    "an edit of what is worked on is ignored": _fault(
        4, ("sessions.py", "elif not (is_worked_on or is_recovered):", "elif not is_recovered:")
    ),
    "what is edited while it waits runs as well": _fault(
        3, ("sessions.py", "            session.waiting.remove([waiting])\n", "            pass\n")
    ),
    "a revoke stops nothing": _fault(
        3,
        (
            "sessions.py",
            "            self._interrupt(session, operation, Reason.STOPPED, message.id)\n",
            "            pass\n",
        ),
    ),
    "a takeover lets what runs go on": _fault(
        3,
        (
            "runtime.py",
            "                self.sessions.take_over(settled.message.user.id)\n",
            "                pass\n",
        ),
    ),
    "a takeover silences nobody": _fault(
        3, ("store/sqlite/changes.py", "(Ignored(TAKEN_OVER) if silent_until > change.at else None)", "None")
    ),
    "what is old is run": _fault(12, ("arrivals.py", "    if age > stale_seconds:\n", "    if False:\n")),
    "a reaction is a request": _fault(
        4, ("arrivals.py", "    Kind.REACTION: Effect.NOTHING,\n", "    Kind.REACTION: Effect.ASKS,\n")
    ),
    "two who are one begin before both have ended": _fault(
        1,
        (
            "runner.py",
            "            await session.joining.has_ended.wait()\n",
            "            await trio.sleep(0)\n",
        ),
    ),
    "of two who are one the older goes on": _fault(
        3, ("sessions.py", "*ending, goes_on = sorted(sessions, key=_age)", "*ending, goes_on = sessions")
    ),
    "of two who are one both go on": _fault(
        3,
        (
            "sessions.py",
            "            self._interrupt(ends, operation, Reason.NEW_MESSAGE, by,"
            " undo=self._undoes(ends, newer))\n",
            "            pass\n",
        ),
    ),
    "what waits is lost with the user it was of": _fault(
        10,
        (
            "sessions.py",
            "        ends.waiting.hand_over(goes_on.waiting)\n",
            "        ends.waiting.clear()\n",
        ),
    ),
    "the old number is written to": _fault(
        11, ("runtime.py", "            self._outbox.readdress(", "            (lambda *_: None)(")
    ),
    "words are sent when only a template may be": _fault(
        9, ("outbox.py", "TemplateBody) or late <= self._limits.window_seconds:", "TemplateBody) or True:")
    ),
    "only the first of several replies is recorded": _fault(
        8, ("orchestrator.py", "for reply in replies for row", "for reply in replies[:1] for row")
    ),
    "what comes late makes an old number its user's again": _fault(
        11,
        (
            "store/sqlite/identity.py",
            "    before = _before(connection, identity.names, message.timestamp)\n",
            "    before: dict[str, str] = {}\n",
        ),
    ),
    "somebody's history stays with the id they had": _fault(
        7,
        (
            "store/sqlite/identity.py",
            '        "UPDATE messages SET user_id = :winner WHERE user_id = :loser AND fate IS NOT NULL",\n',
            "",
        ),
    ),
}

# Bugs that it has found, put back.
FOUND: Final[Mapping[str, Fault]] = {
    "a commit that was written is undone": _fault(
        8,
        (
            "endings.py",
            "        if operation.is_commit_in_doubt and await self._is_completed(operation):\n",
            "        if False:\n",
        ),
        world="a commit that is written after it was given up",
    ),
    "a message in the instant of a suspension is not heard": _fault(
        3,
        ("runner.py", "        if overtaking is not None:\n", "        if False:\n"),
        world="a message to an operation that is suspended",
    ),
    "a stop is told that nothing was done": _fault(
        4,
        ("endings.py", "if operation.undo or operation.stops or ", "if operation.undo or "),
        world="an acknowledgement that is dropped as it is written",
    ),
    "a plan replaces a call that a crash cut short": _fault(
        6, ("orchestrator.py", "if to_finish := operation.to_finish:", "if to_finish := ():")
    ),
    "a dropped acknowledgement comes back to life": _fault(
        10,
        ("store/sqlite/changes.py", " WHERE id = ? AND state != 'dropped' AND NOT", " WHERE id = ? AND NOT"),
    ),
    "a mark is lost with the store": _fault(
        10,
        (
            "outbox.py",
            "                await trio.sleep(_MARK_AGAIN_SECONDS)\n",
            "                return None\n",
        ),
    ),
    "an undo forgets what a crash cut short": _fault(
        6, ("recovery.py", "        for call in operation.to_finish:\n", "        for call in ():\n")
    ),
    "what waits for a report goes to the old number": _fault(
        11,
        (
            "outbox.py",
            """        for letter in self._of_user.get(user_id, {}).values():
            letter.row = attrs.evolve(letter.row, address=address)
""",
            """        line = self._lines.get(user_id)
        for letter in line.letters if line else ():
            letter.row = attrs.evolve(letter.row, address=address)
""",
        ),
    ),
    "what joined before a restart is not known to be worked on": _fault(
        3,
        (
            "sessions.py",
            "tuple(each.with_media_from(self.media) for each in left.burst)",
            "(message,)",
        ),
    ),
}

FAULTS: Final[Mapping[str, Fault]] = {**NAMED, **OTHERS, **ON_WHATSAPP, **FOUND}
