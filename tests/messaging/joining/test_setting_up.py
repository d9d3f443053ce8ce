"""An admin sets up the ways to join."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Account, User
from contacts.models import OptInForm, OptInKeyword
from messaging.models import SenderNumber
from tests.messaging.joining.conftest import QUESTION

pytestmark = pytest.mark.django_db


def test_an_admin_makes_the_form_and_a_word_and_sees_link_code_and_texts(
    account: Account, alice: User, sender: SenderNumber, settings: Any
) -> None:
    browser = Client()
    browser.force_login(alice)
    blank = browser.get("/settings/joining/form/").context["form"]
    given = {name: blank[name].value() or "" for name in blank.fields if name != "groups"}

    saved = browser.post("/settings/joining/form/", given)

    assert saved.status_code == 302
    form = OptInForm.objects.get()
    url = f"{settings.PUBLIC_URL}/subscribe/{form.token}/"
    assert url in browser.get("/settings/joining/").content.decode()
    assert (
        QUESTION.replace("'", "&#x27;").replace("&", "&amp;").replace("&amp;#x27;", "&#x27;")
        in browser.get("/settings/joining/form/").content.decode()
    )
    code = browser.get("/settings/joining/qr.svg?download")
    assert code["Content-Type"] == "image/svg+xml"
    assert b"<svg" in code.content

    word = {"word": "roses", "frequency": "Weekly", "welcome": "Hi!", "wording": ""}
    assert browser.post("/settings/joining/words/new/", word).status_code == 302
    shown = browser.get("/settings/joining/").content.decode()
    assert "Text ROSES to +1 202 555 0100" in shown.replace("\xa0", " ")
    keyword = OptInKeyword.objects.get()
    stop = browser.post(f"/settings/joining/words/{keyword.pk}/", {**word, "word": "quit"})
    assert stop.status_code == 422
    assert "is read as a wish to stop" in stop.content.decode()
    browser.post(f"/settings/joining/words/{keyword.pk}/delete/")
    assert OptInKeyword.objects.count() == 0
