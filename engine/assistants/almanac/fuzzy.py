"""The known names closest to what somebody typed."""

from collections.abc import Iterable, Sequence
from typing import Final

import trio

from engine.assistants.almanac.words import Gram

# A wrong letter in a word of five is a typo (80); two are another word.
TYPO_SCORE: Final = 80.0
# Good enough to be offered as "did you mean".
SIMILAR_SCORE: Final = 70.0
# Shorter words have too many neighbours: "holy" is not "holi".
_LETTERS_MIN: Final = 5


async def find_typo(grams: Iterable[Gram], names: Sequence[str], score: float = TYPO_SCORE) -> Gram | None:
    """The gram that is a name but for a typo, with the name as its text; None when none is."""
    from rapidfuzz import fuzz, process  # lazily: 80 ms that a start-up need not pay

    best: tuple[float, int] = (0.0, 0)
    found = None
    for gram in grams:
        await trio.lowlevel.checkpoint()  # a name at a time: nobody else waits for a whole text
        if len(gram.text) < _LETTERS_MIN:
            continue
        match = process.extractOne(gram.text, names, scorer=fuzz.ratio, score_cutoff=score)
        if match is not None and (match[1], len(gram.text)) > best:
            best = (match[1], len(gram.text))
            found = Gram(gram.start, gram.end, match[0])
    return found


async def find_similar(grams: Iterable[Gram], names: Sequence[str], count: int) -> list[str]:
    """The names most like anything in a text, best first."""
    from rapidfuzz import fuzz, process

    scores: dict[str, float] = {}
    for gram in grams:
        await trio.lowlevel.checkpoint()
        for name, score, _ in process.extract(
            gram.text, names, scorer=fuzz.ratio, score_cutoff=SIMILAR_SCORE, limit=count
        ):
            scores[name] = max(score, scores.get(name, 0.0))
    return sorted(scores, key=lambda name: -scores[name])[:count]
