"""What an assistant sends keeps WhatsApp's limits, or says in one line which field does not."""

import re
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    AudioBody,
    Body,
    Button,
    ButtonsBody,
    CardAddress,
    CardPhone,
    ContactCard,
    ContactsBody,
    CopyCode,
    DocumentBody,
    File,
    ImageBody,
    Inline,
    Link,
    ListBody,
    LocationBody,
    MediaId,
    QuickReply,
    ReactionBody,
    Reply,
    ReplyError,
    Row,
    Section,
    StickerBody,
    TemplateBody,
    TemplateValue,
    TextBody,
    UrlEnd,
    VideoBody,
)
from engine.replies import INLINE_BYTES_MAX, as_replies, decode_body, decode_reply, encode_body, encode_reply
from engine.replies.encoding import TAGS
from engine.replies.media import MIME_TYPES

LINK = Link("https://example.com/file")
DAYS = (Button("mon", "Monday"), Button("tue", "Tuesday"))
ROWS = (Row("18", "18:00"), Row("20", "20:00"))

# Every type, with every field that it has.
BODIES: list[Body] = [
    TextBody("See https://example.com", preview=True),
    ButtonsBody("Which day?", DAYS, header=ImageBody(LINK), footer="Until noon"),
    ButtonsBody("Which day?", DAYS, header="Your table"),
    ListBody(
        "When?", "Times", [Section(ROWS[:1], "Early"), Section(ROWS[1:], "Late")], "Table", "Until noon"
    ),
    ListBody("When?", "Times", [Row("18", "18:00", "By the window")]),
    ImageBody(LINK, "The room"),
    VideoBody(MediaId("123"), "The room"),
    AudioBody(File("/srv/welcome.ogg", "audio/ogg; codecs=opus"), voice=True),
    DocumentBody(File(PurePath("/srv/menu.pdf")), "The menu", "Menu.pdf"),
    DocumentBody(Inline("Easter.ics", bytes(range(256)), "text/calendar")),
    StickerBody(File("hello.webp")),
    LocationBody(47, 8.5, "Linde", "Lindenhof 4"),
    ContactsBody(
        [
            ContactCard(
                "Linde",
                ["+1", CardPhone("+2", "2", "Work")],
                ["a@example.com"],
                ["https://example.com"],
                [CardAddress(street="Lindenhof 4", city="Zürich", country_code="ch", label="Work")],
                first_name="Li",
                last_name="Nde",
                company="Linde AG",
                department="Hall",
                job_title="Head",
                birthday="1999-01-23",
            ),
            ContactCard("Anna"),
        ]
    ),
    ReactionBody("wamid.1", "👍"),
    TemplateBody("voucher", "en_US", ["Anna", TemplateValue("18:00")], header="August"),
    TemplateBody(
        "voucher",
        "en",
        {"guest": "Anna"},
        ImageBody(LINK),
        [QuickReply("no"), None, UrlEnd("r/1"), CopyCode("A1")],
    ),
    TemplateBody("way", "en", header=LocationBody(0, 0)),
]


def refused(make: Callable[[], object]) -> str:
    """The one line that says why."""
    with pytest.raises(ReplyError) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The limits ---------------------------------------------------------------------------------------


def card(**fields: Any) -> ContactsBody:
    """A message with one card."""
    return ContactsBody([ContactCard("Anna", **fields)])


CHARACTERS: list[tuple[str, int, Callable[[str], object]]] = [
    ("text", 1024, lambda text: ButtonsBody(text, DAYS)),
    ("buttons[1].title", 20, lambda text: ButtonsBody("?", [DAYS[0], Button("b", text)])),
    ("buttons[1].id", 256, lambda text: ButtonsBody("?", [DAYS[0], Button(text, "B")])),
    ("header", 60, lambda text: ButtonsBody("?", DAYS, header=text)),
    ("footer", 60, lambda text: ButtonsBody("?", DAYS, footer=text)),
    ("text", 4096, lambda text: ListBody(text, "Times", ROWS)),
    ("button", 20, lambda text: ListBody("?", text, ROWS)),
    ("header", 60, lambda text: ListBody("?", "Times", ROWS, header=text)),
    ("footer", 60, lambda text: ListBody("?", "Times", ROWS, footer=text)),
    ("sections[0].title", 24, lambda text: ListBody("?", "Times", [Section(ROWS, text)])),
    ("sections[0].rows[1].id", 200, lambda text: ListBody("?", "Times", [ROWS[0], Row(text, "B")])),
    ("sections[0].rows[1].title", 24, lambda text: ListBody("?", "Times", [ROWS[0], Row("b", text)])),
    ("sections[0].rows[0].description", 72, lambda text: ListBody("?", "Times", [Row("a", "A", text)])),
    ("caption", 1024, lambda text: ImageBody(LINK, text)),
    ("caption", 1024, lambda text: VideoBody(LINK, text)),
    ("caption", 1024, lambda text: DocumentBody(LINK, text)),
    ("name", 512, lambda text: TemplateBody(text, "en")),
    ("values[1].text", 1024, lambda text: TemplateBody("t", "en", ["a", text])),
    ("header.text", 60, lambda text: TemplateBody("t", "en", header=text)),
    ("buttons[0].payload", 256, lambda text: TemplateBody("t", "en", buttons=[QuickReply(text)])),
    ("buttons[1].text", 2000, lambda text: TemplateBody("t", "en", buttons=[None, UrlEnd(text)])),
    ("buttons[0].code", 15, lambda text: TemplateBody("t", "en", buttons=[CopyCode(text)])),
]


