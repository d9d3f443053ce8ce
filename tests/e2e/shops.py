"""Accounts to look at in a browser: one in which everything has happened, one that has just begun.

Filled through the services, the running worker and carriersim, so that the pages show what the
platform itself wrote. Where a page needs an id, `Shop.places` says which.
"""

from dataclasses import dataclass
from datetime import time, timedelta
from functools import partial
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.choices import AccountStatus, Role, Scope
from accounts.models import Account, Membership, User
from accounts.services import (
    account_open,
    account_update,
    apikey_create,
    invitation_create,
    user_create,
    verifiednumber_request,
)
from campaigns import services as campaigns
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign, SavedText
from campaigns.recurring import Rule
from common.clock import now
from contacts.choices import ConsentSource, ImportStatus
from contacts.disclosures import wording_default
from contacts.models import Contact, ContactImport, Group, OptInForm, OptInKeyword
from contacts.services import (
    consent_grant,
    consent_revoke,
    group_add,
    group_create,
    group_delete,
    import_create,
    import_start,
    optin_form_save,
)
from exports import services as exports
from inbox.choices import ConversationStatus
from inbox.models import Conversation
from inbox.services import conversation_reply, conversation_set_status, note_add
from messaging.choices import BatchState, Direction, MessageState
from messaging.lookups import lookup_run
from messaging.models import CarrierEventQueue, Message
from messaging.senders import carrieraccount_create
from messaging.services.drift import drift_ask, drift_check
from messaging.services.joining import keyword_save
from messaging.services.lookups import lookup_start
from tests.stack import Stack
from tracking.choices import Verdict
from tracking.models import Click, Link

PASSWORD = "correct-horse-battery"
PEOPLE = 60
_SPEED = 20
_WAIT_S = 90
_ODD_TEXT = "Hi {{first_name|there}}, the “last” peonies 🌸 of the year: https://shop.example/p"

# What becomes of the first phones of the list; all others get the text and say nothing.
_SCRIPTS = [
    *("landline", "landline", "filtered", "unreachable", "never_final", "invalid", "not_mobile"),
    *("reply_yes", "reply_question", "reply_question", "reply_stop", "reply_free_stop"),
    *("click", "click", "click_twice", "click_reply", "preview", "preview_click", "scanner"),
]

Places = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Shop:
    """An account, its owner, and for every page with an id in its address whose it may be."""

    account: Account
    owner: User
    places: Places


def shop_begun() -> Shop:
    """As somebody finds it after signing up: credits and a number, and nothing else."""
    owner = _user("eve@example.com", "Eve Empty")
    account = account_open(name="Eve's Eggs", owner=owner, status=AccountStatus.ACTIVE)
    sender = account.sender_numbers.get()
    return Shop(account, owner, {"number_edit": [{"sender_id": sender.pk}]})


def shop_at_work(stack: Stack) -> Shop:
    """Sixty people, a blast in every state, replies, clicks, opt-outs and failures of each kind."""
    owner = _user("alice@example.com", "Alice Adams")
    account = account_open(
        name="Alice's Flowers", owner=owner, status=AccountStatus.ACTIVE, trial_credits=50_000
    )
    account_update(account=account, actor=owner, quiet_start="00:00", quiet_end="00:00")
    account.sender_numbers.update(rate_per_s=1_000)
    scripts = {_phone(place): script for place, script in enumerate(_SCRIPTS)}
    # A tap within two seconds of the text would count as a robot's, at this speed too, and a busy
    # worker hears a little late that the text was taken.
    delays = {"click": [5 * _SPEED, 7 * _SPEED], "reply": [5, 20]}
    stack.carriersim.set(speed=_SPEED, scripts=scripts, delays=delays)

    imports, group = _people(stack, account, owner)
    campaign = campaigns.campaign_create(account=account, actor=owner, name="Mother's Day")
    blasts = _blasts(stack, account, owner, campaign, group)
    settle(stack)
    conversations = _conversations(stack, account, owner)
    clickers, deep = _smart_groups(account, owner, campaign, group)
    return Shop(
        account,
        owner,
        {
            **_settings_places(account, owner),
            **_message_places(account),
            "campaign_report": [{"pk": campaign.pk}],
            "campaign_people": [{"pk": campaign.pk}],
            "campaign_edit": [{"pk": campaign.pk}],
            "campaign_again": [{"pk": campaign.pk}],
            "text_edit": [{"pk": _saved_text(account, owner).pk}],
            "blast_report": [
                {"pk": blast.pk} for blast in blasts if blast.state != BlastState.DRAFT
            ],
            "batch_report": [{"batch_pk": blasts[0].batch_id}],
            "blast_differences": [{"pk": blasts[0].pk}, {"pk": _differing(blasts[1]).pk}],
            "blast_edit": [
                {"pk": blast.pk}
                for blast in blasts
                if blast.state in (BlastState.DRAFT, BlastState.FAILED, BlastState.REPEATING)
            ],
            "blast_approval": [
                {"pk": blast.pk} for blast in blasts if blast.state == BlastState.DRAFT
            ],
            "group_detail": [
                {"pk": one.pk}
                for one in (group, _group(account, owner, "Nobody yet"), clickers, deep)
            ],
            "group_rules": [{"pk": clickers.pk}, {"pk": deep.pk}],
            "tag_edit": [{"pk": tag.pk} for tag in account.tags.all()],
            "field_edit": [{"pk": field.pk} for field in account.custom_fields.all()],
            "import_detail": [{"pk": one.pk} for one in imports],
            "conversation": [{"pk": one.pk} for one in conversations],
        },
    )


