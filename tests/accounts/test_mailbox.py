"""The local mailbox: what is mailed is read there, by this machine only."""

from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives, send_mail
from django.test import Client

from accounts import checks, mailbox


@pytest.fixture
def box(settings: Any, tmp_path: Path) -> Path:
    """An active, empty mailbox, as `make run` has it."""
    settings.EMAIL_BACKEND = mailbox.BACKEND
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail").lstrip("/")
    settings.PUBLIC_URL = "http://localhost:8000"
    return tmp_path / "mail"


def _mail(subject: str, text: str = "Hello") -> None:
    send_mail(subject, text, "us@example.com", ["nora@example.com"])


def test_mail_is_listed_newest_first(box: Path) -> None:
    _mail("One", "Open http://localhost:8000/a/ – now")
    _mail("Two")

    mails = mailbox.mails_list()

    assert [m.subject for m in mails] == ["Two", "One"]
    assert mails[1].text.strip() == "Open http://localhost:8000/a/ – now"
    assert (mails[1].to, mails[1].sender) == ("nora@example.com", "us@example.com")
    assert box.stat().st_mode & 0o077 == 0


def test_links_can_be_followed_and_markup_cannot(box: Path) -> None:
    _mail("<script>x</script>", "Open http://localhost:8000/a/ <img src=x>")

    page = Client().get("/mailbox/").content.decode()

    assert '<a href="http://localhost:8000/a/"' in page
    assert "<script>x" not in page
    assert "<img src=x>" not in page


def test_the_text_part_is_shown(box: Path) -> None:
    letter = EmailMultiAlternatives("Both", "plain words", "us@example.com", ["a@example.com"])
    letter.attach_alternative("<p>html words</p>", "text/html")
    letter.send()

    assert mailbox.mails_list()[0].text.strip() == "plain words"


def test_files_that_are_not_mails_are_left_alone(box: Path) -> None:
    _mail("One")
    (box / "part-xyz").write_text("half a mail")
    (box / "notes.txt").write_text("mine")

    assert [m.subject for m in mailbox.mails_list()] == ["One"]


@pytest.mark.parametrize(
    "meta",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=192.0.2.7"},
    ],
)
def test_only_this_machine_reads_it(box: Path, meta: dict[str, Any]) -> None:
    _mail("Secret")

    answer = Client().get("/mailbox/", **meta)

    assert answer.status_code == 404
    assert b"Secret" not in answer.content


def test_there_is_no_page_on_a_public_address(box: Path, settings: Any) -> None:
    settings.PUBLIC_URL = "https://app.example.com"

    assert Client().get("/mailbox/").status_code == 404
    assert [error.id for error in checks.mailbox_is_local()] == ["accounts.E001"]


def test_there_is_no_page_with_a_mail_server(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"

    assert Client().get("/mailbox/").status_code == 404
    assert checks.mailbox_is_local() == []


def test_a_misspelt_sign_up_setting_stops_the_start(settings: Any) -> None:
    settings.SIGNUP = "opne"

    assert [error.id for error in checks.signup_is_known()] == ["accounts.E002"]