@pytest.mark.parametrize(("place", "most", "make"), CHARACTERS)
def test_a_text_has_at_most_as_many_characters_as_documented(
    place: str, most: int, make: Callable[[str], object]
) -> None:
    """The bound itself passes; one more is refused, with the place, the bound and what was given."""
    make("x" * most)
    assert (
        refused(lambda: make("x" * (most + 1))) == f"{place}: at most {most} characters, this has {most + 1}"
    )


def test_an_emoji_counts_as_two() -> None:
    """As Meta may count it: the larger count is never refused there."""
    ButtonsBody("?", [Button("a", "🎉" * 10)])
    expected = "buttons[0].title: at most 20 characters, this has 22"
    assert refused(lambda: ButtonsBody("?", [Button("a", "🎉" * 11)])) == expected


def rows(count: int, first: int = 0) -> list[Row]:
    """So many rows."""
    return [Row(f"r{first + number}", f"Row {first + number}") for number in range(count)]


COUNTS: list[tuple[str, int, Callable[[int], object]]] = [
    ("buttons", 3, lambda n: ButtonsBody("?", [Button(f"b{i}", f"B {i}") for i in range(n)])),
    ("sections[0].rows", 10, lambda n: ListBody("?", "Times", [Section(rows(n))])),
    ("sections", 10, lambda n: ListBody("?", "Times", [Section(rows(1, i), f"S {i}") for i in range(n)])),
    ("cards", 257, lambda n: ContactsBody([ContactCard("Anna")] * n)),
]


@pytest.mark.parametrize(("place", "most", "make"), COUNTS)
def test_there_is_at_least_one_and_no_more_than_documented(
    place: str, most: int, make: Callable[[int], object]
) -> None:
    """The bound itself passes; one more is refused, and so is none."""
    make(1)
    make(most)
    assert refused(lambda: make(most + 1)) == f"{place}: at most {most}, this has {most + 1}"
    assert refused(lambda: make(0)) == f"{place}: at least 1, this has none"


def test_all_sections_together_have_ten_rows_at_most() -> None:
    """Each of them may be within its bound, and the list is not."""
    ListBody("?", "Times", [Section(rows(5), "A"), Section(rows(5, 5), "B")])
    too_many = [Section(rows(6), "A"), Section(rows(5, 6), "B")]
    expected = "sections: at most 10 rows in all, these have 11"
    assert refused(lambda: ListBody("?", "Times", too_many)) == expected


def test_a_template_has_ten_buttons_at_most() -> None:
    """And may have none that takes anything."""
    TemplateBody("t", "en", buttons=[None] * 10)
    expected = "buttons: at most 10, this has 11"
    assert refused(lambda: TemplateBody("t", "en", buttons=[None] * 11)) == expected


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(90, 180), (-90, -180), (90.0, 180.0), (-0.0, 0), (47.3769, 8.5417)]
)
def test_a_place_on_the_map_is_a_place_on_earth(latitude: float, longitude: float) -> None:
    """The poles and the date line included; whole degrees are numbers, too."""
    place = LocationBody(latitude, longitude)
    assert (place.latitude, place.longitude) == (latitude, longitude)
    assert isinstance(place.latitude, float)


def anything(value: Any) -> Any:
    """A value of a type that the checker would not let through."""
    return value


