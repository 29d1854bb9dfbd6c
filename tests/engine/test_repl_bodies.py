"""Messages that are more than words, as the REPL shows them."""

import pytest

from engine import (
    AudioBody,
    Body,
    Button,
    ButtonsBody,
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
    OutboxRow,
    OutgoingKind,
    QuickReply,
    ReactionBody,
    Row,
    Section,
    StickerBody,
    TemplateBody,
    TextBody,
    User,
    VideoBody,
)
from engine.content import ButtonReply, ListReply, TemplateButton
from engine.repl.bodies import Shown, show_body
from engine.repl.offer import Offer

_FILE = Inline("Hanukkah.ics", b"BEGIN:VCALENDAR", "text/calendar")
_MON, _TUE = ButtonReply(id="mon", title="Monday"), ButtonReply(id="tue", title="Tuesday")
_DAYS = [Button("mon", "Monday"), Button("tue", "Tuesday")]


def shown(body: Body, **numbered: int) -> Shown:
    return show_body(body, texts={"line-1": "Check Hanukkah"}, **numbered)


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (TextBody("Hello\nthere"), ["Hello\nthere"]),
        (ImageBody(Link("https://example.com/a.png")), ["[image https://example.com/a.png]"]),
        (ImageBody(MediaId("123"), "The room"), ["The room", "[image 123]"]),
        (VideoBody(File("/srv/a.mp4")), ["[video /srv/a.mp4]"]),
        (AudioBody(MediaId("123")), ["[audio 123]"]),
        (StickerBody(Link("https://example.com/a")), ["[sticker https://example.com/a]"]),
        (DocumentBody(File("/srv/menu.pdf")), ["[document /srv/menu.pdf]"]),
        (
            DocumentBody(File("/srv/1.pdf"), "For today", "Menu.pdf"),
            ["For today", "[document Menu.pdf, /srv/1.pdf]"],
        ),
        (
            DocumentBody(Link("https://example.com/1"), filename="Menu.pdf"),
            ["[document Menu.pdf, https://example.com/1]"],
        ),
        (DocumentBody(MediaId("123"), filename="Menu.pdf"), ["[document Menu.pdf, 123]"]),
        (LocationBody(52.5, -13.25), ["[location 52.5, -13.25]"]),
        (LocationBody(52.5, 13, "Linde", "Lindenhof 4"), ["[location 52.5, 13] Linde, Lindenhof 4"]),
        (
            ContactsBody(
                [ContactCard("Anna", [CardPhone("+49 30 1")], ["a@example.com"]), ContactCard("Ben")]
            ),
            ["[contact] Anna, +49 30 1, a@example.com", "[contact] Ben"],
        ),
        (ReactionBody("line-1", "👍"), ["[reaction 👍] Check Hanukkah"]),
        (ReactionBody("line-9", "👍"), ["[reaction 👍] line-9"]),
        (ReactionBody("line-1", ""), ["[reaction taken away] Check Hanukkah"]),
        (TemplateBody("voucher", "en"), ["[template voucher, en]"]),
        (TemplateBody("voucher", "en", ["Anna", "20 %"]), ["[template voucher, en] Anna, 20 %"]),
        (TemplateBody("voucher", "en", {"name": "Anna"}), ["[template voucher, en] name: Anna"]),
        (
            TemplateBody("voucher", "en", header=ImageBody(MediaId("123"))),
            ["[image 123]", "[template voucher, en]"],
        ),
    ],
)
def test_a_message_reads_as_what_it_is_and_what_it_says(body: Body, lines: list[str]) -> None:
    """All that its user would see of it."""
    assert shown(body) == Shown(tuple(lines))


def test_a_file_that_is_in_the_message_can_be_saved_by_its_number() -> None:
    """With its name and its size."""
    lines = ("For you", "[document Hanukkah.ics, 15 bytes; /save 3 keeps it]")
    assert shown(DocumentBody(_FILE, "For you"), files=2) == Shown(lines, files=(_FILE,))
    lines = ("[document Chanukka.ics, 15 bytes; /save 1 keeps it]",)
    assert shown(DocumentBody(_FILE, filename="Chanukka.ics")) == Shown(lines, files=(_FILE,))


def test_buttons_are_choices_with_numbers() -> None:
    """Between what stands above and below them."""
    body = ButtonsBody("Which day?", _DAYS, header="Your table", footer="Closed on Sundays")
    lines = ("Your table", "Which day?", "Closed on Sundays", "  1  Monday", "  2  Tuesday")
    assert shown(body) == Shown(lines, choices=(_MON, _TUE))
    assert shown(body, choices=9).lines[3:] == (" 10  Monday", " 11  Tuesday")


def test_a_header_may_be_a_file() -> None:
    """Which can be saved like any other."""
    body = ButtonsBody("Which day?", _DAYS[:1], header=DocumentBody(_FILE))
    lines = ("[document Hanukkah.ics, 15 bytes; /save 1 keeps it]", "Which day?", "  1  Monday")
    assert shown(body) == Shown(lines, choices=(_MON,), files=(_FILE,))


def test_the_rows_of_a_list_are_choices_under_the_titles_of_their_sections() -> None:
    """Numbered through."""
    sections = [
        Section([Row("12", "12:00"), Row("13", "13:00", "with\nmusic")], "Noon"),
        Section([Row("19", "19:00")], "Evening"),
    ]
    assert shown(ListBody("When?", "Times", sections)) == Shown(
        ("When?", "Noon", "  1  12:00", "  2  13:00: with music", "Evening", "  3  19:00"),
        choices=(
            ListReply(id="12", title="12:00"),
            ListReply(id="13", title="13:00", description="with\nmusic"),
            ListReply(id="19", title="19:00"),
        ),
    )


def test_the_quick_replies_of_a_template_are_choices_by_their_payloads() -> None:
    """Their titles stand in Meta's copy of the template only."""
    body = TemplateBody("voucher", "en", buttons=[CopyCode("A1"), QuickReply("more"), None])
    assert shown(body) == Shown(
        ("[template voucher, en]", "  1  more"), choices=(TemplateButton(id="more", title="more"),)
    )


# What is offered ----------------------------------------------------------------------------------


def _row(id: str, operation_id: str) -> OutboxRow:
    user = User("15550100000")
    return OutboxRow(id=id, user=user, kind=OutgoingKind.REPLY, text="x", operation_id=operation_id)


def test_a_number_is_that_choice_of_the_newest_reply() -> None:
    """One that is not offered is no choice, and neither is anything else."""
    offer = Offer("o1").with_choices("r1", [_MON, _TUE])
    assert [offer.find(text) for text in ("1", "2", "0", "3", "-1", "1.", "Monday", "²", "")] == [
        ("r1", _MON),
        ("r1", _TUE),
        *[None] * 7,
    ]


def test_the_messages_of_one_reply_are_numbered_on_and_the_next_reply_begins_anew() -> None:
    """What an earlier one offered cannot be tapped by a number that is now another's, or nobody's."""
    first = Offer().before(_row("r1", "o1")).with_choices("r1", [_MON])
    second = first.before(_row("r2", "o1")).with_choices("r2", [_TUE])
    assert second == Offer("o1", (("r1", _MON), ("r2", _TUE)))
    assert second.before(_row("r3", "o2")) == Offer("o2")
