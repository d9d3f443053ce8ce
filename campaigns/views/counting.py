"""What a form tells of the text in it while somebody types, and a page of one that is kept.

Owns reading the text, its pictures and its people out of a form, whatever stands there, and having
its links asked. What is told is `campaigns.composing`'s.
"""

from typing import Any

from accounts.access import AccountRequest
from accounts.selectors import verified_numbers
from campaigns import selectors
from campaigns.choices import TextKind
from campaigns.composing import Composed, compose
from campaigns.forms import BlastForm, SavedTextForm
from campaigns.models import Blast
from common.text import ids_typed
from contacts.selectors import groups_list, merge_fields
from tracking.destinations import destinations_ask, destinations_known


def blast_counted(
    request: AccountRequest, form: BlastForm, *, is_typing: bool = False
) -> dict[str, Any]:
    """The count of what the composer holds, valid or not; has its links asked in the background."""
    groups = ids_typed(form["groups"].value())
    senders = list(selectors.senders_list(account=request.account))
    chosen, when = str(form["sender"].value() or ""), form["when"].value()
    sender = next((one for one in senders if str(one.pk) == chosen), next(iter(senders), None))
    composed = compose(
        account=request.account,
        body=form["body"].value() or "",
        group_ids=groups,
        smart_encoding=bool(form["smart_encoding"].value()),
        media_ids=ids_typed(form["media_ids"].value()),
        seen_id=seen_id(request),
        plan=form.plan,
    )
    return {
        **_told(request, composed, form["body"].value() or "", is_typing=is_typing),
        "chosen_groups": groups,
        "chosen_senders": [str(value) for value in form["more_senders"].value() or []],
        "sender": sender,
        "when": when,
        "later": when in ("later", "local"),
        "rule": form.rule,
        "weekdays": [str(value) for value in form["weekdays"].value() or []],
        "start": form.plan.at,
        "wall": form.plan.wall,
    }


def blast_seen(request: AccountRequest, blast: Blast) -> dict[str, Any]:
    """A blast as it is kept: to whom, from which number, and its text as it will be read."""
    groups = list(blast.groups.order_by("name"))
    return {
        "blast": blast,
        "groups": groups,
        "sender": blast.sender or selectors.senders_list(account=request.account).first(),
        "composed": compose(
            account=request.account,
            body=blast.body,
            group_ids=[group.pk for group in groups],
            smart_encoding=blast.smart_encoding,
            media_ids=blast.media_ids,
            plan=blast.plan,
        ),
    }


def text_counted(
    request: AccountRequest, form: SavedTextForm, *, is_typing: bool = False
) -> dict[str, Any]:
    """The count of a saved text, for one group where one was chosen to try it on."""
    groups = ids_typed(request.POST.getlist("groups")[:1])
    is_snippet = form["kind"].value() == TextKind.SNIPPET
    body = form["body"].value() or ""
    composed = compose(
        account=request.account,
        body=body,
        group_ids=[] if is_snippet else groups,
        media_ids=ids_typed(form["media_ids"].value()),
        seen_id=seen_id(request),
    )
    return {
        **_told(request, composed, body, is_typing=is_typing),
        "chosen_groups": groups,
        "groups": groups_list(account=request.account),
        "sender": selectors.senders_list(account=request.account).first(),
        "is_snippet": is_snippet,
    }


def text_tools(request: AccountRequest) -> dict[str, Any]:
    """What can be put into a text: merge fields and saved texts."""
    return {
        "merge_fields": merge_fields(account=request.account),
        "saved_texts": selectors.texts_list(account=request.account),
        "template_rule": request.account.template_rule,
    }


def seen_id(request: AccountRequest) -> int | None:
    """The contact that was chosen to see the text as."""
    return next(iter(ids_typed([request.POST.get("seen", "")])), None)


def _told(
    request: AccountRequest, composed: Composed, body: str, *, is_typing: bool
) -> dict[str, Any]:
    # An address at the very end is perhaps half typed: another site's.
    body = body.rstrip()
    links = [url for url in composed.links if not (is_typing and body.endswith(url))]
    destinations_ask(account=request.account, urls=links)
    known = destinations_known(account=request.account, urls=links)
    return {
        "composed": composed,
        "links_wait": any(page.waits for page in known),
        "balance": request.account.credit_balance,
        "test_phones": verified_numbers(request.account).filter(verified_at__isnull=False),
    }
