"""What a user is told of calls, where a request ended before its reply: done, possibly done, taken back.

Rule 1: pure: outcomes in, sentences out.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from engine.model import Outcome, Status, UndoStatus
from engine.texts import Texts, with_calls
from engine.tools import Tool

_NOT_CERTAIN: Final = frozenset({Status.TIMED_OUT, Status.CUT_OFF, Status.UNKNOWN})


def done_so_far(made: Sequence[Outcome], tools: Mapping[str, Tool], texts: Texts) -> list[str]:
    """Sentences on the calls that an operation made, the undone ones included."""
    standing = [outcome for outcome in made if outcome.undo is None]
    sentences = [
        _listed(texts.done, standing, {Status.SUCCEEDED}, tools),
        _listed(texts.not_certain, standing, _NOT_CERTAIN, tools),
        *taken_back(made, tools, texts),
    ]
    return [sentence for sentence in sentences if sentence] or [texts.nothing_done]


def taken_back(made: Sequence[Outcome], tools: Mapping[str, Tool], texts: Texts) -> list[str]:
    """Sentences on what was undone, and on what could not be."""
    undone = [outcome for outcome in made if outcome.undo is UndoStatus.UNDONE]
    failed = [outcome for outcome in made if outcome.undo not in (None, UndoStatus.UNDONE)]
    sentences = [
        with_calls(texts.undone, _titles(undone, tools)),
        with_calls(texts.not_undone, _titles(failed, tools)),
    ]
    return [sentence for sentence in sentences if sentence]


def _listed(
    text: str, outcomes: Collection[Outcome], statuses: Collection[Status], tools: Mapping[str, Tool]
) -> str:
    return with_calls(text, _titles([one for one in outcomes if one.status in statuses], tools))


def _titles(outcomes: Collection[Outcome], tools: Mapping[str, Tool]) -> Iterator[str]:
    for outcome in outcomes:
        tool = tools.get(outcome.tool)
        yield outcome.tool.replace("_", " ") if tool is None else tool.title
