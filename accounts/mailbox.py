"""The local mailbox: where mail goes when there is no mail server, and how it is read back.

Owns the email backend behind `EMAIL_URL=mailbox:///a/folder` (the default of `make run`) and the
reading of its folder, one file a mail, so that every process of a local run shares it. Never for
production: whoever reads it can follow anybody's password-reset link. `mailbox_is_open` therefore
lets in only requests from this machine, and `accounts.checks` refuses a public address.
"""

import ipaddress
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage as ParsedMessage
from email.policy import default as modern_policy
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.http import HttpRequest

from common.clock import now

BACKEND = "accounts.mailbox.MailboxBackend"
SHOWN = 100
_NAME = re.compile(r"^\d{8}T\d{12}-[\w]+\.eml$", re.ASCII)


@dataclass(frozen=True)
class Mail:
    """One mail as the mailbox page shows it. `key` names its file."""

    key: str
    to: str
    sender: str
    subject: str
    text: str
    at: datetime


def _folder() -> Path:
    # django-environ drops the first slash of a mail URL's path.
    return Path("/", settings.EMAIL_FILE_PATH)


class MailboxBackend(BaseEmailBackend):
    """Writes each mail as a file whose name sorts by time."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Store the mails; each appears whole or not at all."""
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for mail in email_messages:
            # Written under a name the page ignores, then renamed.
            handle, path = tempfile.mkstemp(dir=folder, prefix="part-")
            with os.fdopen(handle, "wb") as file:
                file.write(mail.message().as_bytes())
            name = f"{now():%Y%m%dT%H%M%S%f}-{Path(path).name.removeprefix('part-')}.eml"
            Path(path).rename(folder / name)
        return len(email_messages)


def _read(path: Path) -> Mail:
    parsed = message_from_bytes(path.read_bytes(), policy=modern_policy)
    assert isinstance(parsed, ParsedMessage)
    body = parsed.get_body(preferencelist=("plain", "html"))
    return Mail(
        key=path.name,
        to=str(parsed["To"]),
        sender=str(parsed["From"]),
        subject=str(parsed["Subject"]),
        text=body.get_content() if body else "",
        at=datetime.strptime(path.name[:21] + "+0000", "%Y%m%dT%H%M%S%f%z"),
    )


def mails_list() -> list[Mail]:
    """The newest SHOWN mails, newest first."""
    folder = _folder()
    if not folder.is_dir():
        return []
    names = sorted((n for n in os.listdir(folder) if _NAME.match(n)), reverse=True)
    return [_read(folder / name) for name in names[:SHOWN]]


def mailbox_is_active() -> bool:
    """Whether mail is kept here instead of being sent."""
    return settings.EMAIL_BACKEND == BACKEND


def mailbox_is_open(request: HttpRequest) -> bool:
    """Whether this request may read everybody's mail: from this machine, on its own address.

    The platform's own address has to be a loopback one too, and nothing may stand between, because
    behind a proxy every request comes from this machine.
    """
    return (
        mailbox_is_active()
        and address_is_local(settings.PUBLIC_URL)
        and _is_loopback(request.META.get("REMOTE_ADDR", ""))
        and "HTTP_X_FORWARDED_FOR" not in request.META
        and "HTTP_FORWARDED" not in request.META
    )


def address_is_local(url: str) -> bool:
    """Whether `url` is this machine's own."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
