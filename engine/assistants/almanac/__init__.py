"""The almanac: holidays, workdays, the sun and the Sabbath's times, answered offline from libraries."""

import datetime
from collections.abc import Callable

from engine import Assistant, Context, Message, Reply, Results
from engine.assistants.almanac.planner import Planner, results_for
from engine.assistants.almanac.reply import make_reply
from engine.assistants.almanac.tools import make_tools

__all__ = ["make_almanac"]


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def make_almanac(pace_seconds: float = 0.0, today: Callable[[], datetime.date] = _today) -> Assistant:
    """An assistant that says when holidays are, what countries keep, and what the sun does.

    `pace_seconds`: the least time that a call of a tool takes, so that people can change their mind while
    it runs.  `today`: the date from which "this year" and "past" are counted.
    """

    async def respond(message: Message, results: Results, context: Context) -> list[Reply]:
        return make_reply(results_for(message, results, context), today())

    return Assistant(planner=Planner(today), responder=respond, tools=make_tools(pace_seconds))
