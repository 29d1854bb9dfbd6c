"""A text as comparable words: no case, no accents, no punctuation; which of them carry no topic."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import attrs

T = TypeVar("T")

# A question is shorter; a pasted novel must not cost seconds of matching.
WORDS_MAX: Final = 40
# The longest names worth matching; longer ones are official titles nobody types.
GRAM_WORDS_MAX: Final = 6

# They name neither a holiday nor a place, however close to one they are spelt.
_FILLERS = """
a about actually after again ahead all also am an and any are around as ask at be been before begin begins
bit book but by bye can cancel celebrate celebrated change changed check could date dates day days did do
does done dont else end ends evening fall falls faster find first for forget from get give going good
great happen happens has have hello help hey hi holiday holidays how i if im in info instead into is it
its just kindly know last later let like look make many master matter may me mean mind much my near never
new next night nights no nope not now of off ok okay on one or our out over past please question rather
really say see show soon sorry start starts still stop sunset sunsets switch table tell than thank thanks
that thats the their them then there these they this those time times to today tomorrow tonight too uh um
until up upcoming us use want was wait we weather week weekday well were what whats when whens where
which who why will with would year years yes yesterday you your
"""
FILLERS: Final = frozenset(_FILLERS.split())
# A name may well end in these, a question as well.
_NAME_ENDS: Final = frozenset({"day", "days", "year"})
# A name after one of these is what is *not* wanted: "Passover instead of Hanukkah".
_NEGATIONS: Final = (("not",), ("forget",), ("instead", "of"), ("rather", "than"), ("no", "more"))
_YEAR: Final = re.compile(r"(?:19|20|21)\d\d")


@attrs.frozen
class Gram:
    """Neighbouring words `start` to `end` (exclusive) of a text."""

    start: int
    end: int
    text: str


def normalise(text: str) -> str:
    """
    >>> normalise("When's Noël — New Year's Day?")
    'whens noel new years day'
    """
    letters = unicodedata.normalize("NFKD", text.casefold())
    kept = []
    for letter in letters:
        category = unicodedata.category(letter)
        if letter in "'’‘`׳״\"" or category == "Mn":  # noqa: RUF001  # quotes as they are typed
            continue
        kept.append(letter if letter.isalnum() or category == "Mc" else " ")
    return " ".join("".join(kept).split())


def split(text: str) -> tuple[str, ...]:
    """The comparable words of a text, the first WORDS_MAX of them."""
    return tuple(normalise(text[: WORDS_MAX * 20]).split()[:WORDS_MAX])


def read_years(words: Sequence[str]) -> tuple[int, ...]:
    """The years that a text names, each once, in its order."""
    return tuple(dict.fromkeys(int(word) for word in words if _YEAR.fullmatch(word)))


def has_topic(words: Sequence[str]) -> bool:
    """Whether any word could be part of a name."""
    return any(word and word not in FILLERS and not word.isdigit() for word in words)


def grams(words: Sequence[str]) -> Iterator[Gram]:
    """Every run of words that neither begins nor ends in a filler, longest first.

    An empty word is one that was taken out: no gram reaches over it.
    """
    for size in range(min(GRAM_WORDS_MAX, len(words)), 0, -1):
        for start in range(len(words) - size + 1):
            run = words[start : start + size]
            if (
                all(run)
                and run[0] not in FILLERS
                and (run[-1] not in FILLERS or (size > 1 and run[-1] in _NAME_ENDS))
            ):
                yield Gram(start, start + size, " ".join(run))


def find_exact(words: Sequence[str], names: Collection[str]) -> list[Gram]:
    """The names in a text, in its order, the longest wherever two overlap."""
    found = []
    start = 0
    while start < len(words):
        for size in range(min(GRAM_WORDS_MAX, len(words) - start), 0, -1):
            run = words[start : start + size]
            if all(run) and (text := " ".join(run)) in names:
                found.append(Gram(start, start + size, text))
                start += size
                break
        else:
            start += 1
    return found


def wanted(found: Sequence[Gram], words: Sequence[str]) -> Gram | None:
    """Which of the names found is meant: the last one that is not said to be unwanted."""
    meant = [gram for gram in found if not _negated(gram, words)]
    return next(reversed(meant or found), None)


def _negated(gram: Gram, words: Sequence[str]) -> bool:
    return any(
        tuple(words[gram.start - len(no) : gram.start]) == no for no in _NEGATIONS if gram.start >= len(no)
    )


def without(words: Sequence[str], *taken: Gram) -> tuple[str, ...]:
    """The words with those of some grams taken out; the places of the others stay the same."""
    gone = {index for gram in taken for index in range(gram.start, gram.end)}
    return tuple("" if index in gone else word for index, word in enumerate(words))


def add_missing(names: dict[str, T], more: Mapping[str, T]) -> None:
    """Add what is not there yet: names that came first stand."""
    for name, value in more.items():
        names.setdefault(name, value)