REFUSED: list[tuple[str, Callable[[], object]]] = [
    # What is empty.
    ("text: must not be empty", lambda: ButtonsBody(" ", DAYS)),
    ("buttons[0].id: must not be empty", lambda: ButtonsBody("?", [Button("", "A")])),
    ("buttons[0].title: must not be empty", lambda: ButtonsBody("?", [Button("a", "\n")])),
    ("button: must not be empty", lambda: ListBody("?", "", ROWS)),
    ("sections[0].rows[0].title: must not be empty", lambda: ListBody("?", "Times", [Row("a", "")])),
    ("source.url: must not be empty", lambda: ImageBody(Link(""))),
    ("source.id: must not be empty", lambda: ImageBody(MediaId(""))),
    ("source.path: must not be empty", lambda: ImageBody(File(""))),
    ("source.name: must not be empty", lambda: DocumentBody(Inline("", b"a", "text/plain"))),
    ("source.content: must not be empty", lambda: DocumentBody(Inline("a.txt", b""))),
    (
        "source.content: at most 65536 bytes, this has 65537",
        lambda: DocumentBody(Inline("a.txt", b"x" * 65_537)),
    ),
    ("cards[0].name: must not be empty", lambda: ContactsBody([ContactCard("")])),
    ("cards[0].phones[0].phone: must not be empty", lambda: card(phones=[""])),
    ("cards[0].emails[1]: must not be empty", lambda: card(emails=["a@example.com", ""])),
    ("message_id: must not be empty", lambda: ReactionBody("", "👍")),
    ("name: must not be empty", lambda: TemplateBody("", "en")),
    ("language: must not be empty", lambda: TemplateBody("t", "")),
    ("values[0].text: must not be empty", lambda: TemplateBody("t", "en", [""])),
    # What is twice there.
    (
        "buttons[1].id: must differ from buttons[0].id",
        lambda: ButtonsBody("?", [DAYS[0], Button("mon", "B")]),
    ),
    (
        "buttons[1].title: must differ from buttons[0].title",
        lambda: ButtonsBody("?", [DAYS[0], Button("b", "Monday")]),
    ),
    (
        "sections[1].rows[0].id: must differ from sections[0].rows[1].id",
        lambda: ListBody("?", "Times", [Section(ROWS, "A"), Section([Row("20", "20:00")], "B")]),
    ),
    (
        "values[1].name: must differ from values[0].name",
        lambda: TemplateBody("t", "en", [TemplateValue("a", "guest"), TemplateValue("b", "guest")]),
    ),
    # What does not go together.
    (
        "sections[1].title: must be given, as there are several sections",
        lambda: ListBody("?", "Times", [Section(rows(1), "A"), Section(rows(1, 1))]),
    ),
    ("header.caption: a header has none", lambda: ButtonsBody("?", DAYS, header=ImageBody(LINK, "Room"))),
    ("header.caption: a header has none", lambda: TemplateBody("t", "en", header=VideoBody(LINK, "Room"))),
    (
        "values: all of them have a name, or none has",
        lambda: TemplateBody("t", "en", ["a", TemplateValue("b", "guest")]),
    ),
    (
        "voice: a voice message is audio/ogg, this is audio/mpeg",
        lambda: AudioBody(File("welcome.mp3"), voice=True),
    ),
    (
        "reply_to: a reaction has none, it names its own message",
        lambda: Reply(ReactionBody("wamid.1", "👍"), reply_to="wamid.1"),
    ),
    ("text: a reply has a text or a body, not both", lambda: Reply("a", text="b")),
    # What has not its form.
    ("latitude: between -90 and 90, this is 90.1", lambda: LocationBody(90.1, 0)),
    ("latitude: between -90 and 90, this is nan", lambda: LocationBody(float("nan"), 0)),
    ("longitude: between -180 and 180, this is -180.5", lambda: LocationBody(0, -180.5)),
    ("longitude: between -180 and 180, this is inf", lambda: LocationBody(0, float("inf"))),
    ("emoji: one emoji, or nothing", lambda: ReactionBody("wamid.1", "great")),
    ("emoji: one emoji, or nothing", lambda: ReactionBody("wamid.1", "👍 👍")),
    ('cards[0].birthday: a day as "1999-01-23"', lambda: card(birthday="23.1.1999")),
    ("name: small letters, digits and _ only", lambda: TemplateBody("Voucher", "en")),
    ('language: a code as "en" or "en_US"', lambda: TemplateBody("t", "English")),
    ("values[0].text: no line breaks and no tabs", lambda: TemplateBody("t", "en", ["a\nb"])),
    ("header.text: no line breaks and no tabs", lambda: TemplateBody("t", "en", header="a\tb")),
    (
        "values[0].text: at most 4 blanks one after the other",
        lambda: TemplateBody("t", "en", ["a     b"]),
    ),
    ("buttons[0].code: letters and digits only", lambda: TemplateBody("t", "en", buttons=[CopyCode("A-1")])),
    (
        "source.mime_type: must be given, as the name of the file tells no type",
        lambda: DocumentBody(File("data.parquet")),
    ),
    (
        "source.mime_type: must be given, as the name of the file tells no type",
        lambda: DocumentBody(Inline("Easter.ics", b"BEGIN:VCALENDAR")),
    ),
    (
        "source.mime_type: an image is image/jpeg or image/png, this is text/plain",
        lambda: ImageBody(Inline("room.txt", b"a")),
    ),
    (
        "voice: a voice message is audio/ogg, this is audio/mpeg",
        lambda: AudioBody(Inline("welcome.mp3", b"ID3"), voice=True),
    ),
    ('source.mime_type: a type as "image/png"', lambda: DocumentBody(File("data.x", "a/b\r\nc: d"))),
    (
        "source.mime_type: an image is image/jpeg or image/png, this is image/webp",
        lambda: ImageBody(File("room.webp")),
    ),
    (
        "source.mime_type: a video is video/3gpp or video/mp4, this is image/png",
        lambda: VideoBody(File("room.png")),
    ),
    (
        "source.mime_type: a sticker is image/webp, this is image/gif",
        lambda: StickerBody(File("hello.webp", "image/gif")),
    ),
    # What is of another type.
    ("text: a text, not int", lambda: TextBody(anything(5))),
    ("preview: True or False, not str", lambda: TextBody("a", anything("yes"))),
    ("text: a text, not None", lambda: ButtonsBody(anything(None), DAYS)),
    ("buttons: a list, not Button", lambda: ButtonsBody("?", anything(DAYS[0]))),
    ("buttons[1]: a Button, not str", lambda: ButtonsBody("?", anything([DAYS[0], "Tuesday"]))),
    ("buttons[0].title: a text, not int", lambda: ButtonsBody("?", [Button("a", anything(5))])),
    ("header: a text, not AudioBody", lambda: ButtonsBody("?", DAYS, header=anything(AudioBody(LINK)))),
    ("footer: a text, not int", lambda: ButtonsBody("?", DAYS, footer=anything(5))),
    ("sections: a list, not str", lambda: ListBody("?", "Times", anything("18:00"))),
    (
        "sections[0]: a Section, not Row",
        lambda: ListBody("?", "Times", anything([ROWS[0], Section(ROWS[1:])])),
    ),
    ("sections[0].rows: a list, not Row", lambda: ListBody("?", "Times", [Section(anything(ROWS[0]))])),
    ("sections[0].rows[0]: a Row, not str", lambda: ListBody("?", "Times", [Section(anything(["18:00"]))])),
    (
        "source: a Link, a MediaId, a File or an Inline, not str",
        lambda: ImageBody(anything("https://example.com")),
    ),
    ("source.path: a text, not int", lambda: ImageBody(File(anything(5), "image/png"))),
    ("source.name: a text, not int", lambda: ImageBody(Inline(anything(5), b"a", "image/png"))),
    ("source.content: bytes, not str", lambda: DocumentBody(Inline("a.txt", anything("a")))),
    ("source.content: bytes, not bytearray", lambda: DocumentBody(Inline("a.txt", bytearray(b"a")))),
    ("caption: a text, not int", lambda: ImageBody(LINK, anything(5))),
    ("filename: a text, not int", lambda: DocumentBody(LINK, filename=anything(5))),
    ("voice: True or False, not int", lambda: AudioBody(LINK, voice=anything(1))),
    ("name: a text, not int", lambda: LocationBody(47, 8, anything(5))),
    ("address: a text, not int", lambda: LocationBody(47, 8, "Linde", anything(5))),
    ("source.url: a text, not int", lambda: ImageBody(Link(anything(5)))),
    ("latitude: a number, not str", lambda: LocationBody(anything("47"), 8)),
    ("longitude: a number, not bool", lambda: LocationBody(47, anything(True))),
    ("cards: a list, not ContactCard", lambda: ContactsBody(anything(ContactCard("Anna")))),
    ("cards[0]: a ContactCard, not str", lambda: ContactsBody(anything(["Anna"]))),
    ("cards[0].phones: a list, not str", lambda: card(phones="+1")),
    ("cards[0].phones[0]: a text or a CardPhone, not int", lambda: card(phones=[1])),
    ("cards[0].phones[0].label: a text, not int", lambda: card(phones=[CardPhone("+1", label=anything(1))])),
    ("cards[0].urls: a list, not str", lambda: card(urls="https://example.com")),
    ("cards[0].urls[0]: a text, not int", lambda: card(urls=[1])),
    ("cards[0].addresses[0]: a CardAddress, not str", lambda: card(addresses=["Zürich"])),
    (
        "cards[0].addresses[0].city: a text, not int",
        lambda: card(addresses=[CardAddress(city=anything(5))]),
    ),
    ("cards[0].company: a text, not int", lambda: card(company=5)),
    ("emoji: a text, not None", lambda: ReactionBody("wamid.1", anything(None))),
    ("values: a list, not str", lambda: TemplateBody("t", "en", anything("Anna"))),
    ("values[0]: a text or a TemplateValue, not int", lambda: TemplateBody("t", "en", anything([5]))),
    (
        "header: a text, media or a location, not AudioBody",
        lambda: TemplateBody("t", "en", header=anything(AudioBody(LINK))),
    ),
    (
        "buttons[0]: a QuickReply, UrlEnd, CopyCode or None, not Button",
        lambda: TemplateBody("t", "en", buttons=anything([DAYS[0]])),
    ),
    ("body: a text or a body, not None", lambda: Reply()),
    ("body: a text or a body, not Button", lambda: Reply(anything(DAYS[0]))),
    ("reply_to: a text, not int", lambda: Reply("a", reply_to=anything(5))),
    ("reply_to: must not be empty", lambda: Reply("a", reply_to="")),
]


