"""Only who knows the auth token can sign, over the public URL and every parameter, and nothing raises."""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.twilio.signature import BODY_BYTES_MAX, PARAMETERS_MAX, is_signed, sign

TOKEN = "12345"  # noqa: S105  # of Twilio's own examples
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
PARAMETERS = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+12349013030",
    "Digits": "1234",
    "From": "+12349013030",
    "To": "+18005551212",
}
FORM = urlencode(PARAMETERS).encode()
# Those of the older examples.
OLD_FORM = FORM.replace(b"12349013030", b"14158675309")
SIGNATURE = "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
JSON = b'{"property": "value", "boolean": true}'
JSON_HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"


# Twilio's published vectors, of its documentation and of the tests of its own libraries ------------


@pytest.mark.parametrize(
    ("url", "body", "signature"),
    [
        (URL, FORM, SIGNATURE),
        (URL, OLD_FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        # The same name several times: each value once, in order.
        (
            URL,
            b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
        # JSON: the hash of the body stands in the URL, and the URL alone is signed.
        (f"{URL}&bodySHA256={JSON_HASH}", JSON, "a9nBmqA0ju/hNViExpshrM61xv4="),
        (f"https://mycompany.com/myapp.php?bodySHA256={JSON_HASH}", JSON, "y77kIzt2vzLz71DgmJGsen2scGs="),
        # The port left out, and the usual one put in.
        (URL.replace(".com", ".com:1234"), FORM, SIGNATURE),
        (URL, OLD_FORM, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (URL.replace("https", "http"), OLD_FORM, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (URL.replace("https", "http").replace(".com", ".com:1234"), OLD_FORM, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    ],
)
def test_what_twilio_signs_in_its_own_examples_is_recognised(url: str, body: bytes, signature: str) -> None:
    """Forms, values that come twice, JSON and ports, as text and as bytes."""
    assert is_signed(url, body, signature, TOKEN) is True
    assert is_signed(url, body, signature.encode(), TOKEN) is True


def test_a_signature_is_the_hmac_sha1_of_the_url_and_the_sorted_parameters_in_base64() -> None:
    """Computed here by hand once."""
    written = URL + "".join(name + PARAMETERS[name] for name in sorted(PARAMETERS))
    by_hand = base64.b64encode(hmac.new(TOKEN.encode(), written.encode(), hashlib.sha1).digest()).decode()
    assert sign(URL, FORM, TOKEN) == by_hand == SIGNATURE


# What counts of a request -------------------------------------------------------------------------


def test_the_order_of_the_form_does_not_count() -> None:
    """Twilio sorts, so we do; in the way of bytes, capitals first."""
    backwards = b"&".join(reversed(FORM.split(b"&")))
    assert is_signed(URL, backwards, SIGNATURE, TOKEN)
    assert sign(URL, b"a=1&B=2", TOKEN) == sign(URL, b"B2a=1", TOKEN)


@pytest.mark.parametrize(
    ("body", "signed_as"),
    [
        (b"Body=&MediaUrl0=", "BodyMediaUrl0"),
        (b"Body=+hi++", "Body hi  "),
        (b"Body=%20hi%0D%0A", "Body hi\r\n"),
        (b"Body=1%2B1%3D2%26more", "Body1+1=2&more"),
        ("Body=äöå😀".encode(), "Bodyäöå😀"),
        (b"Body=%C3%A4%F0%9F%98%80", "Bodyä😀"),
        (b"Body=50%", "Body50%"),
        (b"Body", "Body"),
        (b"&&Body=x&", "Bodyx"),
        (b"NewParameter=of+tomorrow&Body=x", "BodyxNewParameterof tomorrow"),
        (b"", ""),
    ],
)
def test_each_parameter_counts_as_it_was_sent(body: bytes, signed_as: str) -> None:
    """Blank values, space at an end and unknown names are signed too; escapes are undone first."""
    digest = hmac.new(TOKEN.encode(), (URL + signed_as).encode(), hashlib.sha1).digest()
    assert is_signed(URL, body, base64.b64encode(digest), TOKEN)


def test_a_body_that_is_not_utf_8_has_a_signature_too() -> None:
    """Of its bytes: nothing is replaced on the way."""
    digest = hmac.new(TOKEN.encode(), URL.encode() + b"Body\xff\xfe", hashlib.sha1).digest()
    assert is_signed(URL, b"Body=%FF\xfe", base64.b64encode(digest), TOKEN)


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("https", "http"),
        URL.replace("mycompany.com", "127.0.0.1:8080"),
        URL.replace("mycompany.com", "MYCOMPANY.com"),
        URL.replace("myapp.php", "myapp.php/"),
        URL.replace("foo=1&bar=2", "bar=2&foo=1"),
        URL.partition("?")[0],
        f"{URL}&",
        "",
        "not a url",
        "https://[::1",
        "https://host:99999999/",
        "\ud800",
    ],
)
def test_another_url_is_another_request(url: str) -> None:
    """To the letter: behind a proxy it is the public one that was signed."""
    assert is_signed(url, FORM, SIGNATURE, TOKEN) is False


def test_the_body_of_json_must_have_the_hash_of_its_url() -> None:
    """The URL's signature alone says nothing of the body."""
    url, signature = f"{URL}&bodySHA256={JSON_HASH}", "a9nBmqA0ju/hNViExpshrM61xv4="
    assert is_signed(url, JSON + b" ", signature, TOKEN) is False
    assert is_signed(url, b"", signature, TOKEN) is False
    assert is_signed(url.replace(JSON_HASH, JSON_HASH.upper()), JSON, signature, TOKEN) is False
    empty = f"{URL}&bodySHA256="
    assert is_signed(empty, JSON, sign(empty, JSON, TOKEN), TOKEN) is False


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        b"",
        SIGNATURE.lower(),
        SIGNATURE.rstrip("="),
        SIGNATURE + "=",
        SIGNATURE + " ",
        " " + SIGNATURE,
        SIGNATURE + "\n",
        f"{SIGNATURE}, {SIGNATURE}",
        base64.b64decode(SIGNATURE),
        base64.b64decode(SIGNATURE).hex(),
        SIGNATURE.replace("/", "_"),
        "ä" * 28,
        b"\xff" * 28,
        "\ud800",
        "x" * 100_000,
        sign(URL, FORM, TOKEN + "6"),
        sign(URL, FORM, ""),
    ],
)
def test_any_other_header_is_false(header: str | bytes | None) -> None:
    """Missing, malformed, of another length, not ASCII, of another token: False, no exception."""
    assert is_signed(URL, FORM, header, TOKEN) is False


def test_an_empty_token_signs_nothing() -> None:
    """Anybody could sign with it."""
    assert is_signed(URL, FORM, sign(URL, FORM, ""), "") is False


def test_very_many_parameters_are_not_even_read() -> None:
    """Twilio sends a few dozen; a stranger's million would cost us a second."""
    few, many = (b"&".join([b"a=1"] * count) for count in (PARAMETERS_MAX, PARAMETERS_MAX + 1))
    assert is_signed(URL, few, sign(URL, few, TOKEN), TOKEN)
    assert not is_signed(URL, many, sign(URL, many, TOKEN), TOKEN)


def test_a_very_long_body_is_not_even_read() -> None:
    """Undoing its escapes would cost a tenth of a second a megabyte, for anybody who asks."""
    for body in (b"%41" * 1_000_000, b"B" * (BODY_BYTES_MAX + 1)):
        assert not is_signed(URL, body, sign(URL, body, TOKEN), TOKEN)
    whole = b"B" * BODY_BYTES_MAX
    assert is_signed(URL, whole, sign(URL, whole, TOKEN), TOKEN)


@given(url=st.text(), header=st.none() | st.text() | st.binary(), body=st.binary())
def test_nothing_raises(url: str, header: str | bytes | None, body: bytes) -> None:
    """Whatever comes, the answer is a bool."""
    assert is_signed(url, body, header, TOKEN) is False


@given(parameters=st.dictionaries(st.text(min_size=1), st.text(), min_size=1), token=st.text(min_size=1))
def test_a_form_verifies_against_itself_only(parameters: dict[str, str], token: str) -> None:
    """One more letter in any value breaks the signature, under any token."""
    parameters = {_utf_8(name): _utf_8(value) for name, value in parameters.items()}
    body = urlencode(parameters).encode()
    signature = sign(URL, body, token)
    assert is_signed(URL, body, signature, token)
    for name in parameters:
        changed = urlencode({**parameters, name: parameters[name] + "."}).encode()
        assert not is_signed(URL, changed, signature, token)


def _utf_8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
