"""The one error that services raise: a fact with a stable code and a sentence a person can act on.

Owns `DomainError` and the few subclasses every app needs. Apps subclass it in `errors.py`,
named for the fact. Pages show `message`; the API answers it as RFC 9457 problem details.
"""

from collections.abc import Mapping


class DomainError(Exception):
    """A request that cannot be carried out.

    Attributes:
        code: Stable slug for programs, for example ``insufficient_credits``.
        http_status: Status the API answers with.
        message: What happened, what was kept, what to do.
        fields: Field name to sentence, for forms.
    """

    code = "error"
    http_status = 400
    message = "The request could not be carried out. Nothing was changed."

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or self.message
        self.code = code or self.code
        self.fields = dict(fields or {})
        super().__init__(self.message)


class NotFound(DomainError):
    """The thing does not exist in this account (another account's things do not exist here)."""

    code = "not_found"
    http_status = 404
    message = "There is no such thing in this account."


class NotAllowed(DomainError):
    """The account user's role or the key's scope does not permit the act."""

    code = "not_allowed"
    http_status = 403
    message = "Your role does not allow this. Ask an admin of the account."


class Conflict(DomainError):
    """The thing is in a state in which the act makes no sense any more."""

    code = "conflict"
    http_status = 409
    message = "This has changed meanwhile. Reload the page and try again."


class Invalid(DomainError):
    """Input that cannot be used."""

    code = "invalid"
    http_status = 422