@pytest.mark.parametrize(("said", "make"), REFUSED, ids=[said for said, _ in REFUSED])
def test_what_would_be_refused_says_so_when_it_is_made(said: str, make: Callable[[], object]) -> None:
    """In one line that begins with the place."""
    assert refused(make) == said


@pytest.mark.parametrize(
    "url", ["", "room.jpg", "ftp://example.com/a", "file:///etc/passwd", "https://", "http:///a"]
)
def test_a_link_leads_somewhere_on_the_web(url: str) -> None:
    """WhatsApp fetches it; nothing else makes sense to it."""
    assert refused(lambda: ImageBody(Link(url))).startswith("source.url: must ")


@pytest.mark.parametrize("url", ["https://example.com/a b", "https://example.com/\n", "https:// example.com"])
def test_a_link_has_no_blanks(url: str) -> None:
    """They are escaped by whoever writes it."""
    expected = "source.url: must begin with https:// or http:// and hold no blanks"
    assert refused(lambda: ImageBody(Link(url))) == expected


def test_four_blanks_in_a_value_of_a_template_pass() -> None:
    """The fifth is what Meta refuses."""
    TemplateBody("t", "en", ["a    b"])


@pytest.mark.parametrize("emoji", ["👍", "👍🏽", "👩‍👩‍👧", "1️⃣", "🇨🇭", "ℹ️", ""])  # noqa: RUF001
def test_any_emoji_is_a_reaction(emoji: str) -> None:
    """And so is none, which takes it away."""
    assert ReactionBody("wamid.1", emoji).emoji == emoji


