"""Why the inbox refuses something. Each is a fact with a sentence for a person."""

from common.errors import Conflict


class NumberGivenUp(Conflict):
    """The number that the thread runs on is no longer the account's."""

    code = "number_given_up"
    message = (
        "The number of this conversation is no longer yours, so nothing was sent. "
        "Write to this person from another number: open their contact, then New text."
    )


class ReplyChanged(Conflict):
    """The same key has sent another text before, whose answer the page did not get."""

    code = "reply_changed"
    message = (
        "What you sent a moment ago had gone out after all; it stands in the conversation. "
        "This changed text was not sent: press Send reply if you want to send it too."
    )
