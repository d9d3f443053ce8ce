"""Why tracking refuses something."""

from common.errors import Conflict, Invalid


class BadDestination(Invalid):
    """An address that a short link cannot lead to."""

    code = "bad_destination"
    message = "This link cannot be used. Nothing was sent."


class DomainTaken(Conflict):
    """A link domain that another account uses."""

    code = "domain_taken"
    message = "Another account uses this domain."
