"""How allauth behaves here: who may sign up, where links in mail lead, how secrets are kept."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailConfirmation
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.encoding import iri_to_uri

from common import crypto


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up is open, by invitation only, or closed (SIGNUP).

    Links in mail stand on PUBLIC_URL, never on the request's Host, which a stranger who asks for
    somebody's password reset could choose.
    """

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether a stranger may make an account. Invited people come through their own link."""
        return settings.SIGNUP == "open"

    def get_email_confirmation_url(
        self, request: HttpRequest, emailconfirmation: EmailConfirmation
    ) -> str:
        """Where a click confirms the address."""
        return _public(reverse("account_confirm_email", args=[emailconfirmation.key]))

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Where a new password is chosen. `key` is `<user>-<secret>`."""
        user, _, secret = key.partition("-")
        return _public(
            reverse("account_reset_password_from_key", kwargs={"uidb36": user, "key": secret})
        )


def _public(path: str) -> str:
    return settings.PUBLIC_URL + iri_to_uri(path)


class MfaAdapter(DefaultMFAAdapter):
    """Keeps the secrets of two-step log-in encrypted: who reads the table cannot make codes."""

    def encrypt(self, text: str) -> str:
        """As stored."""
        return crypto.encrypt(text).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """As used."""
        return crypto.decrypt(encrypted_text.encode())
