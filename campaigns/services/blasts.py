"""Drafts of blasts: written, rewritten, thrown away. Copies of them are `copying`'s.

A draft may be unfinished in any way: what a blast needs before it can be sent is asked when it is
scheduled (`campaigns.services.launching`), so that nothing somebody typed is ever refused.
"""

import re
from collections.abc import Mapping, Sequence

from django.db import transaction

from accounts.models import Account, User
from accounts.services import audit_record
from campaigns.choices import BlastState
from campaigns.errors import BlastNotEditable, CampaignArchived, NameInvalid
from campaigns.models import Blast, Campaign
from campaigns.planning import Plan
from campaigns.services.freezing import void_if_rewritten
from common.clock import now
from common.errors import Invalid, NotFound
from common.text import plain_lines
from contacts.models import Group
from messaging.models import SenderNumber
from messaging.services import media_wanted
from tracking.utm import utm_cleaned

NAME_LIMIT = 120
# Far above what carriers take (1,600), so that a text pasted too long can be shortened here.
DRAFT_LIMIT = 10_000
GIVE_UP_LIMIT_HOURS = 24 * 90
UNTITLED = "Untitled blast"
_FROM_TEXT = 40
# Addresses and merge fields say nothing in a name; a field's fallback does.
_SILENT = re.compile(r"https?://\S+|\{\{[^{}|]*\|?([^{}]*)\}\}")
# What a field leaves behind: "Hi {{first_name}}, new" would be "Hi , new".
_ADRIFT = re.compile(r"\s+([,.:;!?])")


@transaction.atomic
def blast_create(
    *,
    account: Account,
    actor: User | None,
    campaign: Campaign,
    name: str = "",
    body: str = "",
    group_ids: Sequence[int] = (),
    sender: SenderNumber | None = None,
    more_senders: Sequence[SenderNumber] = (),
    give_up_hours: int = 0,
    smart_encoding: bool = False,
    media_ids: Sequence[int] = (),
    utm: Mapping[str, str] | None = None,
    plan: Plan | None = None,
) -> Blast:
    """Make a draft. Without a name it is called after its first words.

    `plan` is when it is meant to go out: kept with the draft, which nothing sends by itself.

    Raises:
        CampaignArchived: the campaign was put away.
        NameInvalid: a name longer than 120 characters.
        Invalid: a text over 10,000 characters, a time to give up or UTM parameters that cannot be.
        MediaRefused: more pictures than carriers take.
        NotFound: campaign, group, sender or picture is not the account's.
    """
    _check_owned(account, campaign=campaign, senders=[sender, *more_senders])
    if campaign.archived_at is not None:
        raise CampaignArchived
    groups = _groups(account, group_ids)
    body = body_cleaned(body)
    blast = Blast(
        account=account,
        campaign=campaign,
        name=_name(name, body),
        body=body,
        sender=sender,
        give_up_hours=_give_up_hours(give_up_hours),
        smart_encoding=smart_encoding,
        media_ids=media_wanted(account=account, media_ids=media_ids),
        utm=utm_cleaned(utm or {}),
        created_by=actor,
        written_by=actor,
    )
    blast.plan_set(plan or Plan())
    blast.save()
    blast.groups.set(groups)
    blast.more_senders.set(one for one in more_senders if one != sender)
    audit_record(account=account, actor=actor, action="blast.created", subject=blast.name)
    return blast


