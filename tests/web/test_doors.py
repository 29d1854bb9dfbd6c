"""Which door the settings open, and with which of their values."""

from web.dialog360.channel import Dialog360Channel
from web.doors import door_of
from web.settings import load_settings
from web.twilio.channel import TwilioChannel
from web.whatsapp.channel import CloudChannel
from web.whatsapp.numbers import BusinessNumber


def test_twilios_door_has_the_public_address_of_the_webhook() -> None:
    """What Twilio signs: the address in the settings with the route behind it, with one slash between."""
    settings = load_settings(
        {
            "MIDSTREAM_CHANNEL": "twilio",
            "MIDSTREAM_PUBLIC_URL": "https://bot.example.org/",
            "TWILIO_ACCOUNT_SID": f"AC{'0' * 32}",
            "TWILIO_AUTH_TOKEN": "token",
            "TWILIO_NUMBER": "whatsapp:+15550001111, 15550002222",
        }
    )
    assert door_of(settings, graph_url="http://127.0.0.1:1/v26.0") == TwilioChannel(
        account_sid=f"AC{'0' * 32}",
        auth_token="token",  # noqa: S106
        numbers=("15550001111", "15550002222"),
        webhook_url="https://bot.example.org/webhook/whatsapp",
    )


def test_360dialogs_door_has_its_key_and_both_secrets() -> None:
    """None in the place of another."""
    settings = load_settings(
        {
            "MIDSTREAM_CHANNEL": "360dialog",
            "DIALOG360_API_KEY": "key",
            "DIALOG360_WEBHOOK_SECRET": "secret",
            "DIALOG360_PLATFORM_SECRET": "platform",
        }
    )
    assert door_of(settings) == Dialog360Channel(
        api_key="key",
        webhook_secret="secret",  # noqa: S106
        platform_secret="platform",  # noqa: S106
    )


def test_metas_door_has_the_credentials_and_the_address_that_is_set() -> None:
    """Local mode's address does not count where there is one."""
    settings = load_settings(
        {
            "WHATSAPP_PHONE_NUMBER_ID": "1065",
            "WHATSAPP_ACCESS_TOKEN": "token",
            "WHATSAPP_APP_SECRET": "app secret",
            "WHATSAPP_VERIFY_TOKEN": "verify",
        }
    )
    number = BusinessNumber(
        phone_number_id="1065",
        access_token="token",  # noqa: S106
        app_secret="app secret",  # noqa: S106
        verify_token="verify",  # noqa: S106
    )
    assert door_of(settings, graph_url="http://127.0.0.1:1/v26.0") == CloudChannel(
        numbers=(number,), graph_url="https://graph.facebook.com/v26.0"
    )


def test_without_credentials_metas_door_leads_to_the_server_itself() -> None:
    """To the address that is known once the server listens."""
    door = door_of(load_settings({}, new_secret=lambda: "made up"), graph_url="http://127.0.0.1:1/v26.0")
    assert isinstance(door, CloudChannel)
    assert (door.graph_url, door.numbers[0].access_token) == ("http://127.0.0.1:1/v26.0", "made up")
