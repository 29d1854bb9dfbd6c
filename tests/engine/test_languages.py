"""What is said in which language, and which messages stop."""

import tomllib
import unicodedata
from importlib.resources import files
from typing import Any

import attrs
import pytest
import structlog

from engine import Limits, Message, User
from engine.languages import (
    Languages,
    LanguagesError,
    built_in,
    fold,
    parse_languages,
    with_acknowledgement,
)
from engine.split import split_text
from engine.texts import ACKNOWLEDGEMENT, MAY_BE_EMPTY, NAMES

TABLES: dict[str, Any] = tomllib.loads((files("engine") / "languages.toml").read_text(encoding="utf-8"))
DEFAULT = TABLES.pop("language")
SPOKEN = [language for language, table in TABLES.items() if set(table) != {"stop_words"}]
WORDS = [(language, word) for language, table in TABLES.items() for word in table["stop_words"]]


def message(text: str) -> Message:
    return Message(id="m1", user=User("15551234567"), text=text)


# Folding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Stop", "stop"),
        ("  STOP\n", "stop"),
        ("stop!!!", "stop"),
        ("...Stop?", "stop"),
        ("«stop»", "stop"),
        ("Never  mind,", "never mind"),
        ("never-mind", "never mind"),
        ("ＳＴＯＰ", "stop"),  # noqa: RUF001  # as a Japanese keyboard may write it
        ("stop 🛑", "stop"),
        # As phones write these: with a mark that asks for the coloured form, and a colour of skin.
        ("Stop❗️✋🏽‼️", "stop"),
        ("¡PARA ya!", "para ya"),
        ("Olvídalo", "olvidalo"),
        ("olvi\u0301dalo", "olvidalo"),
        ("ARRÊTE !", "arrete"),
        ("Aufhören.", "aufhoren"),
        ("AUFHÖREN", "aufhoren"),
        ("Großer Halt", "grosser halt"),
        ("deixa pra lá", "deixa pra la"),
        ("Przestań", "przestan"),
        ("İPTAL", "iptal"),
        ("ΤΕΛΟΣ", fold("τέλος")),
        ("СТОЙ!", "стои"),
        ("Стой", "стои"),
        ("إلغاء", "الغاء"),
        ("\u200fقف\u200f", "قف"),
        ("עֲצֹר", "עצר"),
        ("बंद करो।", fold("बंद करो")),
        ("ｽﾄｯﾌﾟ", fold("ストップ")),  # half as wide
        ("停止。", "停止"),
        ("그만", unicodedata.normalize("NFKD", "그만")),
        ("2 Stop 2", "2 stop 2"),
        # Nothing that could be a word.
        ("", ""),
        ("?!… 👍🏽", ""),
        ("\u0301", ""),
    ],
)
def test_a_message_is_folded(text: str, folded: str) -> None:
    """Rule 1: case, accents and what stands around the words do not count; nothing else is lost."""
    assert fold(text) == folded
    assert fold(folded) == folded


@pytest.mark.parametrize(
    ("one", "other"),
    [("stop", "stopp"), ("रोको", "रुको"), ("停止", "停"), ("para", "parar"), ("dur", "durdur"), ("די", "דיי")],
)
def test_other_words_stay_others(one: str, other: str) -> None:
    """A vowel sign is no accent."""
    assert fold(one) != fold(other)


# Stop words ---------------------------------------------------------------------------------------


def bare(text: str) -> str:
    """Without its accents."""
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


@pytest.mark.parametrize(("language", "word"), WORDS)
def test_a_stop_word_stops(language: str, word: str) -> None:
    """However it is written, as long as it is the whole message."""
    of = built_in().stop_language(word)
    # A word of several languages is that of the first.
    assert of == next(one for one in TABLES if word in TABLES[one]["stop_words"])
    written = [word, word.upper(), word.title(), unicodedata.normalize("NFD", word), bare(word)]
    for text in written:
        assert built_in().stop_language(text) == of
        for around in (f"  {text}!! ", f"¡{text}!\n", f"({text})", f"«{text}…»", f"\u200f{text} 🛑❗️"):
            assert built_in().stop_language(around) == of


