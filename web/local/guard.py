"""Who may use the local phone: pages and programs of this machine, and no page from elsewhere.

Rule 1: the Host must be a name of the loopback, or a page could rebind its own name to us and read replies.
Rule 2: what changes something is JSON from our own page: another page cannot send that without our leave.
"""

import json
import re
from typing import Final

from quart import Request, Response

BODY_BYTES_MAX: Final = 64 * 1024  # 4,096 characters, each written as a surrogate pair of escapes, and some

_LOOPBACK_HOST: Final = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def refuse(status: int, reason: str) -> Response:
    """One line for whoever asked."""
    return Response(reason + "\n", status=status, content_type="text/plain; charset=utf-8")


def check_host(request: Request) -> Response | None:
    """None, or the refusal of a request that names a host which is not this machine's loopback."""
    if _LOOPBACK_HOST.fullmatch(request.headers.get("Host", "")):
        return None
    return refuse(403, "the local phone answers to localhost and 127.0.0.1 only")


def check_origin(request: Request) -> Response | None:
    """None, or the refusal of a request that a page from elsewhere makes.

    Programs send neither header; browsers send the first with every fetch, the second with every POST.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    own = f"http://{request.headers.get('Host', '')}"
    if site in ("same-origin", "none") and request.headers.get("Origin", own) == own:
        return None
    return refuse(403, "only the local phone's own page may do this")


def check_json(request: Request) -> Response | None:
    """None, or the refusal of a body that is not JSON of a known and moderate length."""
    if request.mimetype != "application/json":
        return refuse(415, "send JSON")
    if request.content_length is None:
        return refuse(411, "say how long it is")
    if request.content_length > BODY_BYTES_MAX:
        return refuse(413, f"send at most {BODY_BYTES_MAX} bytes")
    return None


async def read_json(request: Request) -> object:
    """The body's JSON; None when it is none."""
    body = await request.get_data(cache=True, as_text=False, parse_form_data=False)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def protect(response: Response) -> Response:
    """The page may load and reach nothing but this server, and nothing may frame or keep it."""
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response
