"""One of everything an account can own, and a way to see that none of it was touched."""

import base64
from dataclasses import dataclass, fields
from datetime import time, timedelta
from typing import Any

from django.apps import apps
from django.db.models import F, Model

from accounts import services
from accounts.choices import Role
from accounts.models import Account, ApiKey, Invitation, Membership, User, VerifiedNumber
from campaigns.choices import BlastState, Every
from campaigns.models import Blast, Campaign, SavedText, Series
from common.clock import now
from common.crypto import encrypt
from contacts.choices import ConsentSource, ImportStatus
from contacts.models import (
    Contact,
    ContactImport,
    CustomField,
    Group,
    GroupMember,
    ImportRefusal,
    OptInForm,
    OptInKeyword,
    OptOut,
    Tag,
)
from exports.choices import ExportState
from exports.models import Export
from inbox.models import Conversation
from messaging.choices import BatchKind, Direction, DriftSide, MessageState
from messaging.models import (
    Batch,
    BatchTotals,
    CarrierAccount,
    DriftRow,
    LookupRun,
    Media,
    Message,
    SenderNumber,
)
from messaging.services import media_upload
from tracking.models import Link

# The smallest picture: one point.
GIF_BASE64 = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
GIF = base64.b64decode(GIF_BASE64)

# Bookkeeping of log-ins and keys, which a refused request may write.
_NOT_OWNED = {"sessions", "admin", "contenttypes", "auth"}


@dataclass(frozen=True)
class World:
    """What the account owns. `draft` is not sent; `sent` has a batch with one message."""

    account: Account
    contact: Contact
    other: Contact
    deleted: Contact
    group: Group
    contact_import: ContactImport
    custom_field: CustomField
    counted: ContactImport
    tag: Tag
    optin_keyword: OptInKeyword
    carrier: CarrierAccount
    sender: SenderNumber
    campaign: Campaign
    draft: Blast
    sent: Blast
    pattern: Blast
    series: Series
    batch: Batch
    link: Link
    message: Message
    conversation: Conversation
    membership: Membership
    invitation: Invitation
    api_key: ApiKey
    verified: VerifiedNumber
    opt_out: OptOut
    drift_row: DriftRow
    lookup_run: LookupRun
    text: SavedText
    media: Media
    export: Export

    def ids(self) -> dict[str, int]:
        """Field name to primary key."""
        return {field.name: getattr(self, field.name).pk for field in fields(self)}


