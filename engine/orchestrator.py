"""Runs one operation: plan, waves, adapt, respond, commit.

Rule 1: planning, adapting and responding may be cut at any await; a wave and the commit may not (P2, P8).
Rule 2: nothing new starts after an interruption: it is asked for after planning, before each wave, and in
the step that hands the reply to the store (P3).
Rule 3: messages that join are taken in at a boundary, recorded with the plan that saw them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import attrs
import trio

from engine.assistant import Assistant, Context
from engine.context import ContextManager
from engine.errors import AssistantError, StoreUnavailable
from engine.events import CallFinished, Events, PlanAccepted
from engine.limits import Limits
from engine.model import (
    Answered,
    Merged,
    Message,
    OutboxRow,
    Outcome,
    OutgoingKind,
    Results,
    Status,
)
from engine.operation import Operation
from engine.phases import Fact, Phase, Reason
from engine.plan import Call, Plan, accept, first_wave
from engine.progress import ProgressNotifier
from engine.records import Records
from engine.replies import Body, Reply, TextBody, as_replies
from engine.split import split_text
from engine.store import Change, End, Happened, Planned, Queue, Settle
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
            await self._plan(operation, context)
        while True:
            await self._work(operation, context)
            replies = await self._respond(operation, context)
            if replies is not None:
                break
        await self._commit(replies, operation)

    async def _work(self, operation: Operation, context: Context) -> None:
        """Waves and adaptations, until the planner has enough."""
        has_enough = False
        while True:
            if to_finish := operation.to_finish:
                await self.waves.run(to_finish, operation)
            elif joining := self._joining(operation):
                await self._adapt(operation, context, joining)
                has_enough = True  # unless it has planned something now
            elif unsettled := operation.unsettled:
                await self.waves.run(first_wave(unsettled), operation)
                has_enough = False
            elif has_enough or not self._may_ask(operation):
                return
            else:
                await self._adapt(operation, context, joining=())
                has_enough = True

    def _joining(self, operation: Operation) -> tuple[Message, ...]:
        """The messages that are to be taken in now; none when it was adapted often enough."""
        return operation.waiting.steering() if operation.round < self.limits.adaptations_max else ()

    def _may_ask(self, operation: Operation) -> bool:
        return bool(operation.calls) and operation.round < self.limits.adaptations_max

    async def _plan(self, operation: Operation, context: Context) -> None:
        plan = await self.assistant.planner.plan(operation.message, context)
        others = tuple(message for message in operation.burst if message.id != operation.message.id)
        await self._accept(plan, operation, others)
        operation.advance(Fact.PLANNED)

    async def _adapt(self, operation: Operation, context: Context, joining: tuple[Message, ...]) -> None:
        """Ask for more calls after seeing results, or for other ones after a message has joined."""
        await trio.lowlevel.checkpoint_if_cancelled()
        operation.advance(Fact.ADAPT_ASKED)
        burst = tuple(sorted((*operation.burst, *joining), key=lambda message: message.order))
        results = Results(operation.outcomes)
        seen = attrs.evolve(context, burst=burst)
        plan = await self.assistant.planner.adapt(burst[-1], results, seen)
        # Of no consequence: nothing has joined, and nothing is planned.
        if joining or not (plan is None or (isinstance(plan, Plan) and not plan.calls)):
            operation.round += 1
            await self._accept(plan, operation, joining)
        operation.burst = burst
        operation.advance(Fact.ADAPTED)

    async def _accept(self, plan: Any, operation: Operation, merged: tuple[Message, ...]) -> None:
        """Check and record a plan, with the messages that it was the first to see.

        None, where messages have joined, leaves the calls as they are.
        """
        replaced: tuple[Call, ...] = ()
        calls: tuple[Call, ...] = ()
        if plan is not None or not operation.round:
            replaced = operation.unsettled
            calls = self._checked_plan(plan, operation, replaced)
        skipped = _skipped(replaced, calls)
        await self.records.write(
            Planned(
                operation_id=operation.id,
                round=operation.round,
                calls=calls,
                joined=tuple(message.id for message in merged),
            ),
            *((Happened(operation_id=operation.id, outcomes=skipped),) if skipped else ()),
            *(Settle(message.id, Merged(operation.message.id)) for message in merged),
        )
        operation.waiting.remove(merged)
        operation.outcomes.update({outcome.call_id: outcome for outcome in skipped})
        for call in calls:
            operation.calls.pop(call.id, None)  # its place is behind those that were started
            operation.calls[call.id] = call
        if plan is not None:
            self._tell(operation, plan, skipped)

    def _checked_plan(self, plan: Any, operation: Operation, replaced: tuple[Call, ...]) -> tuple[Call, ...]:
        ids = {call.id for call in replaced}
        return accept(
            plan,
            known=operation.calls.keys() - ids,
            replaced=ids,
            tools=self.assistant.tools,
            calls_max=self.limits.calls_max,
        )

    def _tell(self, operation: Operation, plan: Plan, skipped: Sequence[Outcome]) -> None:
        for outcome in skipped:
            self.events.emit(
                CallFinished(
                    user_id=operation.user.id,
                    operation_id=operation.id,
                    call_id=outcome.call_id,
                    tool=outcome.tool,
                    status=outcome.status,
                    seconds=0.0,
                    error=outcome.error,
                )
            )
        self.events.emit(
            PlanAccepted(
                user_id=operation.user.id,
                operation_id=operation.id,
                round=operation.round,
                waves=tuple(tuple(call.id for call in wave) for wave in plan.waves()),
            )
        )

    async def _respond(self, operation: Operation, context: Context) -> tuple[Reply, ...] | None:
        """The replies; None when a message has joined before they were there."""
        await trio.lowlevel.checkpoint_if_cancelled()
        operation.advance(Fact.RESPOND_ASKED)
        results = Results(operation.outcomes)
        seen = attrs.evolve(context, burst=operation.burst)
        with trio.CancelScope() as operation.response_scope:
            made = await self.assistant.responder(operation.newest, results, seen)
        was_cut = operation.response_scope.cancel_called
        operation.response_scope = None
        if was_cut:
            operation.advance(Fact.STEERED)
            return None
        return self._checked(made)

    def _checked(self, made: Any) -> tuple[Reply, ...]:
        replies = as_replies(made)
        characters = sum(len(reply.text) for reply in replies)
        if characters > self.limits.reply_characters_max:
            raise AssistantError(f"the reply has {characters} characters, more than reply_characters_max")
        return replies

    async def _commit(self, replies: Sequence[Reply], operation: Operation) -> None:
        """P8: the check and the hand-over are one step; from there on nothing interrupts."""
        changes = self._completion(replies, operation)
        await trio.lowlevel.checkpoint_if_cancelled()
        # No checkpoint may fall between here and the store's hand-over.
        operation.advance(Fact.REPLY_MADE)
        operation.is_commit_in_doubt = True  # should it be given up
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
        """P8: when the commit has failed, a message that waits and would interrupt supersedes it."""
        overtaking = operation.overtaking()
        if overtaking is None:
            return False
        operation.cancel(Reason.NEW_MESSAGE, by=overtaking.message_id, undo=overtaking.undo)
        operation.advance(Fact.COMMIT_FAILED)
        return True

    def _completion(self, replies: Sequence[Reply], operation: Operation) -> tuple[Change, ...]:
        first, *more = replies
        return (
            End(operation_id=operation.id, phase=Phase.COMPLETED, at=self.now()),
            Settle(operation.message.id, Answered(first, tuple(more))),
            *(Queue(row) for reply in replies for row in self._rows(reply, operation)),
        )

    def _rows(self, reply: Reply, operation: Operation) -> Iterator[OutboxRow]:
        """A reply as rows: words in as many as they need, of which the first quotes; all else in one."""
        bodies: Iterable[Body] = (reply.body,)
        if isinstance(reply.body, TextBody):
            parts = split_text(reply.text, self.limits.text_characters_max)
            bodies = [TextBody(part, reply.body.preview) for part in parts]
        for index, body in enumerate(bodies):
            yield OutboxRow(
                id=self.new_id(),
                user=operation.user,
                kind=OutgoingKind.REPLY,
                text=body.text,
                operation_id=operation.id,
                message_id=operation.message.id,
                body=None if body == TextBody(body.text) else body,
                reply_to=reply.reply_to if index == 0 else None,
            )


def _skipped(replaced: Sequence[Call], calls: Sequence[Call]) -> tuple[Outcome, ...]:
    """The outcomes of calls that a later plan does without."""
    again = {call.id for call in calls}
    return tuple(
        Outcome(call_id=call.id, tool=call.tool, status=Status.SKIPPED, error="a later plan left it out")
        for call in replaced
        if call.id not in again
    )
