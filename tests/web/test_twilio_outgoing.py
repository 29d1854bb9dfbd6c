"""What is asked of Twilio for each body: its parameters, or a refusal that names what it cannot send."""

import pytest

from engine import OutboxRow, OutgoingKind, SendRefused, User
from engine.replies import (
    AudioBody,
    Body,
    Button,
    ButtonsBody,
    ContactCard,
    ContactsBody,
    DocumentBody,
    File,
    ImageBody,
    Inline,
    Link,
    ListBody,
    LocationBody,
    MediaId,
    ReactionBody,
    Row,
    Section,
    StickerBody,
    TemplateBody,
    TextBody,
    VideoBody,
)
from web.twilio.outgoing import TEXT_CHARACTERS_MAX, parameters_of

LINK = Link("https://example.com/a")
DAYS = [Button("mon", "Monday"), Button("tue", "Tuesday")]


def make_row(body: Body | None, text: str = "", reply_to: str | None = None) -> OutboxRow:
    """A row as the engine records it: its text is the body's, where there is one."""
    return OutboxRow(
        id="row-1",
        user=User("16505551234"),
        kind=OutgoingKind.REPLY,
        text=text if body is None else body.text,
        body=body,
        reply_to=reply_to,
    )


# Words --------------------------------------------------------------------------------------------


def test_a_text_is_the_body_alone() -> None:
    """A row without a body is its text, to the letter."""
    assert parameters_of(make_row(None, " Hi äöå 😀\n")) == {"Body": " Hi äöå 😀\n"}


def test_a_text_with_a_preview_is_a_text() -> None:
    """Twilio has no parameter for a preview: the words are what counts."""
    assert parameters_of(make_row(TextBody("https://example.com", preview=True))) == {
        "Body": "https://example.com"
    }


def test_what_it_quotes_is_left_out() -> None:
    """Twilio cannot quote: the reply is sent without."""
    assert parameters_of(make_row(None, "Yes", reply_to="SM1")) == {"Body": "Yes"}


def test_a_text_may_be_as_long_as_twilio_takes_it_and_no_longer() -> None:
    """The longest goes out whole; one more is refused here, with both numbers."""
    assert TEXT_CHARACTERS_MAX == 1_600
    longest = "ä" * TEXT_CHARACTERS_MAX
    assert parameters_of(make_row(None, longest)) == {"Body": longest}
    with pytest.raises(SendRefused, match=r"a text may have 1600 characters, this has 1601"):
        parameters_of(make_row(None, longest + "ä"))


# Files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [ImageBody, VideoBody, DocumentBody])
def test_a_file_by_its_link_has_its_caption_as_the_body(
    made: type[ImageBody] | type[VideoBody] | type[DocumentBody],
) -> None:
    """The link and the words under it; without words, the link alone."""
    assert parameters_of(make_row(made(LINK, "A room"))) == {"MediaUrl": LINK.url, "Body": "A room"}
    assert parameters_of(make_row(made(LINK))) == {"MediaUrl": LINK.url}


@pytest.mark.parametrize("body", [AudioBody(LINK), AudioBody(LINK, voice=True)])
def test_a_sound_is_its_link(body: Body) -> None:
    """It has no words, recorded in the chat or not; "[audio]" is for the history only."""
    assert parameters_of(make_row(body)) == {"MediaUrl": LINK.url}


@pytest.mark.parametrize(
    "body",
    [
        ImageBody(File("/srv/bot/a.png"), "A room"),
        ImageBody(MediaId("17")),
        VideoBody(File("/srv/bot/a.mp4")),
        AudioBody(MediaId("17")),
        DocumentBody(File("/srv/bot/menu.pdf"), "Our menu"),
        DocumentBody(Inline("menu.pdf", b"room"), "Our menu"),
        StickerBody(MediaId("17")),
    ],
)
def test_a_file_without_a_link_is_refused(body: Body) -> None:
    """Neither the path nor the caption goes anywhere, also not into the error."""
    with pytest.raises(SendRefused, match=type(body).__name__) as caught:
        parameters_of(make_row(body))
    for private in ("srv", "menu", "room", "17"):
        assert private not in str(caught.value)


def test_the_refusal_of_a_file_says_that_a_link_would_do() -> None:
    """An operator reads it in the log, and can tell what to change."""
    with pytest.raises(SendRefused, match="by its link only: DocumentBody"):
        parameters_of(make_row(DocumentBody(File("/srv/bot/menu.pdf"))))


# Choices ------------------------------------------------------------------------------------------


def test_buttons_are_written_under_the_text() -> None:
    """One line each, in their order."""
    assert parameters_of(make_row(ButtonsBody("Which day?", DAYS))) == {
        "Body": "Which day?\n- Monday\n- Tuesday"
    }


def test_what_stands_around_the_buttons_is_not_lost() -> None:
    """The header stands above, the footer below."""
    body = ButtonsBody("Which day?", DAYS, header="Table for two", footer="Until noon")
    assert parameters_of(make_row(body)) == {
        "Body": "Table for two\nWhich day?\n- Monday\n- Tuesday\nUntil noon"
    }


def test_a_picture_above_the_buttons_is_sent_with_them() -> None:
    """By its link; a file of this machine is refused, as it is anywhere else."""
    body = ButtonsBody("Which day?", DAYS, header=ImageBody(LINK))
    assert parameters_of(make_row(body)) == {
        "MediaUrl": LINK.url,
        "Body": "Which day?\n- Monday\n- Tuesday",
    }
    with pytest.raises(SendRefused, match="by its link only: ImageBody"):
        parameters_of(make_row(ButtonsBody("Which day?", DAYS, header=ImageBody(File("/srv/a.png")))))


def test_a_list_is_written_out() -> None:
    """One line each; the title of the button that would open it is not needed."""
    assert parameters_of(make_row(ListBody("When?", "Times", [Row("18", "18:00"), Row("20", "20:00")]))) == {
        "Body": "When?\n- 18:00\n- 20:00"
    }


def test_all_words_of_a_list_are_sent() -> None:
    """Its header, the titles of its sections, the small print of its rows and its footer."""
    sections = [
        Section([Row("12", "12:00", "By the window")], "Lunch"),
        Section([Row("18", "18:00")], "Dinner"),
    ]
    body = ListBody("When?", "Times", sections, header="Tables", footer="Until noon")
    assert parameters_of(make_row(body)) == {
        "Body": "Tables\nWhen?\nLunch\n- 12:00: By the window\nDinner\n- 18:00\nUntil noon"
    }


def test_choices_count_as_the_text_that_they_become() -> None:
    """What would be too long when it is written out is refused, never cut: a choice would be lost."""
    rows = [Row("18", "18:00")]
    fits = TEXT_CHARACTERS_MAX - len("\n- 18:00")
    longest = parameters_of(make_row(ListBody("x" * fits, "Times", rows)))["Body"]
    assert len(longest) == TEXT_CHARACTERS_MAX
    with pytest.raises(SendRefused, match="this has 1601"):
        parameters_of(make_row(ListBody("x" * (fits + 1), "Times", rows)))


# All else -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        StickerBody(LINK),
        LocationBody(47.5, 8.25, "Linde"),
        ContactsBody([ContactCard("Anna")]),
        ReactionBody("SM1", "👍"),
        TemplateBody("reminder", "en", ["Anna"]),
    ],
)
def test_what_twilio_has_no_parameter_for_is_refused_by_its_name(body: Body) -> None:
    """It is a dead letter that says why, not a message that says something else."""
    with pytest.raises(SendRefused, match=type(body).__name__) as caught:
        parameters_of(make_row(body))
    assert "Anna" not in str(caught.value)
