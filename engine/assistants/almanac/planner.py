"""Plans an answer by the kind of question: who and where, then the facts, then what is made of them.

Rule 1: the planner keeps nothing: what a call is for stands in its id, so that any process can go on with it.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import attrs

from engine import Call, Context, Message, Outcome, Plan, Ref, Results
from engine.assistants.almanac import catalogue, libraries
from engine.assistants.almanac.offers import asked_by
from engine.assistants.almanac.questions import Kind, Question
from engine.assistants.almanac.understanding import understand
from engine.assistants.almanac.values import Holiday, LongWeekends, Occurrence, Where
from engine.assistants.almanac.words import read_years, split

# Calls by these ids are what the reply is made of; dates, sunsets and weekdays have the year behind.
HOLIDAY: Final = "holiday"
PLACE: Final = "place"
SIMILAR: Final = "similar"
DATES: Final = "dates"
SUNSET: Final = "sunset"
WEEKDAY: Final = "weekday"
# The answer to any other kind of question, and the calendar file; further ones have the year behind.
ANSWER: Final = "answer"
CALENDAR: Final = "calendar"

# What can be asked of a holiday's day, as of any other.
_OF_A_HOLIDAYS_DAY: Final = frozenset({Kind.SUN, Kind.CANDLES, Kind.DAY_OFF, Kind.WORKDAYS})
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
class _Asked:
    """The texts of a burst, the newest last.

    A message that joins makes another question, and calls of the question before may have been made
    already: so the ids of the calls for a question of several messages end in their number.
    """

    texts: tuple[str, ...]

    def id(self, name: str) -> str:
        """The id of a call for this question."""
        return f"{name}/{len(self.texts)}" if len(self.texts) > 1 else name

    def results(self, results: Results) -> Results:
        """The results of the calls for this question, by their names."""
        names = {call_id: call_id.partition("/")[0] for call_id in results}
        return Results(
            {name: results[call_id] for call_id, name in names.items() if self.id(name) == call_id}
        )

    @property
    def place(self) -> Ref:
        """The place that the question is about, None when there is none."""
        return Ref(self.id(PLACE), "place", default=None)

    @property
    def holiday(self) -> Ref:
        """The holiday that the question names, None when it names none."""
        return Ref(self.id(HOLIDAY), default=None)


@attrs.frozen
class Planner:
    """Plans two or three waves; looks further, or for names like the one given, when they find nothing."""

    today: Callable[[], datetime.date]

    async def plan(self, message: Message, context: Context) -> Plan:
        """First who and where, then the facts, then what is made of them; nothing for who asks nothing."""
        asked, memory = _asked(message, context.burst), _remember(context)
        question = await self._understand(asked, memory)
        if question.kind is Kind.HELP:
            return Plan()
        if question.kind is Kind.HOLIDAY:
            return Plan(*self._names(asked, memory, question), *self._holiday(asked, question.years))
        calls = [*self._facts(asked, question)]
        names = [self._where(asked, memory)]
        if question.topic and question.kind in _OF_A_HOLIDAYS_DAY:
            names = [*self._names(asked, memory, question)]
        return Plan(*names, *calls)

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        """A new plan for a message that has joined.

        Otherwise closest names for a holiday nobody knows; more years when no date lies ahead; second dates.
        """
        asked = _asked(message, context.burst)
        found = asked.results(results)
        if PLACE not in found:
            plan = await self.plan(message, context)
            return plan if plan.calls else None
        if ANSWER in found:
            return self._next_year(asked, found)
        if not found[HOLIDAY].succeeded:
            if SIMILAR in found:
                return None
            text = {"text": " ".join(asked.texts), "year": self.today().year}
            return Plan(Call(asked.id(SIMILAR), "find_similar_names", text))
        calls = [*_second_dates(asked, found), *self._further_years(asked, found)]
        return Plan(*calls) if calls else None

    async def _understand(self, asked: _Asked, memory: _Memory) -> Question:
        await libraries.load()
        today = self.today()
        *fragments, newest = asked.texts
        names = await catalogue.familiar_names(today.year)
        return understand(
            newest,
            today,
            names,
            fragments=fragments,
            earlier=memory.texts,
            knows_holiday=memory.holiday is not None,
        )

    # Who and where -------------------------------------------------------------------------------

    def _names(self, asked: _Asked, memory: _Memory, question: Question) -> Iterator[Call]:
        arguments = {
            **self._text(asked, memory),
            "known": memory.holiday,
            "near": memory.place,
            "goes_on": question.goes_on,
        }
        if question.kind is not Kind.HOLIDAY:
            arguments |= {"text": question.topic, "fragments": []}
        yield Call(asked.id(HOLIDAY), "find_holiday", arguments)
        yield self._where(asked, memory)

    def _where(self, asked: _Asked, memory: _Memory) -> Call:
        return Call(asked.id(PLACE), "find_place", {**self._text(asked, memory), "known": memory.place})

    def _text(self, asked: _Asked, memory: _Memory) -> dict[str, Any]:
        *fragments, text = asked.texts
        return {
            "text": text,
            "fragments": fragments,
            "year": self.today().year,
            "earlier": list(memory.texts),
        }

    # A holiday -----------------------------------------------------------------------------------

    def _holiday(self, asked: _Asked, years: Sequence[int]) -> Iterator[Call]:
        this_year = self.today().year
        looked = tuple(years) or (this_year, this_year + 1)
        yield from _date_calls(asked, looked)
        yield self._calendar(asked, CALENDAR, looked)

    def _calendar(self, asked: _Asked, name: str, years: Iterable[int]) -> Call:
        dates = [Ref(asked.id(f"{DATES}-{year}"), default=[]) for year in years]
        arguments = {"holiday": Ref(asked.id(HOLIDAY)), "dates": dates, "today": self.today()}
        return Call(asked.id(name), "write_holiday", arguments)

    def _further_years(self, asked: _Asked, found: Results) -> Iterator[Call]:
        """Once, and not for somebody who named the years."""
        looked = [int(name.removeprefix(f"{DATES}-")) for name in found if name.startswith(f"{DATES}-")]
        if len(looked) != 2 or max(looked) != self.today().year + 1 or _names_years(asked):
            return
        if not any(date.last >= self.today() for date in found_dates(found)):
            years = range(max(looked) + 1, max(looked) + 1 + _FURTHER_YEARS)
            yield from _date_calls(asked, years)
            yield self._calendar(asked, f"{CALENDAR}-{years[0]}", years)

    # Everything else -----------------------------------------------------------------------------

    def _facts(self, asked: _Asked, question: Question) -> Iterator[Call]:
        today = self.today()
        year = question.years[0] if question.years else None
        about = {"today": today, "place": asked.place, "day": question.day, "holiday": None, "year": year}
        if question.topic and question.kind in _OF_A_HOLIDAYS_DAY:
            about["holiday"] = asked.holiday
        match question.kind:
            case Kind.PUBLIC:
                arguments = {"today": today, "place": asked.place, "year": year}
                if question.last is not None:
                    arguments |= {"first": question.day, "last": question.last}
                yield Call(asked.id(ANSWER), "find_public_holidays", arguments)
                yield self._written(asked, "write_public")
            case Kind.TRADITION:
                arguments = {"tradition": question.topic, "today": today, "year": year}
                yield Call(asked.id(ANSWER), "find_tradition", arguments)
            case Kind.DAY_OFF:
                yield Call(asked.id(ANSWER), "check_day", about)
            case Kind.WORKDAYS:
                arguments = {
                    "today": today,
                    "place": asked.place,
                    "first": question.day,
                    "last": question.last,
                    "holiday": about["holiday"],
                }
                yield Call(asked.id(ANSWER), "count_workdays", arguments)
            case Kind.ADD_WORKDAYS:
                arguments = {"day": question.day, "count": question.count, "place": asked.place}
                yield Call(asked.id(ANSWER), "add_workdays", arguments)
            case Kind.SUN:
                yield Call(asked.id(ANSWER), "find_sun", about)
            case Kind.CANDLES:
                yield Call(asked.id(ANSWER), "find_rest", {**about, "lights": question.lights})
                arguments = {"rest": Ref(asked.id(ANSWER)), "today": today}
                yield Call(asked.id(CALENDAR), "write_rest", arguments)
            case Kind.LONG_WEEKENDS:
                yield from self._weekends(asked, year or today.year, question.day, question.last)

    def _weekends(
        self,
        asked: _Asked,
        year: int,
        first: datetime.date | None = None,
        last: datetime.date | None = None,
        suffix: str = "",
    ) -> Iterator[Call]:
        arguments: dict[str, Any] = {"year": year, "place": asked.place}
        if first is not None and last is not None:
            arguments |= {"year": first.year, "first": first, "last": last}
        yield Call(asked.id(f"{ANSWER}{suffix}"), "find_long_weekends", arguments)
        yield self._written(asked, "write_weekends", suffix)

    def _written(self, asked: _Asked, tool: str, suffix: str = "") -> Call:
        found = Ref(asked.id(f"{ANSWER}{suffix}"))
        arguments = {"found": found, "place": asked.place, "today": self.today()}
        return Call(asked.id(f"{CALENDAR}{suffix}"), tool, arguments)

    def _next_year(self, asked: _Asked, found: Results) -> Plan | None:
        """The long weekends of the year after, when none of this year's lies ahead and no year was named."""
        weekends = found[ANSWER].value_or(None)
        today = self.today()
        if (
            not isinstance(weekends, LongWeekends)
            or weekends.year != today.year
            or weekends.first is not None
            or f"{ANSWER}-next" in found
            or _names_years(asked)
            or any(each.last >= today for each in weekends.weekends)
        ):
            return None
        return Plan(*self._weekends(asked, today.year + 1, suffix="-next"))


