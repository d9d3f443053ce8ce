"""The worst that somebody may type or paste: the page answers in a sentence, and never lies.

Every text goes through the composer's count and is asked to be sent. What cannot be sent is said in
words, and the draft stays as it was typed.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign
from contacts.models import Group
from messaging.models import SenderNumber
from tests.campaigns.conftest import words

pytestmark = pytest.mark.django_db

SENT = "Send to 5 people, {} credits"
FORTY = " ".join("{{first_name|there}}" for _ in range(40))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("a" * 1600, SENT.format(55)),
        ("a" * 1601, "The message has 1,601 characters; 1,600 is the most that can be sent."),
        ("a" * 10_001, "1,600 is the most that can be sent."),
        (FORTY, SENT.format(7)),
        (" ".join(f"{{{{unknown_{n}}}}}" for n in range(40)), "no field called “unknown_0”"),
        ("Hi {{first_name}", "are not closed"),
        ("Hi {{{first_name|}}}", SENT.format(5)),
        ("Hi }} there {{", "There is a “}}” without its “{{”"),
        ("Hi {{#if first_name}}x", "A condition is not closed."),
        ("<script>alert('1')</script>", SENT.format(5)),
        ("{% csrf_token %} {{ settings.SECRET_KEY }}", "“{{settings.SECRET_KEY}}” is not"),
        ("مرحبا {{first_name|صديقي}}، تخفيضات اليوم https://shop.example/بيع", SENT.format(5)),
        ("🎉" * 36, SENT.format(10)),
        ("👨‍👩‍👧‍👦" * 7, SENT.format(10)),
        ("(https://shop.example/a) [https://shop.example/b]", SENT.format(5)),
        ("Now:https://shop.example/sale,tulips!", SENT.format(5)),
        ("https://shop.example/{{first_name}}", "stands inside a link."),
        ("Tulips\r\n" * 20, SENT.format(5)),
        ("\u202eTulips\u200b\ufeff", SENT.format(5)),
        (" \u00a0\t\r\n", "Write the text, and see here what it costs."),
    ],
)
def test_the_composer_answers_whatever_is_typed(
    browse: Callable[[User], Client],
    alice: User,
    group: Group,
    campaign: Campaign,
    sender: SenderNumber,
    body: str,
    told: str,
) -> None:
    form: dict[str, Any] = {"body": body, "groups": group.pk, "sender": sender.pk, "when": "now"}

    page = browse(alice).post("/blasts/count", form)
    sent = browse(alice).post(
        "/blasts/new", {**form, "campaign": campaign.pk, "name": "Hard", "act": "send"}
    )

    assert page.status_code == 200
    said = words(page.content.decode()).replace("&#x27;", "'")
    assert told in said
    blast = Blast.objects.filter(name="Hard").first()
    state = blast.state if blast else None
    if told.startswith("Send to"):
        assert (sent.status_code, state) == (302, BlastState.SCHEDULED)
    else:
        assert sent.status_code == 422
        assert state in (BlastState.DRAFT, None)
    if blast:
        assert blast.body == body.replace("\r\n", "\n")


@pytest.mark.parametrize(
    "body",
    [
        "https://shop.example/" + "a" * 1_500,
        "x" * 20_000,
        "{" * 5_000,
        "\u0301" * 1_600,
        "\u0301{{a}}" * 99,
        "Tulips\x00 are in",
    ],
    ids=["link", "text", "braces", "marks", "fields", "nul"],
)
def test_what_no_phone_could_show_is_answered_too(
    browse: Callable[[User], Client], alice: User, group: Group, body: str
) -> None:
    answer = browse(alice).post("/blasts/count", {"body": body, "groups": group.pk})

    assert answer.status_code == 200
    assert 'id="count-line"' in answer.content.decode()
