"""A form of a page that was open while somebody logged in anew."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_a_form_without_its_token_says_what_to_do() -> None:
    answer = Client(enforce_csrf_checks=True).post("/auth/login/", {"login": "a@example.com"})

    assert answer.status_code == 403
    assert "Nothing was changed. Go back" in answer.content.decode()