@pytest.mark.parametrize("language", ["en", "en_US", "fil", "pt_BR", "es_419"])
def test_a_language_of_a_template_is_a_code(language: str) -> None:
    """With or without its country."""
    assert TemplateBody("t", language).language == language


# What is taken over -------------------------------------------------------------------------------


def test_what_shows_nothing_is_not_set() -> None:
    """WhatsApp refuses empty captions, headers and footers; nobody means them."""
    assert ImageBody(LINK, "") == ImageBody(LINK, " \n") == ImageBody(LINK)
    assert ButtonsBody("?", DAYS, header="", footer="") == ButtonsBody("?", DAYS)
    assert Row("a", "A", "") == Row("a", "A")


def test_lists_become_tuples_and_short_forms_long_ones() -> None:
    """A value can be compared and kept, however it was written."""
    assert ButtonsBody("?", list(DAYS)).buttons == DAYS
    assert ListBody("?", "Times", ROWS) == ListBody("?", "Times", [Section(ROWS)])
    assert ContactCard("A", ["+1"]) == ContactCard("A", (CardPhone("+1"),))
    assert TemplateBody("t", "en", ["a"], "b").values == (TemplateValue("a"),)
    assert TemplateBody("t", "en", ["a"], "b").header == TemplateValue("b")
    assert TemplateBody("t", "en", {"x": "a"}).values == (TemplateValue("a", "x"),)
    assert File(PurePath("/srv/a.png")) == File("/srv/a.png")


def test_half_an_emoji_can_be_stored_and_sent() -> None:
    """A model may cut one in two."""
    assert Reply("late \ud83c").text == "late ?"
    assert Reply(ButtonsBody("late \ud83c", DAYS)).text == "late ?"
    assert ImageBody(LINK, "late \ud83c").caption == "late ?"


@pytest.mark.parametrize(("suffix", "mime_type"), MIME_TYPES.items())
def test_a_files_type_goes_by_the_end_of_its_name(suffix: str, mime_type: str) -> None:
    """In capitals, too; unless another is given."""
    assert File(f"/srv/file{suffix}").media_type == mime_type
    assert File(f"/srv/file{suffix.upper()}").media_type == mime_type
    assert File(f"/srv/file{suffix}", "text/csv").media_type == "text/csv"
    assert Inline(f"file{suffix.upper()}", b"a").media_type == mime_type
    assert Inline(f"file{suffix}", b"a", "text/csv").media_type == "text/csv"


def test_a_document_may_be_of_any_type() -> None:
    """If its type is named."""
    assert DocumentBody(File("list.csv", "text/csv")).source == File("list.csv", "text/csv")


