"""From a list of messages to a group: the people behind it, to be texted again."""

from collections.abc import Collection

from accounts.models import Account, User
from contacts.models import Group
from contacts.services import group_from
from messaging import selectors
from messaging.listing import EVERYTHING, ListFilter


def messages_group(
    *,
    account: Account,
    actor: User | None,
    name: str,
    batches: Collection[int] | None = None,
    chosen: ListFilter = EVERYTHING,
) -> tuple[Group, int]:
    """Make a group of the people behind a list of messages, as they are at this moment.

    Somebody with several messages in the list is in the group once, and so is who has at least
    one message that fits.

    Args:
        account: Whose messages.
        actor: Who makes it.
        name: Of the new group.
        batches: Only recipients of these batches.
        chosen: What the messages have in common.

    Returns:
        The group and how many people are in it (see `contacts.services.group_from`).

    Raises:
        NobodyToGroup: nobody fits; nothing is made.
        Invalid, GroupNameTaken: the name cannot be used; nothing is made.
    """
    rows = selectors.messages_list(account=account, batches=batches, chosen=chosen)
    ids = rows.select_related(None).values("contact_id")
    return group_from(account=account, actor=actor, name=name, contact_ids=ids)