@pytest.mark.parametrize(("language", "word"), WORDS)
def test_a_sentence_with_a_stop_word_does_not_stop(language: str, word: str) -> None:
    """It may ask for the opposite."""
    for text in (f"do not {word}", f"{word} 2", f"x{word}", f"{word}x", f"{word} {word} x", word + "x" * 200):
        assert built_in().stop_language(text) is None


def test_a_message_of_any_length_is_looked_at_at_once() -> None:
    """Up to the length that a stop word may have."""
    assert built_in().stop_language("stop" + "!" * 96) == "en"
    assert built_in().stop_language("stop" + "!" * 97) is None
    assert built_in().stop_language("") is None
    assert built_in().stop_language("👍") is None


def test_some_of_the_words_that_stop() -> None:
    """By hand, from the languages that most people write here."""
    stops = ["Stop", "cancel", "Never mind.", "¡Para!", "Arrête !", "Abbrechen", "cancelar", "basta", "стоп"]
    assert all(
        built_in().stop_language(text) for text in [*stops, "إلغاء", "עצור", "रुको", "取消", "止めて", "그만"]
    )
    asks = ["stop the music", "cancel my booking", "para mañana", "don't stop", "what is a halt?", "para que"]
    assert not any(built_in().stop_language(text) for text in asks)


# What comes with the engine -----------------------------------------------------------------------


def test_these_are_the_languages() -> None:
    """English unless somebody says otherwise; of some only the stop words are known."""
    assert (DEFAULT, built_in().default) == ("en", "en")
    assert SPOKEN == ["en", "es", "fr", "de", "pt", "it"]
    assert list(built_in().texts) == SPOKEN
    assert list(built_in().stop_words) == list(TABLES)
    assert built_in().language_of is None


@pytest.mark.parametrize("language", SPOKEN)
def test_a_language_is_complete(language: str) -> None:
    """Nobody is told half of it in another."""
    assert set(TABLES[language]) == {*NAMES, "stop_words"}
    assert attrs.asdict(built_in().texts[language]) == {name: TABLES[language][name] for name in NAMES}
    english = TABLES["en"]
    same = {name for name in NAMES if language != "en" and TABLES[language][name] == english[name]}
    assert same == set()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", SPOKEN)
def test_a_text_is_one_line_in_one_message(language: str, name: str) -> None:
    """And can be shown on a phone as it is."""
    text = TABLES[language][name]
    assert split_text(text, Limits().text_characters_max) == (text,)
    assert text == " ".join(text.split())
    assert unicodedata.is_normalized("NFC", text)


@pytest.mark.parametrize("language", TABLES)
def test_a_stop_word_is_written_as_people_write_it(language: str) -> None:
    """Each once, and no two that are the same when they are folded, but where people leave accents out."""
    words = TABLES[language]["stop_words"]
    assert words
    assert len(words) == len(set(words))
    assert all(word == word.strip().lower() for word in words)


# Who is told in which -----------------------------------------------------------------------------


def said_to(text: str, language: Any = None) -> str:
    """The language of the texts for who wrote this, where the assistant says that it is `language`."""

    def language_of(message: Message) -> Any:
        if isinstance(language, Exception):
            raise language
        return language

    known = attrs.evolve(built_in(), language_of=None if language is None else language_of)
    said = known.said_to(message(text))
    (found,) = [name for name, texts in known.texts.items() if texts == said]
    return found


@pytest.mark.parametrize(
    ("text", "language", "told"),
    [
        # Where the assistant says nothing: by the stop word, else in the default language.
        ("hello", None, "en"),
        ("hola", None, "en"),
        ("¡Para!", None, "es"),
        ("abbrechen", None, "de"),
        ("laat maar", None, "en"),  # there are no texts of it
        # The assistant's word counts first.
        ("hello", "es", "es"),
        ("stop", "fr", "fr"),
        ("hola", "es-AR", "es"),
        ("hola", "ES_ar", "es"),
        ("hola", "es-419-x", "es"),
        # A language without texts, and one that nobody knows.
        ("hello", "nl", "en"),
        ("¡Para!", "nl", "es"),
        ("hello", "tlh", "en"),
        ("hello", "", "en"),
        ("abbrechen", "tlh", "de"),
    ],
)
def test_who_is_told_in_which_language(text: str, language: str | None, told: str) -> None:
    """Rule 2: what is not known is the default."""
    assert said_to(text, language) == told


