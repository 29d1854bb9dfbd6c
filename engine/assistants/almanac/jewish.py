"""The holidays of the Hebrew calendar: names and dates, from pyluach."""

import datetime
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from engine.assistants.almanac.values import Holiday, Occurrence
from engine.assistants.almanac.words import normalise

TRADITION: Final = "jewish"
_HOME: Final = "Jerusalem"
# Where most two-day festivals have one day (ISO 3166).
ISRAEL: Final = "IL"

# What pyluach calls each day, what most people call it, and how else it is written.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "Rosh Hashana": ("Rosh Hashanah", "Rosh Hashana", "Rosh ha-Shanah", "Jewish New Year"),
    "Tzom Gedalia": ("Fast of Gedaliah", "Tzom Gedaliah", "Tzom Gedalya"),
    "Yom Kippur": ("Yom Kippur", "Day of Atonement", "Kippur"),
    "Succos": ("Sukkot", "Sukkoth", "Succot", "Sukkos", "Feast of Tabernacles", "Feast of Booths"),
    "Shmini Atzeres": ("Shemini Atzeret", "Shmini Atzeret"),
    "Simchas Torah": ("Simchat Torah", "Simhat Torah"),
    "Chanuka": (
        "Hanukkah", "Chanukah", "Chanukkah", "Hanukah", "Hannukah", "Hanuka", "Januca", "Hanoucca",
        "Chanukka", "Festival of Lights",
    ),
    "10 of Teves": ("Fast of the Tenth of Tevet", "Asara BeTevet", "10 Tevet", "Tenth of Tevet"),
    "Tu B'shvat": ("Tu BiShvat", "Tu B'Shevat", "New Year of the Trees"),
    "Taanis Esther": ("Fast of Esther", "Ta'anit Esther", "Taanis Ester"),
    "Purim": ("Purim",),
    "Shushan Purim": ("Shushan Purim",),
    "Purim Katan": ("Purim Katan",),
    "Pesach": ("Passover", "Pesach", "Pesah", "Pessach", "Pesaj", "Pessah", "Feast of Unleavened Bread"),
    "Pesach Sheni": ("Pesach Sheni", "Second Passover"),
    "Lag Ba'omer": ("Lag BaOmer", "Lag LaOmer"),
    "Shavuos": ("Shavuot", "Shavuoth", "Shavuos", "Feast of Weeks"),
    "17 of Tamuz": ("Fast of the Seventeenth of Tammuz", "Shiva Asar BeTammuz", "17 Tammuz"),
    "9 of Av": ("Tisha B'Av", "Tisha Be'Av", "Tishah B'Av", "Ninth of Av"),
    "Tu B'av": ("Tu B'Av",),
}  # fmt: skip
# Fasts that begin at dawn; every other day begins at the sunset before it.
_FROM_DAWN: Final = frozenset({"Tzom Gedalia", "10 of Teves", "Taanis Esther", "17 of Tamuz"})
# In Israel both are kept on one day, which pyluach calls by the first name only.
_IN_ISRAEL: Final[Mapping[str, str]] = {"Simchas Torah": "Shmini Atzeres"}


@lru_cache(maxsize=1)
def names() -> Mapping[str, Holiday]:
    """Every name of every holiday, in comparable words; Hebrew ones as pyluach has them."""
    known = {}
    for key, called in _NAMES.items():
        holiday = Holiday(
            name=called[0], key=key, tradition=TRADITION, home=_HOME, begins_at_sunset=key not in _FROM_DAWN
        )
        for name in (key, *called):
            known[normalise(name)] = holiday
    for key, name in _hebrew_names().items():
        known[normalise(name)] = known[normalise(key)]
    return known


def find(holiday: Holiday, year: int, *, israel: bool) -> list[Occurrence]:
    """Each time the holiday's first whole day falls in a civil year, by the calendar of Israel or not."""
    here = _runs(holiday.key, year, israel)
    elsewhere = _runs(holiday.key, year, not israel)
    eve = datetime.timedelta(days=1 if holiday.begins_at_sunset else 0)
    found = []
    for (first, last), (other_first, other_last) in zip(here, elsewhere, strict=True):
        days = (other_last - other_first).days + 1
        found.append(
            Occurrence(
                begins=first - eve,
                first=first,
                last=last,
                days_elsewhere=days if days != (last - first).days + 1 else 0,
            )
        )
    return found


def _runs(key: str, year: int, israel: bool) -> list[tuple[datetime.date, datetime.date]]:
    key = _IN_ISRAEL.get(key, key) if israel else key
    runs: list[tuple[datetime.date, datetime.date]] = []
    for day in [day for day, name in _days(year, israel) if name == key]:
        if runs and (day - runs[-1][1]).days == 1:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return [run for run in runs if run[0].year == year]


@lru_cache(maxsize=64)
def _days(year: int, israel: bool) -> tuple[tuple[datetime.date, str], ...]:
    """The holidays of a civil year and of a month at each side, for what goes on over New Year."""
    from pyluach.dates import GregorianDate  # type: ignore[import-untyped]

    day = GregorianDate(year - 1, 12, 1)
    found = []
    for _ in range(31 + 366 + 31):
        if name := day.holiday(israel=israel):
            found.append((day.to_pydate(), name))
        day += 1
    return tuple(found)


def _hebrew_names() -> dict[str, str]:
    from pyluach.hebrewcal import Year  # type: ignore[import-untyped]

    found = {}
    # A common and a leap year: between them they have every day.
    for year in (5786, 5787):
        for day in Year(year).iterdates():
            if (key := day.holiday()) and key in _NAMES:
                found[key] = day.holiday(hebrew=True)
    return found
