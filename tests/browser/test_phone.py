"""The local phone in a real browser, against a real server: what a person sees, hears and can do."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from relay import Line

CONTRAST = Path(__file__).with_name("contrast.js")
ANNA, BEN, CLEO = "15551230001", "15551230002", "15551230003"


def chat_of(page: Page, number: str) -> Locator:
    """The column of one person."""
    return page.get_by_role("region", name=f"Chat of +1 {number[1:4]} {number[4:7]} {number[7:]}")


def say(chat: Locator, text: str) -> None:
    box = chat.get_by_role("textbox", name="Message")
    box.fill(text)
    box.press("Enter")


def bubbles(chat: Locator, kind: str = "theirs") -> Locator:
    return chat.locator(f".bubble.{kind}")


def operation(chat: Locator, title: str) -> Locator:
    return chat.get_by_role("region", name=f"Operation: {title}", exact=True)


def row(operation: Locator, call: str) -> Locator:
    return operation.locator(".row.call").filter(has_text=call)


def left_of(element: Locator) -> float:
    box = element.bounding_box()
    assert box is not None
    return box["x"]


def wait_until_followed(page: Page, chat: Locator) -> None:
    expect(chat.locator(".status")).to_have_text("Connected")


# Interruption ---------------------------------------------------------------------------------------------


def test_a_changed_mind_during_wave_1(phones) -> None:
    """The wave finishes and is kept, wave 2 is skipped, one acknowledgement comes, then the new answer."""
    page = phones.open("15551230010")
    chat = chat_of(page, "15551230010")
    say(chat, "Book first")
    first = operation(chat, "Book first")
    expect(row(first, "flights")).to_have_class(re.compile("running"))
    expect(row(first, "booking")).to_have_class(re.compile("planned"))
    expect(chat.locator(".typing")).to_be_visible()
    say(chat, "changed")
    expect(bubbles(chat, "acknowledgement")).to_have_count(1)
    expect(first.locator(".operation-said")).to_have_text("Interrupted: finishes its wave")
    expect(row(first, "hotels")).to_have_class(re.compile("running"))  # P2: the wave is not cut
    phones.server.open_gate("first")
    expect(bubbles(chat, "reply")).to_contain_text(["Done: changed"])
    for call, words in (
        ("flights", "done, kept"),
        ("hotels", "done, kept"),
        ("booking", "skipped"),
        ("calendar", "skipped"),
    ):
        expect(row(first, call).locator(".row-said")).to_have_text(words)
    expect(first.locator(".operation-said")).to_have_text("Interrupted by a newer message, 2 kept, 2 skipped")
    expect(first.locator(".wave")).to_have_text(["wave 1", "wave 2 · skipped", "wave 3 · skipped"])
    expect(first.locator(".boundary")).to_be_visible()
    assert left_of(first.locator(".boundary")) > left_of(row(first, "hotels").locator(".bar"))
    assert left_of(first.locator(".boundary")) > left_of(first.locator(".row.arrival .bar"))
    expect(operation(chat, "changed").locator(".operation-said")).to_have_text("Answered")
    expect(bubbles(chat, "acknowledgement")).to_have_count(1)
    expect(chat.get_by_role("img", name="Read", exact=True)).to_have_count(2)
    expect(chat.locator(".typing")).to_be_hidden()


def test_a_bar_grows_while_its_call_runs(phones) -> None:
    """One sees that something goes on, and since when."""
    page = phones.open("15551230011")
    chat = chat_of(page, "15551230011")
    say(chat, "Book growing")
    took = operation(chat, "Book growing").locator(".operation-took")
    before = took.inner_text()
    expect(took).not_to_have_text(before)
    phones.server.open_gate("growing")
    expect(operation(chat, "Book growing").locator(".operation-said")).to_have_text("Answered")


# More than text -------------------------------------------------------------------------------------------


def test_a_button_is_tapped_and_the_assistant_learns_which(phones) -> None:
    """Through the signed webhook, with the id that the assistant gave it; the answer quotes the tap."""
    page = phones.open("15551230020")
    chat = chat_of(page, "15551230020")
    say(chat, "buttons")
    choices = chat.get_by_role("group", name="Choices")
    expect(choices.get_by_role("button")).to_have_text(["Yes, book", "No"])
    choices.get_by_role("button", name="Yes, book").click()
    answer = bubbles(chat, "reply").last
    expect(answer.locator(".text")).to_have_text("You chose Yes, book (book:1).")
    expect(answer.locator(".quote")).to_have_text("Yes, book")
    expect(bubbles(chat, "mine").last.locator(".quote")).to_have_text("The Aurora, by the river. Book it?")


def test_a_list_is_opened_and_a_row_chosen_by_keyboard(phones) -> None:
    """Arrows move, Escape closes without a choice and gives the focus back, Enter chooses."""
    page = phones.open("15551230021")
    chat = chat_of(page, "15551230021")
    say(chat, "list")
    opens = chat.get_by_role("button", name="Cities")
    opens.focus()
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog", name="Cities")
    expect(sheet.get_by_role("button", name="Rome Italy")).to_be_focused()
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(opens).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(sheet.get_by_role("button", name="Oslo Norway")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(sheet.get_by_role("button", name="Lima Peru")).to_be_focused()
    page.keyboard.press("Enter")
    expect(bubbles(chat, "reply").last.locator(".text")).to_have_text("You chose Lima (lima).")


def test_a_document_is_shown_and_saved(phones) -> None:
    """Under its name, with its size, and byte for byte as the assistant made it."""
    page = phones.open("15551230022")
    chat = chat_of(page, "15551230022")
    say(chat, "file")
    link = chat.get_by_role("link", name="Download passover.ics, 45 bytes")
    expect(link).to_contain_text("document · 45 bytes")
    expect(bubbles(chat, "reply").locator(".text")).to_have_text("Your dates")
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "passover.ics"
    saved = Path(download.value.path()).read_bytes()
    assert saved == b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
    answer = page.request.get(str(link.evaluate("link => link.href")))
    assert answer.headers["content-type"] == "text/calendar"


def test_a_place_and_reactions(phones) -> None:
    """A place in words and numbers, without a map from elsewhere; reactions on the bubble they belong to."""
    page = phones.open("15551230023")
    chat = chat_of(page, "15551230023")
    say(chat, "place")
    expect(chat.get_by_role("group", name="Location")).to_have_text("Rome41.9, 12.5")
    say(chat, "thanks")
    mine = bubbles(chat, "mine").filter(has_text="thanks")
    expect(mine.get_by_role("img", name="Midstream reacted with 👍")).to_be_visible()
    theirs = bubbles(chat, "reply")
    like = theirs.get_by_role("button", name="React with a thumb up")
    like.click()
    expect(theirs.get_by_role("img", name="You reacted with 👍")).to_be_visible()
    expect(like).to_have_attribute("aria-pressed", "true")
    like.click()
    expect(theirs.get_by_role("img", name="You reacted with 👍")).to_have_count(0)


def test_markup_stays_text(phones) -> None:
    """Whatever an assistant writes."""
    page = phones.open("15551230024")
    chat = chat_of(page, "15551230024")
    say(chat, "markup")
    expect(bubbles(chat, "reply").locator(".text")).to_have_text("<img src=x onerror=alert(1)> & <b>bold</b>")
    expect(bubbles(chat, "reply").locator("img, b")).to_have_count(0)


# Several people -------------------------------------------------------------------------------------------


def test_two_people_side_by_side(phones) -> None:
    """Each has an operation, and a conversation, of their own; a busy one does not hold the other."""
    page = phones.open(ANNA)
    page.get_by_role("button", name="Add a person").click()
    number = page.get_by_role("textbox", name="Phone number")
    expect(number).to_have_value("+1 555 123 0002")
    number.press("Enter")
    anna, ben = chat_of(page, ANNA), chat_of(page, BEN)
    expect(ben.get_by_role("textbox", name="Message")).to_be_focused()
    say(anna, "Book anna")
    expect(row(operation(anna, "Book anna"), "flights")).to_have_class(re.compile("running"))
    say(ben, "hello")
    expect(bubbles(ben, "reply")).to_have_text(re.compile("Done: hello"))
    expect(bubbles(anna)).to_have_count(0)
    phones.server.open_gate("anna")
    expect(bubbles(anna, "reply")).to_have_text(re.compile("Done: Book anna"))
    expect(bubbles(ben)).to_have_count(1)
    assert left_of(anna) < left_of(ben)
    page.reload()  # the people stand in the address, what was said on the server
    expect(bubbles(chat_of(page, BEN), "reply")).to_have_count(1)
    page.get_by_role("button", name="Remove +1 555 123 0002").click()
    expect(ben).to_have_count(0)
    expect(bubbles(anna, "reply")).to_have_count(1)


def test_on_a_phones_width_one_at_a_time(phones) -> None:
    """The switcher says who is shown, and nothing is wider than the screen."""
    page = phones.open(ANNA, BEN, CLEO, width=390, height=844)
    switcher = page.get_by_role("navigation", name="People")
    expect(switcher.get_by_role("button")).to_have_count(3)
    expect(chat_of(page, ANNA)).to_be_visible()
    expect(chat_of(page, BEN)).to_be_hidden()
    switcher.get_by_role("button", name="+1 555 123 0002").click()
    expect(chat_of(page, BEN)).to_be_visible()
    expect(chat_of(page, ANNA)).to_be_hidden()
    current = switcher.locator("[aria-current=true]")
    expect(current).to_have_text("+1 555 123 0002")
    expect(current).to_be_focused()
    say(chat_of(page, BEN), "list")
    expect(chat_of(page, BEN).get_by_role("button", name="Cities")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


# Connection -----------------------------------------------------------------------------------------------


def test_a_restart_loses_and_doubles_nothing(phones) -> None:
    """The page stays, says what happened, and shows the end of what was under way before."""
    page = phones.open("15551230030")
    chat = chat_of(page, "15551230030")
    say(chat, "hello")
    expect(bubbles(chat, "reply")).to_have_count(1)
    say(chat, "Book restart")
    expect(row(operation(chat, "Book restart"), "flights")).to_have_class(re.compile("running"))
    phones.server.kill()
    expect(chat.locator(".status")).to_have_text("Connecting…")
    phones.server.open_gate("restart")
    phones.server.start()
    expect(chat.locator(".notice").last).to_have_text("Midstream was restarted. The conversation goes on.")
    expect(bubbles(chat, "reply")).to_have_count(2)
    expect(operation(chat, "Book restart").locator(".operation-said")).to_have_text("Answered")
    expect(operation(chat, "Book restart")).to_have_count(1)
    say(chat, "again")
    expect(bubbles(chat, "reply").last).to_contain_text("Done: again")
    expect(bubbles(chat, "mine").locator(".text")).to_have_text(["hello", "Book restart", "again"])
    replies = bubbles(chat, "reply").locator(".text")
    expect(replies).to_have_text(["Done: hello", "Done: Book restart", "Done: again"])


def test_what_happens_while_a_page_is_cut_off_is_there_when_it_comes_back(phones) -> None:
    """Each event once, the timeline's included."""
    with Line(phones.server.url) as line:
        page = phones.open("15551230031", url=line.url)
        chat = chat_of(page, "15551230031")
        say(chat, "Book cut")
        expect(row(operation(chat, "Book cut"), "flights")).to_have_class(re.compile("running"))
        line.cut()
        expect(chat.locator(".status")).to_have_text("Connecting…")
        phones.server.open_gate("cut")
        elsewhere = chat_of(phones.open("15551230031"), "15551230031")
        expect(bubbles(elsewhere, "reply")).to_have_count(1)
        expect(bubbles(chat)).to_have_count(0)
        line.mend()
        expect(bubbles(chat, "reply").locator(".text")).to_have_text(["Done: Book cut"])
        expect(operation(chat, "Book cut").locator(".operation-said")).to_have_text("Answered")
        expect(operation(chat, "Book cut")).to_have_count(1)
        expect(bubbles(chat, "mine")).to_have_count(1)
        expect(chat.locator(".notice")).to_have_count(1)  # the hint; none of a gap
        page.close()