def test_a_file_in_a_message_may_have_64_kib() -> None:
    """The bound itself passes."""
    largest = DocumentBody(Inline("a.txt", b"x" * INLINE_BYTES_MAX))
    assert INLINE_BYTES_MAX == 65_536
    assert decode_body(through_json(encode_body(largest))) == largest


def test_a_document_that_is_here_has_its_name() -> None:
    """Unless another is given; a link and an id tell none."""
    assert DocumentBody(Inline("Easter.ics", b"a", "text/calendar")).shown_name == "Easter.ics"
    assert DocumentBody(Inline("a.txt", b"a"), filename="Easter.txt").shown_name == "Easter.txt"
    assert DocumentBody(File("/srv/menu.pdf")).shown_name == "menu.pdf"
    assert DocumentBody(File("/srv/menu.pdf"), filename="Menu.pdf").shown_name == "Menu.pdf"
    assert DocumentBody(LINK).shown_name is None


# What is read of it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (TextBody("Hello"), "Hello"),
        (ButtonsBody("Which day?", DAYS), "Which day?"),
        (ListBody("When?", "Times", ROWS), "When?"),
        (ImageBody(LINK, "The room"), "The room"),
        (ImageBody(LINK), "[image]"),
        (VideoBody(LINK), "[video]"),
        (AudioBody(LINK), "[audio]"),
        (DocumentBody(LINK), "[document]"),
        (StickerBody(LINK), "[sticker]"),
        (LocationBody(0, 0), "[location]"),
        (LocationBody(0, 0, "Linde"), "Linde"),
        (LocationBody(0, 0, "Linde", "Lindenhof 4"), "Linde, Lindenhof 4"),
        (ContactsBody([ContactCard("Anna"), ContactCard("Ben")]), "Anna, Ben"),
        (ReactionBody("wamid.1", "👍"), "👍"),
        (ReactionBody("wamid.1", ""), "[reaction]"),
        (TemplateBody("voucher", "en"), "[template voucher]"),
    ],
)
def test_a_reply_reads_as_its_words_or_as_what_it_is(body: Body, text: str) -> None:
    """In the history, in an f-string, and as what a test compares."""
    assert (Reply(body).text, str(Reply(body))) == (text, text)


def test_a_reply_is_written_in_one_word() -> None:
    """A text, by place or by name; what it answers; and it does not change."""
    assert Reply("Hi") == Reply(text="Hi") == Reply(TextBody("Hi")) == Reply(body="Hi")
    assert Reply("Hi", reply_to="wamid.1") != Reply("Hi")
    assert Reply("Hi", reply_to="wamid.1").reply_to == "wamid.1"
    assert attrs.evolve(Reply("Hi"), reply_to="wamid.1") == Reply("Hi", reply_to="wamid.1")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Reply("Hi").reply_to = "wamid.1"  # type: ignore[misc]


SECRET = "my secret"  # noqa: S105  # words


@pytest.mark.parametrize(
    "value",
    [
        Reply(SECRET, reply_to=SECRET),
        TextBody(SECRET),
        ButtonsBody(SECRET, [Button(SECRET, SECRET)], SECRET, SECRET),
        ListBody(SECRET, SECRET, [Section([Row(SECRET, SECRET, SECRET)], SECRET)], SECRET, SECRET),
        DocumentBody(File(SECRET, "text/plain"), SECRET, SECRET),
        DocumentBody(Inline(SECRET, SECRET.encode(), "text/plain")),
        ImageBody(Link("https://example.com/mysecret")),
        LocationBody(1.5, 2.5, SECRET, SECRET),
        ContactsBody([ContactCard(SECRET, [SECRET], [SECRET], [SECRET], [CardAddress(street=SECRET)])]),
        ReactionBody("wamid.1", "👍"),
        TemplateBody("t", "en", [SECRET], SECRET, [QuickReply(SECRET), UrlEnd(SECRET), CopyCode("mysecret")]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_shows_what_it_says(value: object) -> None:
    """A log line of it gives nothing away."""
    assert "secret" not in repr(value)
    assert "1.5" not in repr(value)
    assert "👍" not in repr(value)


# What a responder returns -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Hi", (Reply("Hi"),)),
        (Reply("Hi"), (Reply("Hi"),)),
        (["Hi"], (Reply("Hi"),)),
        (("Hi", Reply(LocationBody(0, 0))), (Reply("Hi"), Reply(LocationBody(0, 0)))),
        (["Hi"] * 10, (Reply("Hi"),) * 10),
    ],
    ids=["a text", "a reply", "a list", "both", "ten"],
)
def test_a_responder_returns_one_or_several(value: object, expected: tuple[Reply, ...]) -> None:
    """Texts and replies, in order."""
    assert as_replies(value) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "a responder returns a text, a Reply or a list of them, not None"),
        (5, "a responder returns a text, a Reply or a list of them, not int"),
        (b"Hi", "a responder returns a text, a Reply or a list of them, not bytes"),
        ({"Hi"}, "a responder returns a text, a Reply or a list of them, not set"),
        (TextBody("Hi"), "a responder returns a text, a Reply or a list of them, not TextBody"),
        ("", "a responder's reply must not be empty"),
        (" \n", "a responder's reply must not be empty"),
        (Reply(""), "a responder's reply must not be empty"),
        ([], "a responder's replies: at least 1, this has none"),
        (["Hi"] * 11, "a responder's replies: at most 10, this has 11"),
        (["Hi", ""], "a responder's replies[1] must not be empty"),
        (["Hi", 5], "a responder's replies[1]: a text or a Reply, not int"),
        ([["Hi"]], "a responder's replies[0]: a text or a Reply, not list"),
    ],
)
def test_a_responder_that_returns_anything_else_is_told(value: object, said: str) -> None:
    """What it returned, and what it may return."""
    assert refused(lambda: as_replies(value)) == said


