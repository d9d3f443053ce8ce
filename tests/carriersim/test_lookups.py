"""Lookup v2 as raw requests see it."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from carriersim.client import Client
from tests.carriersim.conftest import SID, TOKEN

FIELDS = "?Fields=line_type_intelligence"


def _look_up(
    carrier: Client, phone: str, *, fields: str = FIELDS, token: str = TOKEN
) -> tuple[int, Any]:
    login = base64.b64encode(f"{SID}:{token}".encode()).decode()
    request = urllib.request.Request(
        f"{carrier.base_url}/v2/PhoneNumbers/{phone}{fields}",
        headers={"Authorization": f"Basic {login}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.parametrize(
    ("phone", "line_type"),
    [
        ("+14155550100", "mobile"),
        ("+14155550151", "landline"),  # the script `landline`
        ("+14155550159", "landline"),  # `not_mobile`
        ("%2B14155550100", "mobile"),
        ("+14155550007", "nonFixedVoip"),
    ],
)
def test_a_number_has_a_type(carrier: Client, phone: str, line_type: str) -> None:
    carrier.set(line_types={"0007": "nonFixedVoip"})

    status, found = _look_up(carrier, phone)

    assert (status, found["valid"]) == (200, True)
    assert found["phone_number"] == phone.replace("%2B", "+")
    assert found["line_type_intelligence"]["type"] == line_type
    assert carrier.lookups() == {phone.replace("%2B", "+"): 1}


def test_what_was_not_asked_for_is_not_told(carrier: Client) -> None:
    assert _look_up(carrier, "+14155550100", fields="")[1]["line_type_intelligence"] is None


def test_a_number_that_is_not_valid_has_none(carrier: Client) -> None:
    status, found = _look_up(carrier, "+14155550158")

    assert (status, found["valid"], found["line_type_intelligence"]) == (200, False, None)


@pytest.mark.parametrize(
    ("phone", "token", "refusal"),
    [
        ("+14155550100", "wrong", (401, 20003)),
        ("rose", TOKEN, (404, 20404)),
        ("+14155550175", TOKEN, (429, 20429)),
        ("+14155550172", TOKEN, (500, 20500)),
    ],
)
def test_what_is_refused_is_not_counted(
    carrier: Client, phone: str, token: str, refusal: tuple[int, int]
) -> None:
    status, found = _look_up(carrier, phone, token=token)

    assert (status, found["code"]) == refusal
    assert carrier.lookups() == {}


def test_an_answer_that_is_lost_is_counted(carrier: Client) -> None:
    assert _look_up(carrier, "+14155550170")[0] == 500

    assert carrier.lookups() == {"+14155550170": 1}
    carrier.reset()
    assert carrier.lookups() == {}