def results_for(message: Message, results: Results, context: Context) -> Results:
    """What was found out for the newest question, by the names above."""
    return _asked(message, context.burst).results(results)


def found_dates(found: Results) -> list[Occurrence]:
    """Every date that the calls so far have found, in order."""
    dates: list[Occurrence] = []
    for name, outcome in found.items():
        if name.startswith(f"{DATES}-"):
            dates += outcome.value_or([])
    return sorted(dates, key=lambda date: date.first)


def _asked(message: Message, burst: Sequence[Message]) -> _Asked:
    return _Asked(tuple(asked_by(each) for each in burst or (message,)))


def _names_years(asked: _Asked) -> bool:
    return any(read_years(split(text)) for text in asked.texts)


def _date_calls(asked: _Asked, years: Iterable[int]) -> Iterator[Call]:
    for year in (years := tuple(years)):
        yield Call(
            asked.id(f"{DATES}-{year}"),
            "find_dates",
            {"holiday": Ref(asked.id(HOLIDAY)), "place": asked.place, "year": year},
        )
    for year in years:
        yield from _day_calls(asked, f"{year}", Ref(asked.id(f"{DATES}-{year}"), 0, "begins"))


def _second_dates(asked: _Asked, found: Results) -> Iterator[Call]:
    """A lunar holiday may come round twice in a year: the first plan knew of one."""
    for name, outcome in found.items():
        if name.startswith(f"{DATES}-"):
            year = name.removeprefix(f"{DATES}-")
            for index in range(1, len(outcome.value_or([]))):
                if f"{SUNSET}-{year}-{index + 1}" not in found:
                    day = Ref(asked.id(name), index, "begins")
                    yield from _day_calls(asked, f"{year}-{index + 1}", day)


def _day_calls(asked: _Asked, name: str, day: Ref) -> Iterator[Call]:
    yield Call(
        asked.id(f"{SUNSET}-{name}"),
        "find_sunset",
        {"day": day, "holiday": Ref(asked.id(HOLIDAY)), "place": asked.place},
    )
    yield Call(asked.id(f"{WEEKDAY}-{name}"), "find_weekday", {"day": day})


def _remember(context: Context) -> _Memory:
    """The user's last questions, newest first, and what the interrupted ones had found out (P7)."""
    turns = [turn for turn in context.history if turn.role == "user"]
    memory = _Memory(texts=tuple(turn.text for turn in reversed(turns[-_EARLIER_MAX:])))
    newest = max((turn.sequence for turn in turns), default=0)
    for request in context.superseded:
        if request.message.sequence < newest:
            # Something else has been asked since: its words count.
            continue
        found = _asked(request.message, request.burst).results(request.results)
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
