"""Why the accounts app refuses something. Each is a fact with a sentence for a person."""

from common.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound


class InsufficientCredits(DomainError):
    """The balance does not cover what a send would reserve."""

    code = "insufficient_credits"
    http_status = 402

    def __init__(self, *, needed: int, balance: int) -> None:
        self.needed = needed
        self.balance = balance
        super().__init__(
            f"This needs {needed:,} credits and the account has {balance:,}. Nothing was sent or"
            " charged. Add credits, or text fewer people.",
        )


class RoleTooHigh(NotAllowed):
    """The act would touch, or give, a role above the acting user's own."""

    code = "role_too_high"
    message = "You can only give and change roles up to your own. Nothing was changed."


class LastOwner(Conflict):
    """An account must keep one owner."""

    code = "last_owner"
    message = "This is the account's last owner. Make somebody else owner first."


class AlreadyMember(Conflict):
    """The invited address belongs to somebody who is on the team."""

    code = "already_member"
    message = "This person is on the team already. Change their role in the list instead."


class InvitationGone(NotFound):
    """The link is wrong, was used, was taken back, or is too old."""

    code = "invitation_gone"
    message = "This invitation is no longer valid. Ask the person who invited you for a new one."


class InvitationNotYours(NotAllowed):
    """The invitation was sent to another address than the logged-in user's."""

    code = "invitation_not_yours"


class InvitationNotMailed(DomainError):
    """The mail server did not take the invitation."""

    code = "invitation_not_mailed"
    http_status = 502
    message = "The mail could not be sent, so nobody was invited. Try again in some minutes."


class TooManyInvitations(Conflict):
    """The account invited more people in a day than a team plausibly grows by."""

    code = "too_many_invitations"
    http_status = 429
    message = "That is the limit of invitations for one day. Nothing was sent. Try again tomorrow."


class EmailUnverified(NotAllowed):
    """The acting user has not confirmed an email address, which sending requires."""

    code = "email_unverified"
    message = "Confirm your email address first: the link is in the mail we sent you."


class SignupClosed(NotAllowed):
    """The operator of this installation does not let people sign up."""

    code = "signup_closed"
    message = "New log-ins are closed here. Ask the people who run this installation."


class CodeWrong(Invalid):
    """The verification code is not the one that was texted, or it is too old."""

    code = "code_wrong"
    message = "That code is not right or has expired. Check the text, or ask for a new code."


class TooManyCodes(Conflict):
    """More codes were asked for, or tried, than a person with the phone in hand needs."""

    code = "too_many_codes"
    http_status = 429


class PaymentsOff(Conflict):
    """No card can be charged on this installation."""

    code = "payments_off"
    message = "Cards are not charged here. Ask the people who run this installation for credits."


class PurchaseOver(Conflict):
    """A form was sent again whose purchase is paid, or was begun too long ago."""

    code = "purchase_over"
    message = (
        "This was paid already, or the page was open for too long. Nothing was charged now. To buy"
        " more, open the page again."
    )


class PaymentUnreachable(DomainError):
    """The payment provider did not answer, or refused."""

    code = "payment_unreachable"
    http_status = 502
    message = (
        "The payment page could not be opened. Nothing was charged. Try again in some minutes."
    )


class PaymentForged(Invalid):
    """A webhook that the payment provider did not sign, or signed too long ago."""

    code = "payment_forged"
    http_status = 400
    message = "The signature is not right, so nothing was changed."


class PaymentMismatch(Conflict):
    """A webhook about one of our purchases disagrees with it."""

    code = "payment_mismatch"
    message = "This does not agree with the purchase it names, so nothing was changed."


class PaymentTooEarly(Conflict):
    """A refund was told before its payment."""

    code = "payment_too_early"
    message = "The payment has not been told yet. Tell this again later."