def settle(stack: Stack) -> None:
    """Wait until the phones have reacted and everything that came in was applied."""
    stack.wait_until(
        lambda: (
            stack.carriersim.stats()["idle"]
            and not CarrierEventQueue.objects.exists()
            and not Click.objects.filter(verdict=Verdict.PENDING).exists()
        ),
        timeout_s=_WAIT_S,
        what="callbacks, replies and clicks",
    )


def _user(email: str, name: str) -> User:
    return user_create(email=email, password=PASSWORD, name=name, email_verified=True)


def _phone(place: int) -> str:
    """Numbers set aside for fiction, 50 an area code: plain phones to carriersim."""
    return f"+1{(201, 202)[place // 50]}55501{place % 50:02}"


def _people(stack: Stack, account: Account, owner: User) -> tuple[list[ContactImport], Group]:
    """An import that is done, with rows refused; one to confirm; one that waits for its columns."""
    lines = ["First name,Last name,Mobile,Email,Favourite flower"]
    for place in range(PEOPLE):
        flower = ("peony", "rose", "")[place % 3]
        lines.append(f"Person{place},Miller,{_phone(place)},p{place}@example.com,{flower}")
    lines += ["Nobody,,,,", "Words,,not a number,,", "Again,,+12015550100,,rose"]
    content = "\n".join(lines).encode()
    done, counted, waiting = (
        import_create(
            account=account,
            actor=owner,
            upload=SimpleUploadedFile(name, content, content_type="text/csv"),
        )
        for name in ("spring.csv", "summer.csv", "again.csv")
    )
    import_start(
        account=account,
        actor=owner,
        import_id=done.pk,
        mapping=done.mapping,
        group_name="Spring customers",
        tags=["spring", "till"],
        consent_wording="Ticked “text me offers” at the till.",
    )
    finished = ContactImport.objects.filter(pk=done.pk, status=ImportStatus.DONE)
    stack.wait_until(finished.exists, timeout_s=_WAIT_S, what="the import")
    import_start(
        account=account,
        actor=owner,
        import_id=counted.pk,
        mapping=counted.mapping,
        group_name="Summer customers",
        dry_run=True,
    )
    checked = ContactImport.objects.filter(pk=counted.pk, status=ImportStatus.CHECKED)
    stack.wait_until(checked.exists, timeout_s=_WAIT_S, what="the dry run")
    return [done, counted, waiting], Group.objects.get(account=account)


def _blasts(
    stack: Stack, account: Account, owner: User, campaign: Campaign, group: Group
) -> list[Blast]:
    """Two that were sent, and one each paused, scheduled, repeating, canceled, a draft to be
    approved and refused."""
    write = partial(
        campaigns.blast_create,
        account=account,
        actor=owner,
        campaign=campaign,
        group_ids=[group.pk],
    )
    send = partial(campaigns.blast_schedule, account=account, actor=owner)
    tomorrow = now() + timedelta(days=1)
    sent = []
    for name in ("Tulips are in", "Last call"):
        blast = write(
            name=name, body="Hi {{first_name|there}}, see https://shop.example/t Reply STOP to end"
        )
        send(blast=blast)
        done = Blast.objects.filter(pk=blast.pk, batch__state=BatchState.DONE)
        stack.wait_until(done.exists, timeout_s=_WAIT_S, what=f"{name} to be sent")
        settle(stack)
        sent.append(blast)

    paused = write(name="Wreaths", body="Wreaths are in.")
    account.sender_numbers.update(rate_per_s=2)
    send(blast=paused)
    begun = Message.objects.filter(batch__blast=paused, state=MessageState.DELIVERED)
    stack.wait_until(begun.exists, timeout_s=_WAIT_S, what="the first of many texts")
    campaigns.blast_pause(account=account, actor=owner, blast=paused)
    account.sender_numbers.update(rate_per_s=1_000)

    scheduled = write(name="Tomorrow", body="Open late today.")
    send(blast=scheduled, at=tomorrow)
    monthly = write(name="Flower of the month", body="A new one is in.")
    rule = Rule("month", time(9), (now() + timedelta(days=9)).date(), is_local=True)
    campaigns.series_start(account=account, actor=owner, blast=monthly, rule=rule)
    canceled = write(name="Thought better of", body="Half price!")
    send(blast=canceled, at=tomorrow)
    campaigns.blast_cancel(account=account, actor=owner, blast=canceled)
    draft = write(name="Peonies", body=_ODD_TEXT)
    campaigns.approval_request(account=account, actor=owner, blast=draft, note="For Friday")
    refused = _refused(stack, account, owner, write)
    return [_now(one) for one in (*sent, paused, scheduled, monthly, canceled, draft, refused)]