def world_create(account: Account, owner: User) -> World:
    """Fill an account; two calls make two accounts that look alike, down to the phone numbers."""
    tag = str(account.pk)
    contact = Contact.objects.create(account=account, phone="+12025550170", first_name="Carol")
    group = Group.objects.create(account=account, name="Customers", created_by=owner)
    GroupMember.objects.create(account=account, group=group, contact=contact)
    carrier = CarrierAccount.objects.create(
        account=account,
        name="Ours",
        external_id="AC" + "0" * 32,
        secret_encrypted=encrypt("secret"),
        api_base_url="http://127.0.0.1:9",
        is_simulated=True,
    )
    sender, _ = (
        SenderNumber.objects.create(
            account=account, carrier_account=carrier, phone=phone, is_default=is_default
        )
        for phone, is_default in (("+12025550190", True), ("+12025550191", False))
    )
    campaign = Campaign.objects.create(account=account, name="Mother's Day", created_by=owner)
    draft = Blast.objects.create(
        account=account, campaign=campaign, name="Draft", body="Hello", created_by=owner
    )
    draft.groups.add(group)
    batch = Batch.objects.create(
        account=account, kind=BatchKind.BLAST, body="Hi", sender=sender, size=1, request_key="w"
    )
    BatchTotals.objects.create(batch=batch)
    message = Message.objects.create(
        account=account,
        batch=batch,
        recipient_no=1,
        contact=contact,
        direction=Direction.OUT,
        phone=contact.phone,
        our_number=sender.phone,
        body="Hi",
        state=MessageState.DELIVERED,
        created_by=owner,
    )
    sent = Blast.objects.create(
        account=account,
        campaign=campaign,
        name="Sent",
        body="Hi",
        state=BlastState.LAUNCHED,
        batch=batch,
        created_by=owner,
    )
    pattern = Blast.objects.create(
        account=account,
        campaign=campaign,
        name="Weekly",
        body="Hi",
        state=BlastState.REPEATING,
        created_by=owner,
    )
    soon = now() + timedelta(days=1)
    series = Series.objects.create(
        account=account,
        blast=pattern,
        every=Every.DAY,
        at=time(10),
        starts_on=soon.date(),
        next_on=soon.date(),
        next_at=soon,
    )
    key, _ = services.apikey_create(account=account, actor=owner, name="Shop", scopes=["read"])
    return World(
        account=account,
        contact=contact,
        other=Contact.objects.create(account=account, phone="+13125550174", first_name="Karol"),
        deleted=Contact.objects.create(
            account=account, phone="+12025550173", deleted_at=now() + timedelta(minutes=1)
        ),
        group=group,
        contact_import=ContactImport.objects.create(
            account=account,
            created_by=owner,
            filename="people.csv",
            path="",
            status=ImportStatus.DONE,
            merged_at=now(),
        ),
        tag=Tag.objects.create(account=account, name="Regular"),
        custom_field=CustomField.objects.create(account=account, key="size", label="Size"),
        counted=_counted(account, owner),
        optin_keyword=OptInKeyword.objects.create(
            account=account, word="GARDEN", key="garden", frequency="Weekly"
        ),
        carrier=carrier,
        sender=sender,
        campaign=campaign,
        draft=draft,
        sent=sent,
        pattern=pattern,
        series=series,
        batch=batch,
        link=Link.objects.create(
            account=account, destination="https://example.com/", batch_id=batch.pk, recipients=1
        ),
        message=message,
        conversation=Conversation.objects.create(
            account=account, our_number=sender.phone, phone=contact.phone
        ),
        membership=Membership.objects.create(
            account=account,
            user=User.objects.create_user(f"member{tag}@example.com"),
            role=Role.VIEWER,
        ),
        invitation=Invitation.objects.create(
            account=account,
            email=f"invited{tag}@example.com",
            role=Role.VIEWER,
            token_hash=tag,
            invited_by=owner,
            expires_at=now() + timedelta(days=1),
        ),
        api_key=key,
        verified=VerifiedNumber.objects.create(
            account=account, phone="+12025550171", code_hash="x", verified_at=now()
        ),
        export=Export.objects.create(
            account=account,
            requested_by=owner,
            kind="people",
            params={"blast": str(sent.pk)},
            key=tag,
            title="Sent",
            filename="sent.csv",
            state=ExportState.DONE,
        ),
        opt_out=OptOut.objects.create(
            account=account, phone="+12025550172", source=ConsentSource.FREE_TEXT
        ),
        lookup_run=LookupRun.objects.create(
            account=account,
            carrier_account=carrier,
            request_key=tag,
            title="Customers",
            numbers=1,
            credits_each=2,
        ),
        drift_row=DriftRow.objects.create(
            account=account, phone="+12025550173", side=DriftSide.THERE, since_at=now()
        ),
        media=media_upload(account=account, actor=owner, data=GIF),
        text=SavedText.objects.create(account=account, name="Sale", body="Hello", folder="Shop"),
    )


def _counted(account: Account, owner: User) -> ContactImport:
    """A dry run that waits for a word, with a row that was refused."""
    counted = ContactImport.objects.create(
        account=account,
        created_by=owner,
        filename="more people.csv",
        path="",
        status=ImportStatus.CHECKED,
    )
    ImportRefusal.objects.create(
        contact_import=counted, line=2, reason="bad_phone", sentence="No number.", raw="12"
    )
    return counted


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that accounts own, to compare before and after."""
    return {
        model._meta.label: list(_rows(model))
        for model in apps.get_models()
        if model._meta.app_label not in _NOT_OWNED and not model._meta.proxy
    }


def of_account(account: Account) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that names `account` as its owner."""
    return {
        model._meta.label: list(_rows(model).filter(**{owner: account}))
        for model in apps.get_models(include_auto_created=True)
        if (owner := _owner_field(model))
    }


def references_across_accounts() -> list[str]:
    """Every reference from a row of one account to a row of another, anywhere in the database."""
    found = []
    for model in apps.get_models(include_auto_created=True):
        owner = _owner_field(model)
        for field in model._meta.concrete_fields:
            target = field.related_model
            if not isinstance(target, type) or target is Account:
                continue
            theirs = _owner_field(target)
            if owner and theirs and owner != field.name:
                rows = model._default_manager.filter(**{f"{field.name}__{theirs}__isnull": False})
                strays = rows.exclude(**{f"{field.name}__{theirs}": F(owner)})
                found += [f"{model._meta.label}.{field.name} of {row.pk}" for row in strays]
    return found


def _owner_field(model: type[Model]) -> str | None:
    """How a row of `model` names its account; None where it has none (users, log-ins)."""
    names = {field.name for field in model._meta.concrete_fields}
    if "account" in names and model._meta.get_field("account").related_model is Account:
        return "account"
    if model is Blast.groups.through:
        return "blast__account"
    for way in (OptInForm, OptInKeyword):
        if model is way.groups.through:
            return f"{way._meta.model_name}__account"
    return None


def _rows(model: type[Model]) -> Any:
    names = [
        field.attname
        for field in model._meta.concrete_fields
        if field.attname not in ("last_login", "last_used_at")
    ]
    return model._default_manager.order_by("pk").values_list(*names)
