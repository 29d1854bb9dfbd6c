"""Plans an answer: which holiday and where; its dates; sunset and weekday of each."""

import datetime
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import attrs

from engine import Call, Context, Message, Outcome, Plan, Ref, Results
from engine.assistants.almanac.values import Holiday, Occurrence, Place
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
class Planner:
    """Plans three waves; looks further when they find no date to come, and for names when no holiday."""

    today: Callable[[], datetime.date]

    async def plan(self, message: Message, context: Context) -> Plan:
        """First who and where, then a call a year, then a sunset and a weekday a date."""
        this_year = self.today().year
        memory = _remember(context)
        asked = {"text": message.text, "year": this_year, "earlier": list(memory.texts)}
        return Plan(
            Call(HOLIDAY, "find_holiday", {**asked, "known": memory.holiday, "near": memory.place}),
            Call(PLACE, "find_place", {**asked, "known": memory.place}),
            *_date_calls(read_years(split(message.text)) or (this_year, this_year + 1)),
        )

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        """Closest names for a holiday nobody knows; more years when no date lies ahead; second dates."""
        if not results[HOLIDAY].succeeded:
            if SIMILAR in results:
                return None
            return Plan(
                Call(SIMILAR, "find_similar_names", {"text": message.text, "year": self.today().year})
            )
        calls = [*_second_dates(results), *self._further_years(message, results)]
        return Plan(*calls) if calls else None

    def _further_years(self, message: Message, results: Results) -> Iterator[Call]:
        """Once, and not for somebody who named the years."""
        looked = [int(key.removeprefix(f"{DATES}-")) for key in results if key.startswith(f"{DATES}-")]
        if read_years(split(message.text)) or len(looked) > 2:
            return
        if not any(date.last >= self.today() for date in found_dates(results)):
            last = max(looked)
            yield from _date_calls(range(last + 1, last + 1 + _FURTHER_YEARS))


def found_dates(results: Results) -> list[Occurrence]:
    """Every date that the calls so far have found, in order."""
    found: list[Occurrence] = []
    for key, outcome in results.items():
        if key.startswith(f"{DATES}-"):
            found += outcome.value_or([])
    return sorted(found, key=lambda date: date.first)


def _date_calls(years: Iterable[int]) -> Iterator[Call]:
    for year in (years := tuple(years)):
        yield Call(
            f"{DATES}-{year}",
            "find_dates",
            {"holiday": Ref(HOLIDAY), "place": Ref(PLACE, default=None), "year": year},
        )
    for year in years:
        yield from _day_calls(f"{year}", Ref(f"{DATES}-{year}", 0, "begins"))


def _second_dates(results: Results) -> Iterator[Call]:
    """A lunar holiday may come round twice in a year: the first plan knew of one."""
    for key, outcome in results.items():
        if key.startswith(f"{DATES}-"):
            year = key.removeprefix(f"{DATES}-")
            for index in range(1, len(outcome.value_or([]))):
                if f"{SUNSET}-{year}-{index + 1}" not in results:
                    yield from _day_calls(f"{year}-{index + 1}", Ref(key, index, "begins"))


def _day_calls(name: str, day: Ref) -> Iterator[Call]:
    yield Call(
        f"{SUNSET}-{name}",
        "find_sunset",
        {"day": day, "holiday": Ref(HOLIDAY), "place": Ref(PLACE, default=None)},
    )
    yield Call(f"{WEEKDAY}-{name}", "find_weekday", {"day": day})


def _remember(context: Context) -> _Memory:
    """The user's last questions, newest first, and what the interrupted ones had found out (P7)."""
    texts = [turn.text for turn in context.history if turn.role == "user"]
    memory = _Memory(texts=tuple(reversed(texts[-_EARLIER_MAX:])))
    for request in context.superseded:
        memory = attrs.evolve(
            memory,
            holiday=_value(request.results.get(HOLIDAY), Holiday) or memory.holiday,
            place=_value(request.results.get(PLACE), Place) or memory.place,
        )
    return memory


def _value(outcome: Outcome | None, kind: type) -> Any:
    """The outcome's value; None when there is none, or an older version of this program found it."""
    value = outcome.value_or(None) if outcome is not None else None
    return value if isinstance(value, kind) else None
