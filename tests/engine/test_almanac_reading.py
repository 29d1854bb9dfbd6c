"""Which holiday and which place a question names: phrasings as people write them."""

import pytest

from engine.assistants.almanac import places
from engine.assistants.almanac.reading import Reading, read, read_together

YEAR = 2025

# What is written; the holiday; the country that keeps it for itself; the city.
PHRASINGS = [
    ("Check Hanukkah", "Hanukkah", "", None),
    ("check hanukkah in london", "Hanukkah", "", "London"),
    ("Actually Passover", "Passover", "", None),
    ("Actually, no, make it Passover", "Passover", "", None),
    ("no wait, Purim instead of Hanukkah", "Purim", "", None),
    ("not Hanukkah, Passover please", "Passover", "", None),
    ("When is Easter in Rome?", "Easter Sunday", "", "Rome"),
    ("when's easter", "Easter Sunday", "", None),
    ("When is Easter Monday?", "Easter Monday", "", None),
    ("Orthodox Easter", "Orthodox Easter", "", None),
    ("easter in Athens this year", "Easter Sunday", "", "Athens"),
    ("Rosh Hashana in New York City", "Rosh Hashanah", "", "New York"),
    ("Yom Kippur Jerusalem", "Yom Kippur", "", "Jerusalem"),
    ("Passover, Rome", "Passover", "", "Rome"),
    ("London Hanukkah", "Hanukkah", "", "London"),
    ("when does Tisha B'Av start?", "Tisha B'Av", "", None),
    ("feast of weeks", "Shavuot", "", None),
    ("simchas torah", "Simchat Torah", "", None),
    ("10 Tevet", "Fast of the Tenth of Tevet", "", None),
    ("Chanukah", "Hanukkah", "", None),
    ("Hannuka", "Hanukkah", "", None),
    ("Hanukka in Lndon", "Hanukkah", "", "London"),
    ("pasover", "Passover", "", None),
    ("Diwlai in Mumbai", "Diwali", "", "Mumbai"),
    ("חנוכה", "Hanukkah", "", None),
    ("פסח", "Passover", "", None),
    ("Ханука", "Hanukkah", "", None),
    ("When is Diwali in London and sunset that day?", "Diwali", "", "London"),
    ("deepavali", "Diwali", "", None),
    ("Eid in Makkah", "Eid al-Fitr", "", "Makkah"),
    ("Eid al-Adha", "Eid al-Adha", "", None),
    ("when does ramadan begin", "First Day of Ramadan", "", None),
    ("Chinese New Year in Hong Kong", "Chinese New Year", "", "Hong Kong"),
    ("lunar new year", "Chinese New Year", "", None),
    ("new year's eve in Sydney", "New Year's Eve", "", "Sydney"),
    ("When is New Year?", "New Year's Day", "", None),
    ("xmas", "Christmas Day", "", None),
    ("Weihnachten in Berlin", "Christmas Day", "", "Berlin"),
    ("Pasqua", "Easter Sunday", "", None),
    ("Noël", "Christmas Day", "", None),
    ("Ostern in Vienna", "Easter Sunday", "", "Vienna"),
    ("Thanksgiving", "Thanksgiving Day", "US", None),
    ("Thanksgiving in Canada", "Thanksgiving Day", "CA", "Ottawa"),
    ("Thanksgiving Canada", "Thanksgiving Day", "CA", "Ottawa"),
    ("thanksgiving in the US", "Thanksgiving Day", "US", "Washington DC"),
    ("Bastille Day", "Bastille Day", "FR", None),
    ("4th of July", "4th of July", "US", None),
    ("Independence Day in India", "Independence Day", "IN", "New Delhi"),
    ("Independence Day", "Independence Day", "US", None),
    ("St Patrick's day in Dublin", "Saint Patrick's Day", "", "Dublin"),
    ("Saint Andrew's Day in Scotland", "Saint Andrew's Day", "GB", "Edinburgh"),
    ("Waitangi Day", "Waitangi Day", "NZ", None),
    ("Canada Day", "Canada Day", "CA", None),
    ("Canada", None, "", "Ottawa"),
    ("Timkat in Ethiopia", None, "", "Addis Ababa"),
    ("hello there", None, "", None),
    ("and in Paris?", None, "", "Paris"),
    ("is it quiet in the morning", None, "", None),
    ("what is the meaning of life", None, "", None),
    ("Hanukkah in December", "Hanukkah", "", None),
    ("Hanukkah in 2027", "Hanukkah", "", None),
    ("", None, "", None),
]


@pytest.mark.parametrize(("text", "holiday", "country", "city"), PHRASINGS)
async def test_a_phrasing_is_understood(text, holiday, country, city, autojump_clock):
    """The holiday, whose it is when it is a country's own, and the city."""
    reading = await read(text, YEAR)
    found = reading.holiday
    assert (found.name if found else None) == holiday
    assert (found.country if found and not found.tradition else "") == country
    assert (reading.place.name if reading.place else None) == city


async def test_a_place_that_is_not_in_the_database_is_noticed(autojump_clock):
    """After "in" stands a place, known or not; elsewhere an unknown word is no place."""
    assert (await read("Hanukkah in the Xyzzy Islands this year", YEAR)).unknown_place == "xyzzy islands"
    assert (await read("Hanukkah xyzzy", YEAR)).unknown_place == ""


async def test_the_country_known_from_before_decides_whose_day_is_meant(autojump_clock):
    """ "Thanksgiving" after a question about Canada is Canada's, but a tradition's day stays its own."""
    canada = places.find("Canada")
    assert canada is not None
    thanksgiving = await read("Actually Thanksgiving", YEAR, canada)
    assert thanksgiving.holiday is not None
    assert thanksgiving.holiday.country == "CA"
    easter = await read("Actually Easter", YEAR, canada)
    assert easter.holiday is not None
    assert easter.holiday.tradition == "christian"


async def test_a_word_left_over_is_a_topic(autojump_clock):
    """So that "and in Paris?" follows up, and "Zorbfest in Paris" does not."""
    assert await read("and in Paris?", YEAR) == Reading(place=places.find("Paris"))
    assert (await read("Zorbfest in Paris", YEAR)).has_topic


async def test_a_place_in_one_fragment_decides_whose_day_the_next_one_means(autojump_clock):
    """Canada's Thanksgiving, and not the best known one."""
    reading = await read_together(["in Canada", "Thanksgiving"], YEAR)
    assert reading.holiday is not None
    assert reading.holiday.country == "CA"


async def test_a_word_left_over_in_any_fragment_is_a_topic(autojump_clock):
    """ "Zorbfest", "in Paris" is no follow-up either."""
    assert (await read_together(["Zorbfest", "in Paris"], YEAR)).has_topic
    assert await read_together(["and", "in Paris"], YEAR) == Reading(place=places.find("Paris"))


async def test_what_was_written_too_long_before_is_another_question(autojump_clock):
    """A hundred messages that waited together are not read as one."""
    near = await read_together(["Hanukkah", *["hello"] * 3], YEAR)
    assert near.holiday is not None
    assert await read_together(["Hanukkah in London", *["hello"] * 4], YEAR) == Reading()


async def test_an_unfriendly_text_is_read_in_short_steps(autojump_clock):
    """Nothing is found in noise, and nothing breaks."""
    for text in ("🎉" * 4000, "in " * 4000, "a" * 4000, "in the", "\x00", "in in the the in"):
        reading = await read(text, YEAR)
        assert reading.holiday is None
        assert reading.place is None