def _differing(blast: Blast) -> Blast:
    """The same, held against records of the carrier that differ in each way from ours."""
    assert blast.batch is not None
    kinds = (
        ("missing", "sent", ""),
        ("doubled", "delivered", "sent"),
        ("different", "undelivered", "delivered"),
    )
    texts = blast.batch.messages.order_by("recipient_no").values_list("pk", flat=True)
    blast.batch.reconciled_at = now()
    blast.batch.reconciled_differences = [
        {"kind": kind, "carrier_id": f"SM{pk:032}", "message_id": pk, "ours": ours, "theirs": said}
        for (kind, ours, said), pk in zip(kinds, texts, strict=False)
    ]
    blast.batch.save(update_fields=["reconciled_at", "reconciled_differences"])
    return blast


def _refused(stack: Stack, account: Account, owner: User, write: Any) -> Blast:
    """A blast whose group was deleted before its time came."""
    group = _group(account, owner, "Soon gone")
    contact = Contact.objects.filter(account=account).order_by("-pk")[0]
    group_add(account=account, actor=owner, group_id=group.pk, contact_ids=[contact.pk])
    blast: Blast = write(name="To nobody", body="Hello", group_ids=[group.pk])
    campaigns.blast_schedule(
        account=account, actor=owner, blast=blast, at=now() + timedelta(hours=1)
    )
    group_delete(account=account, actor=owner, group_id=group.pk)
    Blast.objects.filter(pk=blast.pk).update(scheduled_at=now())
    failed = Blast.objects.filter(pk=blast.pk, state=BlastState.FAILED)
    stack.wait_until(failed.exists, timeout_s=_WAIT_S, what="the launch to be refused")
    return blast


def _conversations(stack: Stack, account: Account, owner: User) -> list[Conversation]:
    """An unread one, one answered and noted, one closed, and one with somebody who opted out."""
    answered, closed = Conversation.objects.filter(
        account=account, phone__in=[_phone(_SCRIPTS.index(s)) for s in ("reply_yes", "click_reply")]
    )
    conversation_reply(
        account=account, actor=owner, conversation=answered, body="Gladly!", request_key="seed"
    )
    note_add(account=account, actor=owner, conversation=answered, text="Wants the blue vase")
    conversation_set_status(account=account, conversation=closed, status=ConversationStatus.CLOSED)
    unread, stopped = (
        Conversation.objects.get(account=account, phone=_phone(_SCRIPTS.index(script)))
        for script in ("reply_question", "reply_stop")
    )
    settle(stack)
    return [answered, closed, unread, stopped]


def _saved_text(account: Account, owner: User) -> SavedText:
    """An approved template in a folder, and a snippet."""
    campaigns.text_save(
        account=account, actor=owner, name="Stop", body="Reply STOP to end", kind="snippet"
    )
    text = campaigns.text_save(
        account=account, actor=owner, name="Last call", folder="Spring", body=_ODD_TEXT
    )
    return campaigns.text_approve(account=account, actor=owner, text=text, approved=True)


def _message_places(account: Account) -> Places:
    """A message in every state that one came to, an inbound one, a link, and kinds of contacts."""
    messages = Message.objects.filter(account=account)
    shown = [
        messages.filter(direction=Direction.OUT, state=state).order_by("pk").first()
        for state in MessageState.values
    ]
    shown += [
        messages.filter(direction=Direction.IN).first(),
        messages.filter(human_click_at__isnull=False).first(),
    ]
    by_hand = Contact.objects.filter(account=account, deleted_at=None).order_by("-pk")[0]
    consent_revoke(account=account, phone=by_hand.phone, source=ConsentSource.MANUAL)
    contacts = Contact.objects.filter(
        account=account,
        phone__in=[_phone(_SCRIPTS.index(s)) for s in ("reply_stop", "click_reply")],
    )
    people = [{"pk": contact.pk} for contact in (*contacts, by_hand)]
    return {
        "message_detail": [{"pk": message.pk} for message in shown if message],
        "export_detail": [{"pk": _export(account)}],
        "link_report": [{"pk": Link.objects.filter(account=account).order_by("pk")[0].pk}],
        "contact_detail": people,
        "contact_edit": people[:1],
        "contact_erase": people[:1],
        "contact_merge": people[:1],
        "contact_proof_page": people[:1],
    }


