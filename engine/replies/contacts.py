"""Contact cards that are sent."""

import re
from collections.abc import Iterable
from typing import Final

import attrs

from engine.errors import ReplyError
from engine.replies.bodies import Body
from engine.replies.checks import (
    as_optional,
    as_text,
    as_texts,
    as_tuple,
    check_count,
    check_items,
    check_text,
    check_texts,
)

# "Contacts messages".
CARDS_MAX: Final = 257


@attrs.frozen
class CardPhone:
    """A number of a contact card.  `user_id`: its digits on WhatsApp, so that a chat can be opened."""

    phone: str = attrs.field(repr=False, converter=as_text)
    user_id: str | None = attrs.field(default=None, repr=False, converter=as_optional)
    label: str | None = attrs.field(default=None, repr=False, converter=as_optional)


@attrs.frozen(kw_only=True)
class CardAddress:
    """An address of a contact card; `country_code` as "us"."""

    street: str | None = attrs.field(default=None, repr=False, converter=as_optional)
    city: str | None = attrs.field(default=None, repr=False, converter=as_optional)
    state: str | None = attrs.field(default=None, repr=False, converter=as_optional)
    zip: str | None = attrs.field(default=None, repr=False, converter=as_optional)
    country: str | None = attrs.field(default=None, repr=False, converter=as_optional)
    country_code: str | None = attrs.field(default=None, repr=False, converter=as_optional)
    label: str | None = attrs.field(default=None, repr=False, converter=as_optional)


def _phones(values: Iterable[str | CardPhone]) -> tuple[CardPhone, ...]:
    taken: tuple[CardPhone, ...] = as_tuple(values)
    if not isinstance(taken, tuple):
        return taken
    return tuple(CardPhone(value) if isinstance(value, str) else value for value in taken)


def _addresses(values: Iterable[CardAddress]) -> tuple[CardAddress, ...]:
    taken: tuple[CardAddress, ...] = as_tuple(values)
    return taken


@attrs.frozen
class ContactCard:
    """Somebody's or something's card.  `name` is what is shown; `birthday` as "1999-01-23"."""

    name: str = attrs.field(repr=False, converter=as_text)
    phones: tuple[CardPhone, ...] = attrs.field(default=(), converter=_phones)
    emails: tuple[str, ...] = attrs.field(default=(), repr=False, converter=as_texts)
    urls: tuple[str, ...] = attrs.field(default=(), repr=False, converter=as_texts)
    addresses: tuple[CardAddress, ...] = attrs.field(default=(), converter=_addresses)
    first_name: str | None = attrs.field(default=None, repr=False, converter=as_optional, kw_only=True)
    last_name: str | None = attrs.field(default=None, repr=False, converter=as_optional, kw_only=True)
    company: str | None = attrs.field(default=None, repr=False, converter=as_optional, kw_only=True)
    department: str | None = attrs.field(default=None, repr=False, converter=as_optional, kw_only=True)
    job_title: str | None = attrs.field(default=None, repr=False, converter=as_optional, kw_only=True)
    birthday: str | None = attrs.field(default=None, repr=False, converter=as_optional, kw_only=True)


def _cards(values: Iterable[ContactCard]) -> tuple[ContactCard, ...]:
    taken: tuple[ContactCard, ...] = as_tuple(values)
    return taken


@attrs.frozen
class ContactsBody(Body):
    """Contact cards."""

    tag = "contacts"
    cards: tuple[ContactCard, ...] = attrs.field(converter=_cards)

    def __attrs_post_init__(self) -> None:
        check_items("cards", self.cards, ContactCard, "a ContactCard")
        check_count("cards", self.cards, CARDS_MAX)
        for index, card in enumerate(self.cards):
            self._check_card(f"cards[{index}]", card)

    def _check_card(self, place: str, card: ContactCard) -> None:
        check_text(f"{place}.name", card.name)
        check_items(f"{place}.phones", card.phones, CardPhone, "a text or a CardPhone")
        for index, phone in enumerate(card.phones):
            check_text(f"{place}.phones[{index}].phone", phone.phone)
            check_texts(f"{place}.phones[{index}]", phone, "user_id", "label")
        for name in ("emails", "urls"):
            check_items(f"{place}.{name}", getattr(card, name), str, "a text")
            for index, value in enumerate(getattr(card, name)):
                check_text(f"{place}.{name}[{index}]", value)
        check_items(f"{place}.addresses", card.addresses, CardAddress, "a CardAddress")
        for index, address in enumerate(card.addresses):
            check_texts(f"{place}.addresses[{index}]", address, *attrs.fields_dict(CardAddress))
        check_texts(place, card, "first_name", "last_name", "company", "department", "job_title", "birthday")
        if card.birthday is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", card.birthday, re.ASCII):
            raise ReplyError(f'{place}.birthday: a day as "1999-01-23"')

    @property
    def text(self) -> str:
        return ", ".join(card.name for card in self.cards)
