"""Runs one operation: plan, waves, adapt, respond, commit.

Rule 1: planning, adapting and responding may be cut at any await; a wave and the commit may not (P2, P8).
Rule 2: nothing new starts after an interruption: it is asked for after planning, before each wave, and in
the step that hands the reply to the store (P3).
"""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio

from engine.assistant import Assistant, Context
from engine.context import ContextManager
from engine.errors import AssistantError, StoreUnavailable
from engine.events import Events, PlanAccepted
from engine.limits import Limits
from engine.model import Answered, OutboxRow, OutgoingKind, Reply, Results
from engine.operation import Operation, Reason
from engine.phases import Fact, Phase
from engine.plan import Call, Plan, accept, waves
from engine.progress import ProgressNotifier
from engine.records import Records
from engine.split import split_text
from engine.store import Change, End, Planned, Queue, Settle
from engine.waves import Waves


@attrs.frozen(eq=False, kw_only=True)
class Orchestrator:
    """Runs operations of one assistant.  `now`: seconds since 1970; `new_id`: an id nobody has used."""

    assistant: Assistant
    waves: Waves
    contexts: ContextManager
    records: Records
    events: Events
    limits: Limits
    now: Callable[[], float]
    new_id: Callable[[], str]

    async def run(self, operation: Operation, notifier: ProgressNotifier) -> None:
        """Bring the operation to its completing commit, or to the exception that ends it.

        One that was planned before goes on at its first unfinished wave, or where its waves had ended.
        Raises PlanError and AssistantError for an assistant that is wrong, StoreUnavailable when the
        records cannot be kept, and whatever the planner and the responder raise.
        """
        context = await self.contexts.load(operation, notifier)
        if operation.phase is Phase.PLANNING:
            calls = await self._plan(operation, context)
        else:
            calls = operation.unsettled or await self._adapt(operation, context)
        while calls:
            for wave in waves(calls):
                await self.waves.run(wave, operation)
            calls = await self._adapt(operation, context)
        await self._commit(await self._respond(operation, context), operation)

    async def _plan(self, operation: Operation, context: Context) -> tuple[Call, ...]:
        plan = await self.assistant.planner.plan(operation.message, context)
        calls = await self._accept(plan, operation)
        operation.advance(Fact.PLANNED)
        return calls

    async def _accept(self, plan: Any, operation: Operation) -> tuple[Call, ...]:
        """The plan's calls, checked and recorded."""
        calls = accept(
            plan,
            known=operation.calls.keys(),
            tools=self.assistant.tools,
            calls_max=self.limits.calls_max,
        )
        await self.records.write(Planned(operation_id=operation.id, round=operation.round, calls=calls))
        operation.calls.update({call.id: call for call in calls})
        self.events.emit(
            PlanAccepted(
                user_id=operation.user.id,
                operation_id=operation.id,
                round=operation.round,
                waves=tuple(tuple(call.id for call in wave) for wave in waves(calls)),
            )
        )
        return calls

    async def _adapt(self, operation: Operation, context: Context) -> tuple[Call, ...]:
        """More calls after seeing results; none when the planner has enough or was asked often enough."""
        if not operation.calls or operation.round >= self.limits.adaptations_max:
            return ()
        await trio.lowlevel.checkpoint_if_cancelled()
        operation.advance(Fact.ADAPT_ASKED)
        plan = await self.assistant.planner.adapt(operation.message, Results(operation.outcomes), context)
        calls: tuple[Call, ...] = ()
        if plan is not None and not (isinstance(plan, Plan) and not plan.calls):
            operation.round += 1
            calls = await self._accept(plan, operation)
        operation.advance(Fact.ADAPTED)
        return calls

    async def _respond(self, operation: Operation, context: Context) -> Reply:
        await trio.lowlevel.checkpoint_if_cancelled()
        operation.advance(Fact.RESPOND_ASKED)
        made = await self.assistant.responder(operation.message, Results(operation.outcomes), context)
        return self._checked(made)

    def _checked(self, made: Any) -> Reply:
        text = made.text if isinstance(made, Reply) else made
        if not isinstance(text, str):
            raise AssistantError(f"a responder returns a text or a Reply, not {type(made).__name__}")
        if not text.strip():
            raise AssistantError("a responder's reply must not be empty")
        if len(text) > self.limits.reply_characters_max:
            raise AssistantError(f"the reply has {len(text)} characters, more than reply_characters_max")
        return Reply(text)

    async def _commit(self, reply: Reply, operation: Operation) -> None:
        """P8: the check and the hand-over are one step; from there on nothing interrupts."""
        changes = self._completion(reply, operation)
        await trio.lowlevel.checkpoint_if_cancelled()
        # No checkpoint may fall between here and the store's hand-over.
        operation.advance(Fact.REPLY_MADE)
        try:
            await self.records.write_once(*changes)
        except StoreUnavailable:
            if not self._give_way(operation):
                await self._commit_patiently(changes, operation)
            return
        operation.advance(Fact.REPLY_RECORDED)

    async def _commit_patiently(self, changes: Sequence[Change], operation: Operation) -> None:
        try:
            await self.records.write(*changes)
        except StoreUnavailable:
            if self._give_way(operation):
                return
            raise
        operation.advance(Fact.REPLY_RECORDED)

    def _give_way(self, operation: Operation) -> bool:
        """P8: when the commit has failed and a message waits, the operation is superseded by it."""
        newest = operation.newest_waiting()
        if newest is None:
            return False
        operation.cancel(Reason.NEW_MESSAGE, by=newest)
        operation.advance(Fact.COMMIT_FAILED)
        return True

    def _completion(self, reply: Reply, operation: Operation) -> tuple[Change, ...]:
        rows = (
            OutboxRow(
                id=self.new_id(),
                user=operation.user,
                kind=OutgoingKind.REPLY,
                text=part,
                operation_id=operation.id,
                message_id=operation.message.id,
            )
            for part in split_text(reply.text, self.limits.text_characters_max)
        )
        return (
            End(operation_id=operation.id, phase=Phase.COMPLETED, at=self.now()),
            Settle(operation.message.id, Answered(reply)),
            *(Queue(row) for row in rows),
        )