def _export(account: Account) -> int:
    """A file of the contacts, made."""
    export = exports.export_request(
        account=account, actor=None, kind="contacts", params={}, filename="contacts.csv"
    )
    exports.export_run(export.pk)
    return export.pk


def _settings_places(account: Account, owner: User) -> Places:
    """A colleague, an open invitation, a key, an account at the carrier, a phone to confirm."""
    bob = _user("bob@example.com", "Bob Brown")
    Membership.objects.create(account=account, user=bob, role=Role.MARKETER)
    _, token = invitation_create(
        account=account, actor=owner, email="dora@example.com", role=Role.VIEWER
    )
    apikey_create(account=account, actor=owner, name="Web shop", scopes=[Scope.READ, Scope.SEND])
    carrier = carrieraccount_create(
        account=account, actor=owner, name="Ours", external_id="AC" + "0" * 32, secret="secret"
    )
    number, _ = verifiednumber_request(account=account, actor=owner, phone="+12025550142")
    sender = account.sender_numbers.get()
    _one_sided_opt_outs(account, owner)
    look_up = lookup_start(
        account=account,
        actor=owner,
        audience=Contact.objects.filter(account=account),
        title="Everybody",
        request_key="everybody",
        most_credits=1_000,
    )
    lookup_run(look_up.pk)
    garden, form = _ways_to_join(account, owner)
    return {
        "keyword_edit": [{"pk": garden.pk}],
        "subscribe": [{"token": form.token}],
        "invitation_accept": [{"token": token}],
        "carrier_edit": [{"carrier_account_id": carrier.pk}],
        "number_edit": [{"sender_id": sender.pk}],
        "lookup_detail": [{"pk": look_up.pk}],
        "verify_confirm": [{"number_id": number.pk}],
    }


def _one_sided_opt_outs(account: Account, owner: User) -> None:
    """Somebody whom only the carrier blocks, somebody of whom it does not know; both compared."""
    back, out = "+12025550198", "+12025550199"
    keyword, manual = ConsentSource.KEYWORD, ConsentSource.MANUAL
    consent_revoke(account=account, phone=back, source=keyword, wording="STOP")
    consent_grant(account=account, phone=back, source=keyword, wording="Texted “GARDEN”")
    consent_revoke(account=account, phone=out, source=manual, wording="Called us", actor=owner)
    drift_ask(account=account, actor=owner)
    drift_check(account.pk)


def _smart_groups(
    account: Account, owner: User, campaign: Campaign, group: Group
) -> tuple[Group, Group]:
    """One as the page makes it, and one whose rules are nested deeper than its form."""
    clicked = {"did": "clicked", "campaign": campaign.pk, "days": 30}
    flower = {"field": "custom.favourite_flower", "op": "one_of", "value": ["rose", "peony"]}
    two = {"all": [clicked, {"not": {"group": group.pk}}]}
    rules = {"any": [two, {"any": [flower, {"not": {"did": "replied"}}]}]}
    return (
        group_create(account=account, actor=owner, name="Clicked or never replied", rules=rules),
        group_create(
            account=account, actor=owner, name="By a program", rules={"all": [rules, clicked]}
        ),
    )


def _ways_to_join(account: Account, owner: User) -> tuple[OptInKeyword, OptInForm]:
    """A word to text and an open form, both into a group of their own."""
    group = _group(account, owner, "Garden friends")
    shared: dict[str, Any] = {
        "frequency": "Up to 4 msgs/month",
        "welcome": "",
        "group_ids": [group.pk],
    }
    garden = keyword_save(
        account=account, actor=owner, word="garden", wording="", asks_yes=True, **shared
    )
    form = optin_form_save(
        account=account,
        actor=owner,
        is_open=True,
        title="Get texts from Alice's Flowers",
        wording=wording_default("Alice's Flowers"),
        privacy_url="",
        terms_url="",
        asks_yes=True,
        **shared,
    )
    return garden, form


def _group(account: Account, owner: User, name: str) -> Group:
    return group_create(account=account, actor=owner, name=name)


def _now(blast: Blast) -> Blast:
    blast.refresh_from_db()
    return blast
