"""The door that the settings ask for: whose webhook it is, and through whom is sent."""

from web.channel import Channel
from web.dialog360.channel import Dialog360Channel
from web.settings import Settings
from web.twilio.channel import TwilioChannel
from web.webhook import ROUTE
from web.whatsapp.channel import CloudChannel


def door_of(settings: Settings, *, graph_url: str = "") -> Channel:
    """The channel of these settings; `graph_url` is local mode's, known when the server listens."""
    if settings.twilio is not None:
        return TwilioChannel(
            account_sid=settings.twilio.account_sid,
            auth_token=settings.twilio.auth_token,
            numbers=settings.twilio.numbers,
            webhook_url=f"{settings.public_url}{ROUTE}",
        )
    if settings.dialog360 is not None:
        return Dialog360Channel(
            api_key=settings.dialog360.api_key,
            webhook_secret=settings.dialog360.webhook_secret,
            platform_secret=settings.dialog360.platform_secret,
        )
    whatsapp = settings.whatsapp
    return CloudChannel(numbers=whatsapp.numbers, graph_url=whatsapp.graph_url or graph_url)
