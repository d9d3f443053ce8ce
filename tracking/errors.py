"""Why tracking refuses something."""

from common.errors import Invalid


class BadDestination(Invalid):
    """An address that a short link cannot lead to."""

    code = "bad_destination"
    message = "This link cannot be used. Nothing was sent."
