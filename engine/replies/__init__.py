"""What an assistant sends: frozen values, checked against WhatsApp's documented limits when they are made.

Rule 1: a body is checked together with its parts (buttons, rows, cards), so that an error names the place.
Rule 2: how a body is written down for a channel is that channel's.
Source of the limits: https://developers.facebook.com/documentation/business-messaging/whatsapp/messages
"""

from engine.replies.bodies import Body, LocationBody, ReactionBody, TextBody
from engine.replies.choices import Button, ButtonsBody, ListBody, Row, Section
from engine.replies.contacts import CardAddress, CardPhone, ContactCard, ContactsBody
from engine.replies.encoding import decode_body, decode_reply, encode_body, encode_reply
from engine.replies.media import (
    INLINE_BYTES_MAX,
    AudioBody,
    DocumentBody,
    File,
    HeaderMedia,
    ImageBody,
    Inline,
    Link,
    MediaBody,
    MediaId,
    StickerBody,
    Upload,
    VideoBody,
)
from engine.replies.reply import REPLIES_MAX, Reply, as_replies
from engine.replies.templates import CopyCode, QuickReply, TemplateBody, TemplateValue, UrlEnd

__all__ = [
    "INLINE_BYTES_MAX",
    "REPLIES_MAX",
    "AudioBody",
    "Body",
    "Button",
    "ButtonsBody",
    "CardAddress",
    "CardPhone",
    "ContactCard",
    "ContactsBody",
    "CopyCode",
    "DocumentBody",
    "File",
    "HeaderMedia",
    "ImageBody",
    "Inline",
    "Link",
    "ListBody",
    "LocationBody",
    "MediaBody",
    "MediaId",
    "QuickReply",
    "ReactionBody",
    "Reply",
    "Row",
    "Section",
    "StickerBody",
    "TemplateBody",
    "TemplateValue",
    "TextBody",
    "Upload",
    "UrlEnd",
    "VideoBody",
    "as_replies",
    "decode_body",
    "decode_reply",
    "encode_body",
    "encode_reply",
]
