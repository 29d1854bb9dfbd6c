"""Only who knows the secret can sign, and nothing a stranger sends raises."""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.whatsapp.signature import is_signed, is_token, sign

SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105  # made up
BODY = b'{"object":"whatsapp_business_account","entry":[]}'


def test_a_signature_is_the_hmac_sha256_of_the_bytes_in_lower_case_hex() -> None:
    """The form of whatsapp's X-Hub-Signature-256, computed here by hand once."""
    by_hand = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert sign(BODY, SECRET) == f"sha256={by_hand}"
    # RFC 4231, test case 2: the algorithm itself.
    assert sign(b"what do ya want for nothing?", "Jefe") == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@pytest.mark.parametrize("as_header", [str, str.encode], ids=["str", "bytes"])
def test_what_was_signed_is_recognised(as_header: object) -> None:
    """A server hands headers over as bytes or as text."""
    assert callable(as_header)
    assert is_signed(BODY, as_header(sign(BODY, SECRET)), SECRET)


def test_each_form_of_one_body_verifies_against_its_own_bytes_only() -> None:
    r"""The bytes count, not what they mean: UTF-8 and \u escapes of one text have different signatures."""
    value = {"text": "äöå 😀 a/b <c> 100% @d"}
    plain = json.dumps(value, ensure_ascii=False).encode()
    escaped = json.dumps(value).replace("/", "\\/").encode()
    assert json.loads(plain) == json.loads(escaped)
    for body, other in ((plain, escaped), (escaped, plain)):
        assert is_signed(body, sign(body, SECRET), SECRET)
        assert not is_signed(other, sign(body, SECRET), SECRET)


# By `openssl dgst -sha256 -hmac`: the first three are one value in three forms.
VECTORS = [
    (
        '{"text":"äöå 😀 a/b <c> 100% @d"}'.encode(),
        "277e48348ede2818c742884c35fb5642f5dc64cb0c622a46d07d92c4ce30f2cb",
    ),
    (
        rb'{"text":"\u00e4\u00f6\u00e5 \ud83d\ude00 a\/b <c> 100% @d"}',
        "68b7d8dbb57e3140cf35f9ee25ede4727f52af555abe7fe7406ea129aa4154fb",
    ),
    (
        rb'{"text":"\u00E4\u00F6\u00E5 \uD83D\uDE00 a/b <c> 100% @d"}',
        "c22540439ac4dd6107a8caccab3d39119418ef84f92e005c306fec665395fbbe",
    ),
    (b"", "796cd3078af14636753d26b3b5555422ff55a3e261cf847b48e95371b9bd0aa2"),
    (b"\xff\x00\x80", "1fc32fdceb5a1152958a71f292685be2b83972193d7a1a34f6c6bd5356946aaf"),
]


def test_each_body_has_the_signature_that_another_program_makes_of_it_and_no_other_has() -> None:
    """Whichever form Meta chooses, empty and not even text: it is the bytes that are signed."""
    assert len({json.dumps(json.loads(body)) for body, _ in VECTORS[:3]}) == 1
    for body, digest in VECTORS:
        assert sign(body, SECRET) == f"sha256={digest}"
        assert [is_signed(other, f"sha256={digest}", SECRET) for other, _ in VECTORS] == [
            other == body for other, _ in VECTORS
        ]


GOOD = sign(BODY, SECRET)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        b"",
        "sha256=",
        "sha256",
        GOOD.removeprefix("sha256="),
        GOOD.replace("sha256=", "sha1="),
        GOOD.upper(),
        "sha256=" + GOOD.removeprefix("sha256=").upper(),
        "SHA256=" + GOOD.removeprefix("sha256="),
        GOOD + "0",
        GOOD[:-1],
        GOOD + " ",
        " " + GOOD,
        f"{GOOD}, {GOOD}",
        f"{GOOD},{GOOD}",
        f"{GOOD} {GOOD}",
        GOOD + GOOD,
        GOOD + "\n",
        "sha256=" + "ä" * 64,
        "sha256=" + "\uff10" * 64,
        b"sha256=" + b"\xff" * 64,
        "\ud800",
        "x" * 100_000,
        sign(BODY + b" ", SECRET),
        sign(BODY, SECRET + "0"),
        sign(BODY, ""),
    ],
)
def test_any_other_header_is_false(header: str | bytes | None) -> None:
    """Missing, malformed, of another length, not ASCII, of another body or secret: False, no exception."""
    assert is_signed(BODY, header, SECRET) is False


def test_an_empty_secret_signs_nothing() -> None:
    """Anybody could sign with it."""
    assert is_signed(BODY, sign(BODY, ""), "") is False


@given(header=st.none() | st.text() | st.binary(), body=st.binary())
def test_no_header_raises(header: str | bytes | None, body: bytes) -> None:
    """Whatever comes, the answer is a bool."""
    assert is_signed(body, header, SECRET) is False


@given(body=st.binary(min_size=1), secret=st.text(min_size=1), data=st.data())
def test_one_changed_byte_breaks_the_signature(body: bytes, secret: str, data: st.DataObject) -> None:
    """The signature covers every byte of the body, under any secret."""
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
    assert is_signed(body, sign(body, secret), secret)
    assert not is_signed(changed, sign(body, secret), secret)


def test_a_verify_token_must_be_equal() -> None:
    """Equal is True; absent, empty, shorter, longer, another case, not ASCII is False."""
    assert is_token("hunter2-ä", "hunter2-ä") is True
    for given_token in (None, "", "hunter", "hunter22", "Hunter2", "hunter2 ", "hünter2", "\ud800"):
        assert is_token(given_token, "hunter2") is False


def test_an_empty_token_is_nobodys() -> None:
    """A setting that was forgotten must not open the door."""
    assert is_token("", "") is False
    assert is_token(None, "") is False
