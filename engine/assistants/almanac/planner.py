"""Plans an answer: which holiday and where; its dates; sunset and weekday of each.

Rule 1: the planner keeps nothing: what a call is for stands in its id, so that any process can go on with it.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import attrs

from engine import Call, Context, Message, Outcome, Plan, Ref, Results
from engine.assistants.almanac.values import Holiday, Occurrence, Where
from engine.assistants.almanac.words import read_years, split

# Calls by these ids are what the reply is made of; dates, sunsets and weekdays have the year behind.
HOLIDAY: Final = "holiday"
PLACE: Final = "place"
SIMILAR: Final = "similar"
DATES: Final = "dates"
SUNSET: Final = "sunset"
WEEKDAY: Final = "weekday"

# A follow-up refers to what was said last, not to last week.
_EARLIER_MAX: Final = 3
# No holiday of the libraries stays away longer than a leap day.
_FURTHER_YEARS: Final = 5


@attrs.frozen(kw_only=True)
class _Memory:
    """What earlier requests leave for this one."""

    texts: tuple[str, ...]
    holiday: Any = None
    place: Any = None


@attrs.frozen
class _Question:
    """The texts of a burst, the newest last.

    A message that joins makes another question, and calls of the question before may have been made
    already: so the ids of the calls for a question of several messages end in their number.
    """

    texts: tuple[str, ...]

    @property
    def years(self) -> tuple[int, ...]:
        """The years that the newest of the texts which name any names."""
        named = (read_years(split(text)) for text in reversed(self.texts))
        return next((years for years in named if years), ())

    def id(self, name: str) -> str:
        """The id of a call for this question."""
        return f"{name}/{len(self.texts)}" if len(self.texts) > 1 else name

    def results(self, results: Results) -> Results:
        """The results of the calls for this question, by their names."""
        names = {call_id: call_id.partition("/")[0] for call_id in results}
        return Results(
            {name: results[call_id] for call_id, name in names.items() if self.id(name) == call_id}
        )


@attrs.frozen
class Planner:
    """Plans three waves; looks further when they find no date to come, and for names when no holiday."""

    today: Callable[[], datetime.date]

    async def plan(self, message: Message, context: Context) -> Plan:
        """First who and where, then a call a year, then a sunset and a weekday a date."""
        question = _question(message, context.burst)
        this_year = self.today().year
        memory = _remember(context)
        *fragments, text = question.texts
        asked = {"text": text, "fragments": fragments, "year": this_year, "earlier": list(memory.texts)}
        return Plan(
            Call(
                question.id(HOLIDAY),
                "find_holiday",
                {**asked, "known": memory.holiday, "near": memory.place},
            ),
            Call(question.id(PLACE), "find_place", {**asked, "known": memory.place}),
            *_date_calls(question, question.years or (this_year, this_year + 1)),
        )

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        """A new plan for a message that has joined.

        Otherwise closest names for a holiday nobody knows; more years when no date lies ahead; second dates.
        """
        question = _question(message, context.burst)
        found = question.results(results)
        if HOLIDAY not in found:
            return await self.plan(message, context)
        if not found[HOLIDAY].succeeded:
            if SIMILAR in found:
                return None
            asked = {"text": " ".join(question.texts), "year": self.today().year}
            return Plan(Call(question.id(SIMILAR), "find_similar_names", asked))
        calls = [*_second_dates(question, found), *self._further_years(question, found)]
        return Plan(*calls) if calls else None

    def _further_years(self, question: _Question, found: Results) -> Iterator[Call]:
        """Once, and not for somebody who named the years."""
        looked = [int(name.removeprefix(f"{DATES}-")) for name in found if name.startswith(f"{DATES}-")]
        if question.years or len(looked) > 2:
            return
        if not any(date.last >= self.today() for date in found_dates(found)):
            last = max(looked)
            yield from _date_calls(question, range(last + 1, last + 1 + _FURTHER_YEARS))


def results_for(message: Message, results: Results, context: Context) -> Results:
    """What was found out for the newest question, by the names above."""
    return _question(message, context.burst).results(results)


def found_dates(found: Results) -> list[Occurrence]:
    """Every date that the calls so far have found, in order."""
    dates: list[Occurrence] = []
    for name, outcome in found.items():
        if name.startswith(f"{DATES}-"):
            dates += outcome.value_or([])
    return sorted(dates, key=lambda date: date.first)


def _question(message: Message, burst: Sequence[Message]) -> _Question:
    return _Question(tuple(each.text for each in burst or (message,)))


def _date_calls(question: _Question, years: Iterable[int]) -> Iterator[Call]:
    for year in (years := tuple(years)):
        yield Call(
            question.id(f"{DATES}-{year}"),
            "find_dates",
            {"holiday": Ref(question.id(HOLIDAY)), "place": _place(question), "year": year},
        )
    for year in years:
        yield from _day_calls(question, f"{year}", Ref(question.id(f"{DATES}-{year}"), 0, "begins"))


def _second_dates(question: _Question, found: Results) -> Iterator[Call]:
    """A lunar holiday may come round twice in a year: the first plan knew of one."""
    for name, outcome in found.items():
        if name.startswith(f"{DATES}-"):
            year = name.removeprefix(f"{DATES}-")
            for index in range(1, len(outcome.value_or([]))):
                if f"{SUNSET}-{year}-{index + 1}" not in found:
                    day = Ref(question.id(name), index, "begins")
                    yield from _day_calls(question, f"{year}-{index + 1}", day)


def _day_calls(question: _Question, name: str, day: Ref) -> Iterator[Call]:
    yield Call(
        question.id(f"{SUNSET}-{name}"),
        "find_sunset",
        {"day": day, "holiday": Ref(question.id(HOLIDAY)), "place": _place(question)},
    )
    yield Call(question.id(f"{WEEKDAY}-{name}"), "find_weekday", {"day": day})


def _place(question: _Question) -> Ref:
    return Ref(question.id(PLACE), "place", default=None)


def _remember(context: Context) -> _Memory:
    """The user's last questions, newest first, and what the interrupted ones had found out (P7)."""
    texts = [turn.text for turn in context.history if turn.role == "user"]
    memory = _Memory(texts=tuple(reversed(texts[-_EARLIER_MAX:])))
    for request in context.superseded:
        found = _question(request.message, request.burst).results(request.results)
        where = _value(found.get(PLACE), Where)
        memory = attrs.evolve(
            memory,
            holiday=_value(found.get(HOLIDAY), Holiday) or memory.holiday,
            place=(where.place if where else None) or memory.place,
        )
    return memory


def _value(outcome: Outcome | None, kind: type) -> Any:
    """The outcome's value; None when there is none, or an older version of this program found it."""
    value = outcome.value_or(None) if outcome is not None else None
    return value if isinstance(value, kind) else None
