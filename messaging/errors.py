"""Why messaging refuses something. Each is a fact with a sentence for a person."""

from common.errors import Conflict, DomainError, Invalid, NotAllowed


class EmptyAudience(Invalid):
    """Nobody is in the chosen audience."""

    code = "empty_audience"
    message = (
        "There is nobody in this audience, so nothing was sent. Choose a group that has contacts."
    )


class NoSender(Conflict):
    """The account has no number to text from."""

    code = "no_sender"
    message = "This account has no number to text from yet. Add one under Settings, Numbers."


class Erased(Conflict):
    """The person asked to be erased; not even what was to be sent is kept."""

    code = "erased"
    message = (
        "This person asked to be erased, so nothing was sent, and nothing of it is kept. Only they"
        " themselves can come back, by a text to one of your numbers."
    )


class SenderNotUsable(Conflict):
    """The chosen number is another account's, or was given up."""

    code = "sender_not_usable"
    message = "This number can no longer be used. Nothing was sent. Choose another number."


class AccountSuspended(NotAllowed):
    """The account may send nothing at present."""

    code = "account_suspended"
    message = "This account is suspended, so nothing was sent. Please write to us to sort it out."


class MediaRefused(Invalid):
    """A file that cannot be sent with texts; the sentence says why."""

    code = "media_refused"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, fields={"media": sentence})


class SenderWithoutPictures(Conflict):
    """The number a picture message would go out from can send words only."""

    code = "sender_without_pictures"

    def __init__(self, phone: str) -> None:
        sentence = (
            f"{phone} sends words only, no pictures, so nothing was sent. Choose another number,"
            " or take the picture out. If your carrier has enabled MMS for it, say so under"
            " Settings, Numbers."
        )
        super().__init__(sentence, fields={"sender": sentence})


class BatchOver(Conflict):
    """The messages have all gone or were canceled; there is nothing left to change."""

    code = "batch_over"
    message = "This has ended already. Nothing was changed."


class NothingToRetry(Conflict):
    """No message of the batch failed for a cause that may pass."""

    code = "nothing_to_retry"
    message = (
        "Nobody here can be tried again now: whoever could be is waiting for their text already,"
        " and the others would fail the same way. Nothing was changed."
    )


class LimiterAway(DomainError):
    """Redis, which keeps senders within their rate, does not answer: nothing may be sent."""

    code = "limiter_away"
    http_status = 503
    message = "Sending waits for a part of the system that is restarting. Nothing is lost."


class BudgetPassed(DomainError):
    """A campaign, or the account this month, would use more credits than somebody set."""

    code = "budget_passed"
    http_status = 402

    def __init__(self, *, budget: str, needed: int, left: int) -> None:
        super().__init__(
            f"This needs up to {needed:,} credits. {budget} has {left:,} left. Nothing was sent or"
            " charged. Raise the budget, or text fewer people."
        )


class LookupCostsMore(Conflict):
    """A look-up would cost more by now than the person was shown."""

    code = "lookup_costs_more"


class NobodyToLookUp(Conflict):
    """No number of the audience is worth a look-up."""

    code = "nobody_to_look_up"
    message = (
        "Nobody here has to be looked up: their lines are known, are being asked for, or they opted"
        " out. Nothing was asked."
    )


class HoursOverlap(Conflict):
    """Two rules of allowed hours would hold in one region on one day."""

    code = "hours_overlap"
    message = "Another rule of this region holds on such a day already. Nothing was changed."