@pytest.mark.parametrize("wrong", [ValueError("no such user"), 5, b"es", ["es"]])
def test_an_assistant_that_cannot_tell_stops_no_message(wrong: Any) -> None:
    """Rule 2: it is logged, without the text and the number, and its user told in the default language."""
    with structlog.testing.capture_logs() as lines:
        assert said_to("a secret", wrong) == "en"
    ((line),) = lines
    assert (line["event"], line["log_level"], line["message_id"]) == ("language_not_known", "error", "m1")
    assert "secret" not in str(line)
    assert "15551234567" not in str(line)


def test_a_language_that_the_assistant_names_is_asked_of_each_message() -> None:
    """It sees the message."""
    seen: list[str] = []

    def language_of(message: Message) -> str:
        seen.append(message.text)
        return "de" if "bitte" in message.text else "en"

    known = attrs.evolve(built_in(), language_of=language_of)
    assert known.said_to(message("bitte")).stopped == "Angehalten."
    assert known.said_to(message("please")).stopped == "Stopped."
    assert seen == ["bitte", "please"]


# The acknowledgement ------------------------------------------------------------------------------


def test_an_acknowledgement_of_ones_own_is_said_to_all() -> None:
    """Nobody would translate it; nothing else changes."""
    for acknowledgement in ("One moment", ""):
        known = with_acknowledgement(acknowledgement)
        assert {texts.acknowledgement for texts in known.texts.values()} == {acknowledgement}
        for language, texts in known.texts.items():
            before = built_in().texts[language]
            assert attrs.evolve(texts, acknowledgement=before.acknowledgement) == before
        assert known.stop_words == built_in().stop_words


def test_the_default_acknowledgement_is_said_in_each_language() -> None:
    """It is what the settings have when nobody has said anything."""
    assert with_acknowledgement(ACKNOWLEDGEMENT) == built_in()
    assert len({texts.acknowledgement for texts in built_in().texts.values()}) == len(SPOKEN)


# A file of one's own ------------------------------------------------------------------------------


def parsed(text: str, base: Languages | None = None) -> Languages:
    return parse_languages(text, base or built_in())


def test_a_file_that_says_nothing_changes_nothing() -> None:
    """What it does not say stays."""
    assert parsed("") == built_in()


def test_a_text_of_ones_own_takes_the_place_of_that_one() -> None:
    """The others of the language stay, its stop words too, and so do the other languages."""
    known = parsed('[es]\nstopped = "Listo."\nacknowledgement = ""')
    before = built_in()
    assert known.texts["es"] == attrs.evolve(before.texts["es"], stopped="Listo.", acknowledgement="")
    assert {**known.texts, "es": None} == {**before.texts, "es": None}
    assert (known.stop_words, known.default) == (before.stop_words, before.default)
    # Nothing of it is left behind.
    assert built_in() == before
    assert before.texts["es"].stopped == "Detenido."


def test_stop_words_of_ones_own_take_the_place_of_those_of_the_language() -> None:
    """Those of the others stay, also where both had the same; none is none."""
    known = parsed('[es]\nstop_words = ["Alto", "para"]\n[en]\nstop_words = []')
    assert known.stop_words["es"] == {"alto", "para"}
    said = {
        word: known.stop_language(word) for word in ("ALTO", "para", "basta", "cancelar", "stop", "stopp")
    }
    assert said == {
        "ALTO": "es",
        "para": "es",
        "basta": None,
        "cancelar": "pt",
        "stop": None,
        "stopp": "de",
    }
    assert known.texts == built_in().texts


def test_a_language_of_ones_own_is_completed_from_the_default() -> None:
    """Half a translation is better than none."""
    known = parsed('[nl]\nstopped = "Gestopt."\n[da]\nstop_words = ["hold op"]')
    assert known.texts["nl"] == attrs.evolve(built_in().texts["en"], stopped="Gestopt.")
    assert known.said_to(message("laat maar")).stopped == "Gestopt."
    assert known.stop_language("Hold op!") == "da"
    assert known.said_to(message("Hold op!")) == built_in().texts["en"]