@transaction.atomic
def blast_update(
    *,
    account: Account,
    actor: User | None,
    blast: Blast,
    name: str | None = None,
    body: str | None = None,
    group_ids: Sequence[int] | None = None,
    sender: SenderNumber | None = None,
    more_senders: Sequence[SenderNumber] | None = None,
    campaign: Campaign | None = None,
    give_up_hours: int | None = None,
    smart_encoding: bool | None = None,
    media_ids: Sequence[int] | None = None,
    utm: Mapping[str, str] | None = None,
    plan: Plan | None = None,
) -> Blast:
    """Rewrite a draft; what is None stays. A blast that could not be sent becomes a draft again.

    One that repeats stays so: what is rewritten holds for occurrences to come.

    Raises:
        BlastNotEditable: it is scheduled, sent or canceled.
        CampaignArchived, NameInvalid, Invalid, MediaRefused, NotFound: as for `blast_create`.

    Locks: the blast's row.
    """
    blast = locked(account, blast)
    repeats = blast.state == BlastState.REPEATING
    if not repeats and blast.state not in (BlastState.DRAFT, BlastState.FAILED):
        raise BlastNotEditable
    _check_owned(account, campaign=campaign, senders=[sender, *(more_senders or ())])
    if campaign is not None and campaign.pk != blast.campaign_id:
        if campaign.archived_at is not None:
            raise CampaignArchived
        blast.campaign = campaign
    was = (blast.body, blast.media_ids)
    blast.body = blast.body if body is None else body_cleaned(body)
    if media_ids is not None:
        blast.media_ids = media_wanted(account=account, media_ids=media_ids)
    if (blast.body, blast.media_ids) != was:
        blast.written_by = actor
        if repeats:
            # Whoever wrote the words answers for them: the rule on templates asks about them.
            blast.sent_by = actor
    blast.name = blast.name if name is None else _name(name, blast.body)
    blast.sender = sender or blast.sender
    if give_up_hours is not None:
        blast.give_up_hours = _give_up_hours(give_up_hours)
    if smart_encoding is not None:
        blast.smart_encoding = smart_encoding
    if utm is not None:
        blast.utm = utm_cleaned(utm)
    if not repeats:
        blast.plan_set(blast.plan if plan is None else plan)
        blast.state, blast.state_reason = BlastState.DRAFT, ""
    blast.updated_at = now()
    blast.save()
    if group_ids is not None:
        blast.groups.set(_groups(account, group_ids))
    if more_senders is not None:
        blast.more_senders.set(one for one in more_senders if one != blast.sender)
    void_if_rewritten(account, actor, blast)
    audit_record(account=account, actor=actor, action="blast.updated", subject=blast.name)
    return blast


@transaction.atomic
def blast_discard(*, account: Account, actor: User | None, blast: Blast) -> None:
    """Throw away a draft that was never sent. Idempotent.

    Raises:
        BlastNotEditable: it is scheduled or sent.

    Locks: the blast's row.
    """
    blast = locked(account, blast)
    if blast.state == BlastState.CANCELED:
        return
    if blast.state not in (BlastState.DRAFT, BlastState.FAILED):
        raise BlastNotEditable
    blast.state, blast.updated_at = BlastState.CANCELED, now()
    blast.save(update_fields=["state", "updated_at"])
    audit_record(account=account, actor=actor, action="blast.discarded", subject=blast.name)


def locked(account: Account, blast: Blast) -> Blast:
    """The account's blast, its row locked until the transaction ends.

    Raises:
        NotFound: the blast is not the account's.
    """
    found = (
        Blast.objects.select_for_update(of=("self",))
        .select_related("campaign", "sender", "batch")
        .filter(account=account, pk=blast.pk)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def _name(name: str, body: str) -> str:
    name = " ".join(name.split())
    # One that was named while it was empty is named for its text once it has one.
    if name in ("", UNTITLED):
        words = _ADRIFT.sub(r"\1", " ".join(_SILENT.sub(r"\1", body).split()))
        cut = words[:_FROM_TEXT].rsplit(" ", 1)[0] if len(words) > _FROM_TEXT else words
        name = cut.strip(" ,.:;-–—") or UNTITLED
    if len(name) > NAME_LIMIT:
        raise NameInvalid(limit=NAME_LIMIT)
    return name


def body_cleaned(body: str) -> str:
    """A text as it is kept: with plain line ends, however long a draft may be.

    Raises:
        Invalid: over 10,000 characters.
    """
    if len(body) > DRAFT_LIMIT:
        sentence = f"A draft holds up to {DRAFT_LIMIT:,} characters; a text goes out with 1,600."
        raise Invalid(f"{sentence} Nothing was changed.", fields={"body": sentence})
    return plain_lines(body)


def _give_up_hours(hours: int) -> int:
    if not 0 <= hours <= GIVE_UP_LIMIT_HOURS:
        sentence = f"Between 1 and {GIVE_UP_LIMIT_HOURS} hours, or 0 for no limit."
        raise Invalid(f"{sentence} Nothing was changed.", fields={"give_up_hours": sentence})
    return hours


def _groups(account: Account, group_ids: Sequence[int]) -> list[Group]:
    wanted = set(group_ids)
    groups = list(Group.objects.filter(account=account, pk__in=wanted))
    if len(groups) != len(wanted):
        raise NotFound("One of the groups does not exist any more. Nothing was changed.")
    return groups


def _check_owned(
    account: Account, *, campaign: Campaign | None, senders: Sequence[SenderNumber | None]
) -> None:
    for thing in (campaign, *senders):
        if thing is not None and thing.account_id != account.pk:
            raise NotFound
    if any(sender is not None and sender.released_at is not None for sender in senders):
        raise Invalid(
            "This number is no longer yours. Choose another one.",
            fields={"sender": "This number is no longer yours. Choose another one."},
        )
