"""Our signature check says what Twilio's own says."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from messaging.gateways.twilio_webhooks import form_pairs, payload_of, verify
from messaging.payloads import form_stored, payload_read, storable

TOKEN = "12345"
# Twilio sends UTF-8; half surrogates cannot be sent at all.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.sampled_from(["To", "From", "Body", "Tag", "a", "A", "ä", "MediaUrl0", ""])
forms = st.lists(st.tuples(names, text), max_size=8)
origins = st.sampled_from(
    [
        "https://edge.example.com",
        "https://edge.example.com:8443",
        "http://edge.example.com",
        "http://localhost:8001",
        "https://edge.example.com/behind/a/path",
    ]
)
targets = st.sampled_from(
    ["/webhooks/twilio/1/status/5-1", "/x?foo=1&bar=2", "/x?q=%20a+b%2F", "/x/%7Etilde?empty="]
)


class Repeated(dict[str, Any]):
    """A form as the SDK reads one with repeated names."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def getlist(self, name: str) -> list[str]:
        return [value for held, value in self._pairs if held == name]


def ours(origin: str, target: str, body: bytes, signature: str, *tokens: str) -> bool:
    return verify(
        origin=origin,
        target=target,
        body=body,
        pairs=form_pairs(body),
        signature=signature.encode(),
        secrets=[token.encode() for token in tokens or (TOKEN,)],
    )


@settings(max_examples=300)
@given(origin=origins, target=targets, form=forms, signer=st.sampled_from([TOKEN, "other"]))
def test_same_verdict_as_the_sdk_on_forms(
    origin: str, target: str, form: list[tuple[str, str]], signer: str
) -> None:
    body = urlencode(form).encode()
    signature = RequestValidator(signer).compute_signature(origin + target, Repeated(form))

    theirs = RequestValidator(TOKEN).validate(origin + target, Repeated(form), signature)

    assert ours(origin, target, body, signature) is theirs is (signer == TOKEN)


@settings(max_examples=200)
@given(
    signed=forms,
    sent=forms,
    other_origin=origins,
    origin=origins,
    target=targets,
)
def test_same_verdict_as_the_sdk_when_form_or_origin_differ(
    signed: list[tuple[str, str]],
    sent: list[tuple[str, str]],
    other_origin: str,
    origin: str,
    target: str,
) -> None:
    signature = RequestValidator(TOKEN).compute_signature(other_origin + target, Repeated(signed))

    theirs = RequestValidator(TOKEN).validate(origin + target, Repeated(sent), signature)

    assert ours(origin, target, urlencode(sent).encode(), signature) is theirs


def test_twilios_documented_example() -> None:
    """https://www.twilio.com/docs/usage/webhooks/webhooks-security"""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }

    body = urlencode(form).encode()
    target = "/myapp.php?foo=1&bar=2"
    signature = RequestValidator(TOKEN).compute_signature(f"https://mycompany.com{target}", form)

    assert signature == "GvWf1cFY/Q7PnoempGyD5oXAezc="
    assert ours("https://mycompany.com", target, body, signature)
    assert ours("https://mycompany.com", target, body, signature, "newer", TOKEN)
    assert not ours("https://mycompany.com", target, body, signature, "newer")


@given(form=forms)
def test_forms_are_read_as_they_were_written(form: list[tuple[str, str]]) -> None:
    pairs = form_pairs(urlencode(form).encode())

    assert pairs == [pair for pair in form if pair != ("", "")]
    kept = payload_of(pairs)
    for name in {name for name, _ in pairs}:
        values = [value for held, value in pairs if held == name]
        assert kept[name] == (values[0] if len(values) == 1 else values)
    said, stored = form_stored(urlencode(form).encode(), pairs)
    assert payload_read(stored) == storable(said) == storable(kept)


@pytest.mark.parametrize(
    "body", [b"a=1&&b", b"=&", b"a=%zz&b=%", b"\xff\xfe=\xe9", b"a=b=c&a", b"%E9=%ff"]
)
def test_broken_forms_are_read_somehow(body: bytes) -> None:
    assert all(isinstance(part, str) for pair in form_pairs(body) for part in pair)


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        (b"Body=Caf%C3%A9+%26+%F0%9F%8C%B7&To=%2B1415", None),
        (b"", None),
        (b"Body=a%00b%1f", None),
        (b'{"Body"=x', '{"{\\"Body\\"":"x"}'),
        (b"Body=Caf\xc3\xa9", '{"Body":"Caf\\u00e9"}'),
        (b"Body=a\nb\x1f\0", '{"Body":"a\\nb\\u001f"}'),
    ],
)
def test_a_form_is_stored_as_it_came_unless_it_is_odd(body: bytes, stored: str | None) -> None:
    said, text = form_stored(body, form_pairs(body))

    assert text == (body.decode() if stored is None else stored)
    assert payload_read(text) == storable(said)