def test_a_language_of_a_country_has_texts_of_its_own() -> None:
    """However its name is written."""
    for name in ("pt-BR", "pt_BR", "pt-br"):
        known = parsed(f'language = "{name}"\n[{name}]\nstopped = "Parei."')
        assert known.said_to(message("oi")).stopped == "Parei."
        told = attrs.evolve(parsed(f'[{name}]\nstopped = "Parei."'), language_of=lambda message: "pt_BR")
        assert told.said_to(message("oi")).stopped == "Parei."
        assert (
            attrs.evolve(told, language_of=lambda message: "pt").said_to(message("oi")).stopped == "Parado."
        )


def test_the_default_language_can_be_another() -> None:
    """One that there are texts of, also when the same file brings them."""
    assert parsed('language = "fr"').said_to(message("hello")).stopped == "Arrêté."
    known = parsed('language = "nl"\n[nl]\nstopped = "Gestopt."')
    assert (known.default, known.said_to(message("hello")).stopped) == ("nl", "Gestopt.")


def test_one_file_stands_on_another() -> None:
    """As a file does on an acknowledgement of the settings."""
    known = parsed('[es]\nacknowledgement = "Vale."', with_acknowledgement(""))
    assert (known.texts["es"].acknowledgement, known.texts["en"].acknowledgement) == ("Vale.", "")


TEXTS = ", ".join(NAMES)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[es", "is not TOML: Expected ']' at the end of a table declaration (at end of document)"),
        ("es = 1", "'es' must be a table: write [es] above its texts"),
        ('stopped = "Listo."', "'stopped' must be a table: write [stopped] above its texts"),
        ('[es]\nstoped = "Listo."', f"[es] stoped: there is no such text; there are: {TEXTS}"),
        ('[es]\nlanguage = "es"', f"[es] language: there is no such text; there are: {TEXTS}"),
        ("[es]\nstopped = 5", "[es] stopped: must be a text of at most 4096 characters"),
        (f'[es]\nstopped = "{"x" * 4097}"', "[es] stopped: must be a text of at most 4096 characters"),
        ('[es]\nstopped = ""', "[es] stopped: must not be empty"),
        ('[es]\nstopped = " "', "[es] stopped: must not be empty"),
        ('[es]\nacknowledgement = " "', "[es] acknowledgement: must not be empty"),
        ('[es]\ndone = ""', "[es] done: must not be empty"),
        ('[es]\ndone = "Hecho."', "[es] done: must hold {calls}, where the list of calls goes"),
        ('[es]\nstop_words = "para"', "[es] stop_words: must be a list of texts"),
        ('[es]\nstop_words = ["para", 5]', "[es] stop_words: must be a list of texts"),
        ('[es]\nstop_words = ["para", ""]', "[es] stop_words: '' cannot be a whole message"),
        ('[es]\nstop_words = ["!!"]', "[es] stop_words: '!!' cannot be a whole message"),
        (
            f'[es]\nstop_words = ["{"x" * 101}"]',
            f"[es] stop_words: '{'x' * 59} cannot be a whole message",
        ),
        ('language = "nl"', "language = 'nl': there are no texts of it; there are: en, es, fr, de, pt, it"),
        ("language = 5", "language = 5: there are no texts of it; there are: en, es, fr, de, pt, it"),
    ],
)
def test_a_file_that_is_wrong_says_where(text: str, wrong: str) -> None:
    """In one line that names the language and the text."""
    with pytest.raises(LanguagesError) as refusal:
        parsed(text)
    assert str(refusal.value) == wrong


@pytest.mark.parametrize("name", sorted(set(NAMES) - MAY_BE_EMPTY))
def test_no_other_text_may_be_left_unsaid(name: str) -> None:
    """P4: whoever is refused or failed is told so."""
    with pytest.raises(LanguagesError, match=rf"^\[en\] {name}: must not be empty$"):
        parsed(f'[en]\n{name} = ""')
