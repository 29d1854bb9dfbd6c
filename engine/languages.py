"""What the engine says in which language, and the words that stop it.

Rule 1: a stop word is a whole message, its case, accents and surrounding punctuation folded.
Rule 2: a language that is not known, or that an assistant names wrongly, is the default one.
"""

import tomllib
import unicodedata
from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import attrs
import structlog

from engine.errors import LanguagesError
from engine.model import Message
from engine.texts import ACKNOWLEDGEMENT, CALLS, MAY_BE_EMPTY, NAMES, WITH_CALLS, Texts

_log: Final = structlog.get_logger("midstream.sessions")
_DEFAULT: Final = "language"
_STOP_WORDS: Final = "stop_words"
# WhatsApp's longest text message; with a list of calls in it a text may become longer, and goes out in parts.
_CHARACTERS_MAX: Final = 4_096
# Marks behind a character that choose how it is drawn, as a text or as an emoji.
_EMOJI_STYLES: Final = "\ufe0e\ufe0f"
# No stop word is as long; a long message need not be folded.
_STOP_CHARACTERS_MAX: Final = 100


def fold(text: str) -> str:
    """A message as stop words are compared: case, accents and what stands around the words do not count.

    >>> fold("  ¡Párate YA!! ")
    'parate ya'
    """
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(one for one in plain if not (unicodedata.combining(one) or one in _EMOJI_STYLES))
    words = "".join(one if unicodedata.category(one)[0] in "LMN" else " " for one in letters)
    return " ".join(words.split())


@attrs.frozen(kw_only=True)
class Languages:
    """The default language, the texts and the folded stop words by language."""

    default: str
    texts: Mapping[str, Texts]
    stop_words: Mapping[str, Collection[str]]
    # An assistant's word on the language of a message, as `es` or `es-AR`.
    language_of: Callable[[Message], str] | None = None

    def stop_language(self, text: str) -> str | None:
        """The language of the stop word that this message is, the first of several; None when it is none."""
        word = fold(text) if len(text) <= _STOP_CHARACTERS_MAX else ""
        return next((language for language, words in self.stop_words.items() if word in words), None)

    def said_to(self, message: Message) -> Texts:
        """The texts for who wrote this message."""
        language = self._named(message) or self.stop_language(message.text) or self.default
        return self.texts.get(language) or self.texts[self.default]

    def _named(self, message: Message) -> str | None:
        """The language that the assistant names, when there are texts of it."""
        if self.language_of is None:
            return None
        try:
            named = _tag(self.language_of(message))
        except (Exception, SystemExit):  # somebody's own function; it must not stop a message
            _log.exception("language_not_known", message_id=message.id)
            return None
        return next((one for one in (named, named.partition("-")[0]) if one in self.texts), None)

    def acknowledging(self, acknowledgement: str) -> "Languages":
        """The same with this acknowledgement in every language; empty: none is said."""
        texts = {
            name: attrs.evolve(texts, acknowledgement=acknowledgement) for name, texts in self.texts.items()
        }
        return attrs.evolve(self, texts=texts)


@cache
def built_in() -> Languages:
    """The languages that come with the engine."""
    text = (files("engine") / "languages.toml").read_text(encoding="utf-8")
    return parse_languages(text, Languages(default="", texts={}, stop_words={}))


def with_acknowledgement(acknowledgement: str) -> Languages:
    """The built-in languages; an acknowledgement other than the default is said in all of them."""
    known = built_in()
    return known if acknowledgement == ACKNOWLEDGEMENT else known.acknowledging(acknowledgement)


def parse_languages(text: str, base: Languages) -> Languages:
    """What a TOML text says of languages, over what `base` says.  Raises LanguagesError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LanguagesError(f"is not TOML: {error}") from None
    default = tables.pop(_DEFAULT, base.default)
    texts, stop_words = dict(base.texts), dict(base.stop_words)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise LanguagesError(f"{name!r} must be a table: write [{name}] above its texts")
        language = _tag(name)
        words = table.pop(_STOP_WORDS, None)
        if table:
            checked = _checked(language, table)
            known = texts.get(language) or texts.get(base.default)
            texts[language] = attrs.evolve(known, **checked) if known else Texts(**checked)
        if words is not None:
            stop_words[language] = _words(language, words)
    if not isinstance(default, str) or _tag(default) not in texts:
        raise LanguagesError(
            f"language = {default!r}: there are no texts of it; there are: {', '.join(texts)}"
        )
    return attrs.evolve(base, default=_tag(default), texts=texts, stop_words=stop_words)


def _tag(language: str) -> str:
    """A language as its name is compared: `pt-br` for `pt_BR`."""
    return language.lower().replace("_", "-")


def _checked(language: str, table: Mapping[str, Any]) -> Mapping[str, str]:
    for name, text in table.items():
        where = f"[{language}] {name}"
        if name not in NAMES:
            raise LanguagesError(f"{where}: there is no such text; there are: {', '.join(NAMES)}")
        if not isinstance(text, str) or len(text) > _CHARACTERS_MAX:
            raise LanguagesError(f"{where}: must be a text of at most {_CHARACTERS_MAX} characters")
        if not text.strip() and not (text == "" and name in MAY_BE_EMPTY):
            raise LanguagesError(f"{where}: must not be empty")
        if name in WITH_CALLS and CALLS not in text:
            raise LanguagesError(f"{where}: must hold {CALLS}, where the list of calls goes")
    return table


def _words(language: str, words: Any) -> frozenset[str]:
    where = f"[{language}] {_STOP_WORDS}"
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise LanguagesError(f"{where}: must be a list of texts")
    folded = [fold(word) for word in words]
    for word, plain in zip(words, folded, strict=True):
        if not plain or len(word) > _STOP_CHARACTERS_MAX:
            raise LanguagesError(f"{where}: {word!r:.60} cannot be a whole message")
    return frozenset(folded)
