"""Steps of tests about approvals."""

from datetime import timedelta

from accounts.models import Account, User
from campaigns import services
from campaigns.models import Approval, Blast
from common.clock import now
from contacts.models import Contact, Group, GroupMember


def decide(asked: Approval, actor: User, *, is_approved: bool = True) -> Approval:
    """Bob's or anybody's word on what was asked."""
    return services.approval_decide(
        account=asked.account, actor=actor, approval=asked, is_approved=is_approved, answer="Fine"
    )


def send(account: Account, actor: User, draft: Blast) -> Blast:
    """Scheduled for now."""
    return services.blast_schedule(account=account, actor=actor, blast=draft)


def launch(draft: Blast) -> Blast:
    """As beat does, an hour later."""
    services.blast_launch(blast_id=draft.pk, moment=now() + timedelta(hours=1))
    draft.refresh_from_db()
    return draft


def join(account: Account, group: Group) -> None:
    """Zoe is one more in a group."""
    contact = Contact.objects.create(account=account, phone="+12025551999", first_name="Zoe")
    GroupMember.objects.create(account=account, group=group, contact=contact)


def leave(name: str) -> None:
    """Whoever has this first name is in no group any more."""
    GroupMember.objects.filter(contact__first_name=name).delete()


def swap(account: Account, group: Group) -> None:
    """Zoe takes Ann's place."""
    leave("Ann")
    join(account, group)
