"""Each of the samples, whole: every field of what it comes out as, and what its user wrote as it came."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine import Message, User
from engine.content import (
    Audio,
    ButtonReply,
    Contact,
    ContactPhone,
    Contacts,
    Content,
    Document,
    Edit,
    Image,
    ListReply,
    Location,
    Order,
    OrderItem,
    Product,
    Profile,
    Quoted,
    Reaction,
    Referral,
    Revoke,
    Sticker,
    System,
    TemplateButton,
    Text,
    Unsupported,
    Video,
)
from web.whatsapp.payloads import Unhandled, Webhook, parse

PAYLOADS = Path(__file__).parent.parent / "payloads"


def came(message_id: str, timestamp: int, content: Content, **more: Any) -> Webhook:
    """One message; most samples have the same user."""
    around: dict[str, Any] = {"user": User("16505551234"), "profile": Profile(name="Sheena Nelson"), **more}
    message = Message(id=message_id, timestamp=timestamp, text=content.text, content=content, **around)
    return Webhook(messages=(message,))


def counted(kind: str, reason: str) -> Webhook:
    """Something that is neither message nor report."""
    return Webhook(others=(Unhandled(kind, reason),))


def of_field(name: str) -> Webhook:
    """A change of another field."""
    return Webhook(others=(Unhandled(f"field:{name}", "it is of no message", field=name),))


SAMPLES: dict[str, Webhook] = {
    "meta_button_message.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUU0M0MxQzQzMUJCMTMwNUZFOQA=",
        1750091045,
        TemplateButton(id="Unsubscribe", title="Unsubscribe"),
        quoted=Quoted(
            message_id="wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBJFNjk2OTMwNEZCQjhGMzUyQUYA", sender="15550783881"
        ),
    ),
    "meta_contact_sharing_message.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1744344496,
        Contacts(
            contacts=(
                Contact(
                    name="Lucía Gómez",
                    phones=(ContactPhone(phone="+1 (983) 555-2319", user_id="19835552319", type="MOBILE"),),
                ),
            )
        ),
    ),
    "meta_group_create_message.json": of_field("group_lifecycle_update"),
    "meta_group_remove_participants.json": of_field("group_participants_update"),
    "meta_group_settings_update.json": of_field("group_settings_update"),
    "meta_image_message.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1744344496,
        Image(
            id="1003383421387256",
            mime_type="image/jpeg",
            sha256="SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=",
            caption="Taj Mahal",
        ),
    ),
    "meta_interactive_button_reply_message.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTZBQzg0MzQ4QjRCM0NGNkVGOAA=",
        1750025136,
        ButtonReply(id="cancel-button", title="Cancel"),
        quoted=Quoted(
            message_id="wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBI3MEM2RUJFNkI0RENGQTVDRjUA", sender="15550783881"
        ),
    ),
    "meta_interactive_list_reply_message.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUJDQ0NDM0FEODY4ODkzOTc5RgA=",
        1749854575,
        ListReply(id="priority_express", title="Priority Mail Express", description="Next Day to 2 Days"),
        quoted=Quoted(
            message_id="wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBJGMzEyNzhENTZDMzNGODlDRDgA", sender="15550783881"
        ),
    ),
    "meta_location_message.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTU2MjZEMDBGRkE3MENEMDE0RQA=",
        1744344496,
        Location(
            latitude=37.44221496582,
            longitude=-122.16165924072,
            name="Philz Coffee",
            address="101 Forest Ave, Palo Alto, CA 94301",
            url="https://philzcoffee.com/",
        ),
    ),
    "meta_order_message.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTEyQjFGNzI1QTQxMjI5QTMyOQA=",
        1750096325,
        Order(
            catalog_id="194836987003835",
            items=(
                OrderItem(product_id="di9ozbzfi4", quantity=2.0, price=30.0, currency="USD"),
                OrderItem(product_id="nqryix03ez", quantity=1.0, price=25.0, currency="USD"),
            ),
        ),
    ),
    "meta_reaction_message.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1749419544,
        Reaction(message_id="wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBI0RTJEOTc2ODVERUY5RDlGNkYA", emoji="👍"),
    ),
    "meta_system_message.json": came(
        "wamid.HBgLMTk4MzU1NTE5NzQVAgASGAoxMTgyMDg2MjY3AA==",
        1750269342,
        System(
            event="user_changed_number",
            body="User Sheena Nelson changed from 16505551234 to 12195555358",
            phone="12195555358",
            previous_phone="16505551234",
        ),
        profile=None,
    ),
    "meta_text_message.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1749416383,
        Text(body="Does it come in another color?"),
    ),
    "meta_text_message_from_click_to_whatsapp_ad.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUQ0N0VFMDA2MTQ0RkJFNkNDNAA=",
        1750275992,
        Text(body="Hello! Can I get more info on this?"),
        referral=Referral(
            source_url="https://fb.me/3cr4Wqqkv",
            source_type="ad",
            source_id="120226305854810726",
            headline="Chat with us",
            body="Summer Succulents are here!",
            click_id="Aff-n8ZTODiE79d22KtAwQKj9e_mIEOOj27vDVwFjN80dp4_0NiNhEgpGo0AHemvuSoifXaytfTzcchptiErTKCqTrJ5nW1h7IHYeYymGb5K5J5iTROpBhWAGaIAeUzHL50",
        ),
    ),
    "meta_text_message_with_context_product_inquiry.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTA2NTUwRkNEMDdFQjJCRUU0NQA=",
        1750016800,
        Text(body="Is this still available?"),
        quoted=Quoted(
            message_id="wamid.HBgLMTY1MDM4Nzk0MzkVAgARGA9wcm9kdWN0X2lucXVpcnkA",
            sender="15550783881",
            product=Product(catalog_id="194836987003835", product_id="di9ozbzfi4"),
        ),
    ),
    "meta_unsupported_message.json": came(
        "wamid.HBgLMTQyMDU1NTA3NDkVAgASGBI5N0MwRjg0RTVBNUI1RDA2OTkA",
        1750090702,
        Unsupported(errors=(131051,)),
    ),
    "metadoc_audio_1.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1744344496,
        Audio(
            id="1908647269898587",
            mime_type="audio/ogg; codecs=opus",
            sha256="wvqXMe6n7n1W0zphvLPoLj+s/NtKqmr3zZ7YzTP7xFI=",
            url="https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=133...",
            voice=True,
        ),
    ),
    "metadoc_business_scoped_user_ids_1.json": counted(
        "status:delivered", "it does not say which message of ours"
    ),
    "metadoc_business_scoped_user_ids_2.json": counted(
        "status:delivered", "it does not say which message of ours"
    ),
    "metadoc_business_scoped_user_ids_3.json": counted(
        "status:delivered", "it does not say which message of ours"
    ),
    "metadoc_business_scoped_user_ids_4.json": counted(
        "status:delivered", "it does not say which message of ours"
    ),
    "metadoc_business_scoped_user_ids_5.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1749416383,
        Text(body="Does it come in another color?"),
        user=User("user.93737..."),
        profile=Profile(name="Sheena Nelson", username="@realsheenanelson"),
    ),
    "metadoc_business_scoped_user_ids_6.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1749416383,
        Text(body="Does it come in another color?"),
        user=User("US.13491208655302741918"),
        profile=None,
    ),
    "metadoc_button_2.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
        1750091045,
        TemplateButton(id="Unsubscribe", title="Unsubscribe"),
        quoted=Quoted(
            message_id="wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA=", sender="15550783881"
        ),
    ),
    "metadoc_contacts_2.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1744344496,
        Contacts(
            contacts=(
                Contact(
                    name="Barbara J. Johnson",
                    phones=(ContactPhone(phone="+1 (415) 555-0829", user_id="14125550829", type="MOBILE"),),
                ),
            )
        ),
    ),
    "metadoc_document_2.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1744344496,
        Document(
            id="622684793477189",
            mime_type="application/pdf",
            sha256="V5OPpLD/gEG6Xjg0MbmQDLFgcKsL+j5LfY4ny/pZ4MY=",
            url="https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=133...",
            caption="my receipt",
            filename="receipt.pdf",
        ),
    ),
    "metadoc_edit_2.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
        1749854575,
        Edit(
            message_id="wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA=",
            content=Image(
                id="1234567890",
                mime_type="image/jpeg",
                sha256="a1b2c3d4e5f6...",
                url="https://media.example.com/updated-image.jpg",
                caption="Updated image caption",
            ),
        ),
    ),
    "metadoc_errors_1.json": counted("error", "error 130429"),
    "metadoc_errors_2.json": counted("error", "error 130429"),
    "metadoc_group_2.json": came(
        "wamid.HASDI128HJOPUERIH82ahdasd09ASDHi5>",
        1744344496,
        Text(body="What does everyone think about this?"),
        user=User("HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA"),
        profile=None,
    ),
    "metadoc_history_1.json": of_field("history"),
    "metadoc_history_2.json": of_field("history"),
    "metadoc_image_2.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1744344496,
        Image(
            id="1003383421387256",
            mime_type="image/jpeg",
            sha256="SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=",
            url="https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=133...",
            caption="Taj Mahal",
        ),
    ),
    "metadoc_interactive_2.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
        1749854575,
        ListReply(id="priority_express", title="Priority Mail Express", description="Next Day to 2 Days"),
        quoted=Quoted(
            message_id="wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA=", sender="15550783881"
        ),
    ),
    "metadoc_interactive_3.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTZBQzg0MzQ4QjRCM0NGNkVGOAA=",
        1750025136,
        ButtonReply(id="cancel-button", title="Cancel"),
        quoted=Quoted(
            message_id="wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBI3MEM2RUJFNkI0RENGQTVDRjUA", sender="15550783881"
        ),
    ),
    "metadoc_interactive_list_messages_1.json": came(
        "wamid.HBgLMTY0NjcwNDM1OTUVAgASGBQzQTZDMzFGRUFBQjlDMzIzMzlEQwA=",
        1712595443,
        ListReply(id="priority_express", title="Priority Mail Express", description="Next Day to 2 Days"),
        quoted=Quoted(
            message_id="wamid.HBgLMTY0NjcwNDM1OTUVAgARGBIwMjg0RkMxOEMyMkNEQUFFRDgA", sender="15550783881"
        ),
        profile=Profile(name="Pablo Morales"),
    ),
    "metadoc_interactive_reply_buttons_messages_1.json": came(
        "wamid.HBgLMTY0NjcwNDM1OTUVAgASGBQzQThBREYwNzc2RDc2QjA1QTIwMgA=",
        1714510003,
        ButtonReply(id="change-button", title="Change"),
        quoted=Quoted(
            message_id="wamid.HBgLMTY0NjcwNDM1OTUVAgARGBJBM0Y4RUU0RUNFQkFDMjYzQUMA", sender="15550783881"
        ),
        profile=Profile(name="Pablo Morales"),
    ),
    "metadoc_location_1.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
        1744344496,
        Location(
            latitude=37.44221496582,
            longitude=-122.16165924072,
            name="Philz Coffee",
            address="101 Forest Ave, Palo Alto, CA 94301",
            url="https://philzcoffee.com/",
        ),
    ),
    "metadoc_location_request_messages_1.json": came(
        "wamid.HBgLMTY0NjcwNDM1OTUVAgASGBQzQTRCRDcwNzgzMTRDNTAwRTgwRQA=",
        1702920965,
        Location(
            latitude=40.782910059774,
            longitude=-73.959075808525,
            name="Solomon R. Guggenheim Museum",
            address="1071 5th Ave, New York, NY 10128",
        ),
        quoted=Quoted(
            message_id="wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI1QjJGRjI1RDY0RkE4Nzg4QzcA", sender="15550783881"
        ),
        profile=Profile(name="Pablo Morales"),
    ),
    "metadoc_messages_1.json": counted("status:delivered", "it does not say which message of ours"),
    "metadoc_order_1.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
        1750096325,
        Order(
            catalog_id="194836987003835",
            note="Love these!",
            items=(
                OrderItem(product_id="di9ozbzfi4", quantity=2.0, price=30.0, currency="USD"),
                OrderItem(product_id="nqryix03ez", quantity=1.0, price=25.0, currency="USD"),
            ),
        ),
    ),
    "metadoc_partner_solutions_1.json": of_field("partner_solutions"),
    "metadoc_payment_configuration_update_1.json": of_field("payment_configuration_update"),
    "metadoc_phone_number_name_update_1.json": of_field("phone_number_name_update"),
    "metadoc_phone_number_quality_update_1.json": of_field("phone_number_quality_update"),
    "metadoc_reaction_2.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
        1749419544,
        Reaction(message_id="wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA=", emoji="👍"),
    ),
    "metadoc_reaction_3.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
        1749419544,
        Reaction(message_id="wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA="),
    ),
    "metadoc_reaction_4.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
        1749419544,
        Reaction(message_id="wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA="),
    ),
    "metadoc_revoke_2.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
        1749854575,
        Revoke(message_id="wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA="),
    ),
    "metadoc_security_1.json": of_field("security"),
    "metadoc_smb_app_state_sync_2.json": of_field("smb_app_state_sync"),
    "metadoc_status_1.json": counted("status:sent", "it does not say which message of ours"),
    "metadoc_status_2.json": counted("status:sent", "it does not say which message of ours"),
    "metadoc_status_3.json": counted("status:failed", "error 131049"),
    "metadoc_status_4.json": counted("status:failed", "error 131049"),
    "metadoc_sticker_1.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1744344496,
        Sticker(
            id="1908647269898587",
            mime_type="image/webp",
            sha256="wvqXMe6n7n1W0zphvLPoLj+s/NtKqmr3zZ7YzTP7xFI=",
            url="https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=133...",
            animated=True,
        ),
    ),
    "metadoc_template_category_update_1.json": of_field("template_category_update"),
    "metadoc_template_category_update_2.json": of_field("template_category_update"),
    "metadoc_text_2.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTA2NTUwRkNEMDdFQjJCRUU0NQA=",
        1750016800,
        Text(body="Is this still available?"),
        quoted=Quoted(
            message_id="wamid.HBgLMTY1MDM4Nzk0MzkVAgARGA9wcm9kdWN0X2lucXVpcnkA",
            sender="15550783881",
            product=Product(catalog_id="194836987003835", product_id="di9ozbzfi4"),
        ),
    ),
    "metadoc_text_3.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUQ0N0VFMDA2MTQ0RkJFNkNDNAA=",
        1750275992,
        Text(body="Can I get more info about this?"),
        referral=Referral(
            source_url="https://fb.me/3cr4Wqqkv",
            source_type="ad",
            source_id="120226305854810726",
            headline="Chat with us",
            body="Summer Succulents are here!",
            click_id="Aff-n8ZTODiE79d22KtAwQKj9e_mIEOOj27vDVwFjN80dp4_0NiNhEgpGo0AHemvuSoifXaytfTzcchptiErTKCqTrJ5nW1h7IHYeYymGb5K5J5iTROpBhWAGaIAeUzHL50",
        ),
    ),
    "metadoc_unsupported_1.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
        1750090702,
        Unsupported(subtype="edit", errors=(131051,)),
    ),
    "metadoc_user_preferences_1.json": of_field("user_preferences"),
    "metadoc_video_1.json": came(
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
        1744344496,
        Video(
            id="731675419373506",
            mime_type="video/mp4",
            sha256="vdGU5X4caz12KwFgYwpljlUNqMt1YnkH+5GkPc3mMnc=",
            url="https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=133...",
            caption="Timelapse of growth",
        ),
    ),
    "metadoc_webhooks_1.json": of_field("group_lifecycle_update"),
    "metadoc_webhooks_2.json": of_field("group_lifecycle_update"),
    "metadoc_webhooks_3.json": of_field("group_participants_update"),
    "metadoc_webhooks_6.json": of_field("group_status_update"),
    "metadoc_webhooks_7.json": of_field("group_status_update"),
}


def test_every_sample_is_in_the_table() -> None:
    """A new one needs its values."""
    assert {path.name for path in PAYLOADS.glob("*.json")} == SAMPLES.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_comes_out_in_full(name: str) -> None:
    """Every field of it, and beside them what stood on the wire, which equality leaves out."""
    body = (PAYLOADS / name).read_bytes()
    webhook = parse(body)
    assert webhook == SAMPLES[name]
    (entry,) = json.loads(body)["entry"]
    (change,) = entry["changes"]
    wire = change["value"].get("messages", []) if change["field"] == "messages" else []
    assert [message.raw for message in webhook.messages] == wire