# In JSON form -------------------------------------------------------------------------------------


def test_a_body_in_json_form_has_its_type_and_what_is_set() -> None:
    """What the store keeps can be read by a person."""
    body = ButtonsBody("Which day?", DAYS, header=ImageBody(Link("https://example.com/a")))
    assert encode_body(body) == {
        "type": "buttons",
        "text": "Which day?",
        "buttons": [
            {"type": "button", "id": "mon", "title": "Monday"},
            {"type": "button", "id": "tue", "title": "Tuesday"},
        ],
        "header": {"type": "image", "source": {"type": "link", "url": "https://example.com/a"}},
    }


def test_a_file_in_a_message_is_kept_in_base64() -> None:
    """JSON has no bytes."""
    assert encode_body(DocumentBody(Inline("a.txt", b"\x00Hi")))["source"] == {
        "type": "inline",
        "name": "a.txt",
        "content": {"type": "bytes", "base64": "AEhp"},
    }


def through_json(encoded: object) -> Any:
    """What comes back of a text column."""
    return msgspec.json.decode(msgspec.json.encode(encoded))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_every_type_comes_back_as_it_was(body: Body) -> None:
    """With all of its fields."""
    assert decode_body(through_json(encode_body(body))) == body


def test_every_type_is_among_those_that_are_tried() -> None:
    """A new one must come back, too."""
    assert {type(body) for body in BODIES} == {kind for kind in TAGS if issubclass(kind, Body)}
    assert len(set(TAGS.values())) == len(TAGS)


texts = st.text(min_size=1, max_size=20).filter(str.strip)
short = st.text(min_size=1, max_size=10).filter(str.strip)
optional = st.none() | short
sources = (
    st.builds(Link, st.just("https://example.com/") | st.just("http://example.com/ä?b=c"))
    | st.builds(MediaId, texts)
    | st.builds(File, texts, st.just("image/png"))
    | st.builds(Inline, texts, st.binary(min_size=1, max_size=200), st.just("image/png"))
)
images = st.builds(ImageBody, sources, optional)
headers = st.builds(ImageBody, sources) | st.builds(DocumentBody, sources, filename=optional)
some_rows = st.lists(
    st.builds(Row, short, short, optional), min_size=1, max_size=5, unique_by=lambda row: row.id
)
degrees = st.floats(-90, 90)
values = st.from_regex(r"[^\s]{1,20}", fullmatch=True)
bodies = st.one_of(
    st.builds(TextBody, st.text(), st.booleans()),
    st.builds(
        ButtonsBody,
        texts,
        st.lists(
            st.builds(Button, short, short),
            min_size=1,
            max_size=3,
            unique_by=(lambda button: button.id, lambda button: button.title),
        ),
        optional | headers,
        optional,
    ),
    st.builds(
        ListBody,
        texts,
        short,
        some_rows | st.lists(st.builds(Section, some_rows, short), min_size=1, max_size=1),
    ),
    images,
    st.builds(DocumentBody, sources, optional, optional),
    st.builds(AudioBody, st.builds(MediaId, texts), st.booleans()),
    st.builds(StickerBody, st.builds(Link, st.just("https://example.com/a"))),
    st.builds(LocationBody, degrees, degrees, optional, optional),
    st.builds(
        ContactsBody,
        st.lists(
            st.builds(
                ContactCard,
                texts,
                st.lists(short | st.builds(CardPhone, short, optional, optional)),
                st.lists(short),
                st.lists(short),
                st.lists(st.builds(CardAddress, street=optional, city=optional, label=optional)),
                first_name=optional,
                birthday=st.none() | st.just("1999-01-23"),
            ),
            min_size=1,
        ),
    ),
    st.builds(ReactionBody, texts, st.sampled_from(["", "👍", "1️⃣"])),
    st.builds(
        TemplateBody,
        st.just("voucher"),
        st.sampled_from(["en", "pt_BR"]),
        st.lists(values) | st.dictionaries(values, values),
        st.none() | values | headers | st.builds(LocationBody, degrees, degrees),
        st.lists(
            st.none() | st.builds(QuickReply, values) | st.builds(UrlEnd, values) | st.just(CopyCode("A1")),
            max_size=10,
        ),
    ),
)


