"""The conversation with one user, kept across interruptions and restarts, and put in front of every plan."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from engine.assistant import Assistant, Context
from engine.content import MediaSource
from engine.errors import AssistantError, ToolFailed, one_line
from engine.model import Outcome, Results, SupersededRequest
from engine.operation import Operation
from engine.progress import ProgressNotifier
from engine.records import Records
from engine.reuse import find_reusable
from engine.tools import from_json_form


@attrs.frozen(eq=False)
class ContextManager:
    """Loads what a planner may know.  The store holds the conversation; nothing is kept here (P7)."""

    assistant: Assistant
    records: Records
    media: MediaSource | None = None

    async def load(self, operation: Operation, notifier: ProgressNotifier) -> Context:
        """The context of an operation that begins, and what it may reuse.  May be cancelled.

        Raises AssistantError when `credentials` does not return a mapping, and whatever it raises.
        """
        credentials = await self.load_credentials(operation)
        conversation = await self.records.read_conversation(operation.user.id)
        superseded = tuple(
            SupersededRequest(
                message=record.message.with_media_from(self.media),
                burst=tuple(
                    message.with_media_from(self.media) for message in record.burst or (record.message,)
                ),
                results=self.results(call.outcome for call in record.calls if call.outcome is not None),
            )
            for record in conversation.superseded
        )
        operation.reusable = find_reusable(
            [record.calls for record in conversation.superseded],
            [request.results for request in superseded],
            self.assistant.tools,
        )
        of_this = {message.id for message in operation.burst}
        return Context(
            user=operation.user,
            # What has joined this operation has its fate already, and is no history yet.
            history=tuple(turn for turn in conversation.turns if turn.message_id not in of_this),
            burst=operation.burst,
            superseded=superseded,
            credentials=credentials,
            notify=notifier.note,
        )

    async def load_credentials(self, operation: Operation) -> Mapping[str, Any]:
        """What the operation's tools may use, asked for once an operation.  Raises as `load` does."""
        if operation.credentials is None:
            operation.credentials = await self._credentials(operation)
        return operation.credentials

    async def _credentials(self, operation: Operation) -> Mapping[str, Any]:
        if self.assistant.credentials is None:
            return {}
        credentials = await self.assistant.credentials(operation.user)
        if not isinstance(credentials, Mapping):
            # Not its repr: it may be the secret itself.
            raise AssistantError(f"credentials must return a mapping, not {type(credentials).__name__}")
        return credentials

    def results(self, outcomes: Iterable[Outcome]) -> Results:
        """Recorded outcomes with their values in the types that the tools' annotations name."""
        return Results({outcome.call_id: self._typed(outcome) for outcome in outcomes})

    def _typed(self, outcome: Outcome) -> Outcome:
        tool = self.assistant.tools.get(outcome.tool)
        if not outcome.succeeded or outcome.value_lost or tool is None:
            return outcome.with_value(outcome.raw)
        try:
            return outcome.with_value(from_json_form(outcome.raw, tool.returns))
        except ToolFailed as error:  # the tool's annotation has changed since
            return attrs.evolve(
                outcome, value_lost=True, error=f"it no longer fits {outcome.tool!r}: {one_line(error)}"
            )