def test_a_page_that_nobody_sees_gives_its_connection_back_and_goes_on_where_it_was(phones) -> None:
    """Browsers keep six connections to a server; the position says what the page has seen."""
    page = phones.open("15551230033")
    chat = chat_of(page, "15551230033")
    say(chat, "hello")
    expect(bubbles(chat, "reply")).to_have_count(1)
    show = """hidden => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(show, True)
    elsewhere = chat_of(phones.open("15551230033"), "15551230033")
    say(elsewhere, "meanwhile")
    expect(bubbles(elsewhere, "reply")).to_have_count(2)
    expect(bubbles(chat, "reply")).to_have_count(1)
    with page.expect_request("**/local/events?*") as asked:
        page.evaluate(show, False)
    assert re.search("after=[0-9a-f]{32}-[0-9]+$", asked.value.url)
    expect(bubbles(chat, "reply").locator(".text")).to_have_text(["Done: hello", "Done: meanwhile"])
    expect(bubbles(chat, "mine").locator(".text")).to_have_text(["hello", "meanwhile"])


def test_a_message_that_cannot_be_sent_can_be_tried_again(phones) -> None:
    """It says so on the bubble, and goes out once."""
    page = phones.open("15551230032")
    chat = chat_of(page, "15551230032")
    wait_until_followed(page, chat)
    page.route("**/local/messages", lambda route: route.abort())
    say(chat, "hello")
    expect(chat.locator(".refusal")).to_contain_text("Midstream could not be reached.")
    page.unroute("**/local/messages")
    chat.get_by_role("button", name="Try again").click()
    expect(bubbles(chat, "reply").locator(".text")).to_have_text(["Done: hello"])
    expect(bubbles(chat, "mine")).to_have_count(1)
    expect(chat.locator(".refusal")).to_have_count(0)


# Everybody can use it -------------------------------------------------------------------------------------


def test_the_keyboard_alone_is_enough(phones) -> None:
    """From the top of the page to a sent message, and Escape out of every dialog."""
    page = phones.open("15551230040")
    chat = chat_of(page, "15551230040")
    wait_until_followed(page, chat)
    for name in ("About", "Add a person"):
        page.keyboard.press("Tab")
        opener = page.get_by_role("button", name=name)
        expect(opener).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(opener).to_be_focused()
    box = chat.get_by_role("textbox", name="Message")
    for _ in range(2):  # the conversation, the box
        page.keyboard.press("Tab")
    expect(box).to_be_focused()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect(bubbles(chat, "reply")).to_contain_text("Done: one\ntwo")
    expect(box).to_be_focused()


def test_a_screen_reader_is_told_what_there_is(phones) -> None:
    """Roles and names of all that one can reach; the log is polite, and the timeline is told in one line."""
    page = phones.open("15551230041")
    chat = chat_of(page, "15551230041")
    say(chat, "hello")
    expect(bubbles(chat, "reply")).to_have_count(1)
    expect(page.locator("body")).to_match_aria_snapshot(
        """
        - banner:
          - heading "Midstream" [level=1]
          - button "About"
          - button "Add a person"
        - main:
          - region "Chat of +1 555 123 0041":
            - heading "+1 555 123 0041" [level=2]
            - status: Connected
            - log "Conversation":
              - text: /You. hello/
              - img "Read"
              - text: /Midstream. Done. hello/
              - button "React with a thumb up"
            - textbox "Message"
            - button "Send" [disabled]
            - region "What Midstream does":
              - status: Answered
              - group "Operations, the newest first":
                - 'region "Operation: hello"'
        """
    )
    log = chat.get_by_role("log")
    expect(log).to_have_attribute("aria-live", "polite")
    assert page.get_by_role("button").evaluate_all(
        "all => all.every(one => one.offsetParent === null"
        " || one.textContent.trim() || one.getAttribute('aria-label'))"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read(phones, scheme) -> None:
    """A contrast of 4.5 at least, in the light and in the dark, the timeline included."""
    number = {"light": "15551230042", "dark": "15551230043"}[scheme]
    page = phones.open(number, color_scheme=scheme)
    chat = chat_of(page, number)
    say(chat, f"Book {scheme}")
    expect(row(operation(chat, f"Book {scheme}"), "flights")).to_have_class(re.compile("running"))
    say(chat, "buttons")
    phones.server.open_gate(scheme)
    expect(chat.get_by_role("group", name="Choices")).to_be_visible()
    assert page.evaluate(CONTRAST.read_text()) == []
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == {"light": "rgb(233, 229, 222)", "dark": "rgb(11, 13, 16)"}[scheme]


def test_who_wants_no_motion_sees_none(phones) -> None:
    """The dots stand still."""
    page = phones.open("15551230044", reduced_motion="reduce")
    chat = chat_of(page, "15551230044")
    say(chat, "Book still")
    expect(chat.locator(".typing")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    phones.server.open_gate("still")
    expect(bubbles(chat, "reply")).to_have_count(1)