@given(bodies)
def test_any_body_comes_back_as_it_was(body: Body) -> None:
    """Whatever its texts hold."""
    assert decode_body(through_json(encode_body(body))) == body


@given(bodies, st.none() | texts)
def test_any_reply_comes_back_as_it_was(body: Body, reply_to: str | None) -> None:
    """With what it answers."""
    reply = Reply(body, reply_to=None if isinstance(body, ReactionBody) else reply_to)
    assert decode_reply(through_json(encode_reply(reply))) == reply


def test_a_reply_of_words_is_kept_as_it_always_was() -> None:
    """Rows of earlier versions are read, and theirs read ours."""
    assert encode_reply(Reply("Hi")) == {"text": "Hi"}
    assert decode_reply({"text": "Hi"}) == Reply("Hi")
    assert encode_reply(Reply("Hi", reply_to="m1")) == {
        "body": {"type": "text", "text": "Hi", "preview": False},
        "reply_to": "m1",
    }


class OwnBody(Body):
    """A type that nobody here knows."""


def test_a_type_of_body_that_is_not_known_is_not_encoded() -> None:
    """It could not be read again."""
    with pytest.raises(ValueError, match=r"^OwnBody is not a type of body$"):
        encode_body(OwnBody())


def inline(base64: object) -> dict[str, Any]:
    """A file in a message, whose bytes are written down like this."""
    return {"type": "inline", "name": "a.txt", "content": {"type": "bytes", "base64": base64}}


@pytest.mark.parametrize(
    ("encoded", "said"),
    [
        ({}, "the type None is not known"),
        ({"type": "hologram"}, "the type 'hologram' is not known"),
        ({"type": 5}, "the type 5 is not known"),
        ({"type": ["text"]}, r"the type \['text'\] is not known"),
        ({"type": "image", "source": {"url": "https://example.com"}}, "the type None is not known"),
        ({"type": "text"}, "missing 1 required positional argument: 'text'"),
        ({"type": "text", "text": "Hi", "colour": "red"}, "unexpected keyword argument 'colour'"),
        ({"type": "text", "text": 5}, "text: a text, not int"),
        ({"type": "button", "id": "a", "title": "A"}, "not the body of a reply: Button"),
        ({"type": "reaction", "message_id": "", "emoji": ""}, "message_id: must not be empty"),
        ({"type": "document", "source": inline("AEh%p")}, "not the body of a reply: bytes: "),
        ({"type": "document", "source": inline("é")}, "not the body of a reply: bytes: "),
        ({"type": "document", "source": inline(5)}, "not the body of a reply: "),
        ([], "not the body of a reply: tuple"),
        (None, "not the body of a reply: None"),
    ],
)
def test_what_is_no_body_is_not_decoded(encoded: Any, said: str) -> None:
    """A row that somebody else wrote."""
    with pytest.raises(ValueError, match=said):
        decode_body(encoded)


@pytest.mark.parametrize(
    "encoded",
    [{}, {"text": 5}, {"body": {"type": "text"}}, {"text": "Hi", "reply_to": 5}, {"body": 5}, {"text": None}],
)
def test_what_is_no_reply_is_not_decoded(encoded: Any) -> None:
    """It says so by one type of error."""
    with pytest.raises(ValueError, match=r"^not (a|the body of a) reply: "):
        decode_reply(encoded)


# The reference ------------------------------------------------------------------------------------

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "replies.md"


@pytest.mark.parametrize("kind", TAGS, ids=lambda kind: kind.__name__)
def test_every_type_is_described_with_its_fields(kind: type) -> None:
    """By its name and theirs, as an author looks for them."""
    words = set(re.findall(r"\w+", REFERENCE.read_text(encoding="utf-8")))
    assert {kind.__name__, *attrs.fields_dict(kind)} <= words


@pytest.mark.parametrize(
    "most", sorted({most for _, most, _ in CHARACTERS} | {most for _, most, _ in COUNTS})
)
def test_every_limit_is_described(most: int) -> None:
    """As a number that a reader finds."""
    assert re.search(rf"\b{most:,}\b", REFERENCE.read_text(encoding="utf-8"))
