"""From a figure of a report to a group: the people behind it, to be texted again."""

from django.db import transaction

from accounts.models import Account, User
from campaigns import selectors
from campaigns.errors import BlastNotRunning, NobodyToGroup
from campaigns.models import Blast
from contacts.models import Group
from contacts.services import group_add, group_create


@transaction.atomic
def blast_group(
    *,
    account: Account,
    actor: User | None,
    blast: Blast,
    name: str,
    show: str = "all",
    reason: str = "",
    search: str = "",
) -> tuple[Group, int]:
    """Make a static group of the people behind a figure, as they are at this moment.

    Args:
        account: Whose blast.
        actor: Who makes it.
        blast: A launched blast.
        name: Of the new group.
        show: One of `campaigns.selectors.SHOWS`.
        reason: Only with this `Reason`.
        search: Name or phone.

    Returns:
        The group and how many people are in it. Deleted contacts are left out; people who opted
        out are in it, and are left out again by whatever is sent to it.

    Raises:
        BlastNotRunning: it was not launched.
        NobodyToGroup: nobody fits.
        GroupNameTaken, Invalid: the name cannot be used; nothing is made.
    """
    if blast.batch is None:
        raise BlastNotRunning
    messages = selectors.people(
        account=account, batch=blast.batch, show=show, reason=reason, search=search
    )
    contact_ids = list(
        messages.filter(contact__deleted_at=None, contact__account=account)
        .values_list("contact_id", flat=True)
        .distinct()
    )
    if not contact_ids:
        raise NobodyToGroup
    group = group_create(account=account, actor=actor, name=name)
    count = group_add(account=account, actor=actor, group_id=group.pk, contact_ids=contact_ids)
    return group, count
