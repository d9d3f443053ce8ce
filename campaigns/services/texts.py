"""Saved texts: templates to begin a blast with, snippets to put into one, and who approved which.

Owns them and the rule of an account that only approved templates are sent. A blast keeps no tie to
the template it came from: what counts is that its text is, word for word, one that is approved.
"""

from collections.abc import Sequence

from django.db import transaction

from accounts.access import role_includes
from accounts.choices import Role, TemplateRule
from accounts.models import Account, Membership, User
from accounts.services import audit_record
from campaigns.choices import TextKind
from campaigns.errors import TemplateNotApproved
from campaigns.models import SavedText
from campaigns.services.blasts import body_cleaned
from common.clock import now
from common.errors import Conflict, Invalid, NotFound
from messaging.services import media_wanted

NAME_LIMIT = 80
FOLDER_LIMIT = 60


@transaction.atomic
def text_save(
    *,
    account: Account,
    actor: User | None,
    name: str,
    body: str,
    folder: str = "",
    kind: str = TextKind.TEMPLATE,
    media_ids: Sequence[int] | None = None,
    text: SavedText | None = None,
) -> SavedText:
    """Make a saved text, or change `text`. A template that changes needs a new approval.

    Args:
        account: The tenant.
        actor: Who writes it.
        name: What people call it.
        body: Its words; what cannot be sent may be saved, as a draft may.
        folder: Where it lies; "" for none.
        kind: A `TextKind`; of one that exists it stays.
        media_ids: Pictures of a template, in order; None: those it has.
        text: The one to change; None for a new one.

    Raises:
        Invalid: no name, no words, or too many of them; a snippet with pictures.
        MediaRefused: more pictures than carriers take.
        NotFound: `text` or a picture is not the account's.

    Locks: the text's row.
    """
    name, folder = " ".join(name.split()), " ".join(folder.split())
    body = body_cleaned(body)
    _check(name, folder, body)
    saved = SavedText(account=account, kind=kind, created_by=actor)
    if text is not None:
        saved = _locked(account, text)
    pictures = saved.media_ids
    if media_ids is not None:
        pictures = media_wanted(account=account, media_ids=media_ids)
    if pictures and saved.kind != TextKind.TEMPLATE:
        sentence = "A snippet goes into a text and has no pictures. Make it a template."
        raise Invalid(f"Nothing was saved. {sentence}", fields={"media": sentence})
    if (saved.body, saved.media_ids) != (body, pictures):
        saved.approved_at = saved.approved_by = None
    saved.media_ids = pictures
    saved.name, saved.folder, saved.body, saved.updated_at = name, folder, body, now()
    saved.save()
    audit_record(account=account, actor=actor, action="text.saved", subject=name)
    return saved


@transaction.atomic
def text_approve(
    *,
    account: Account,
    actor: User | None,
    text: SavedText,
    approved: bool,
    seen: str | None = None,
    seen_media: Sequence[int] = (),
) -> SavedText:
    """Let a template be sent under the account's rule, or no longer. For admins.

    `seen` are the words that the actor read, where they are known, `seen_media` the pictures.

    Raises:
        Conflict: somebody rewrote it since it was read.
        NotFound: it is not the account's, or a snippet.

    Locks: the text's row.
    """
    text = _locked(account, text)
    if text.kind != TextKind.TEMPLATE:
        raise NotFound
    read = (text.body if seen is None else body_cleaned(seen), list(seen_media))
    if approved and seen is not None and read != (text.body, text.media_ids):
        raise Conflict
    if (text.approved_at is not None) == approved:
        return text
    text.approved_at, text.approved_by = (now(), actor) if approved else (None, None)
    text.save(update_fields=["approved_at", "approved_by"])
    action = "text.approved" if approved else "text.unapproved"
    audit_record(account=account, actor=actor, action=action, subject=text.name)
    return text


@transaction.atomic
def text_delete(*, account: Account, actor: User | None, text: SavedText) -> None:
    """Throw a saved text away; blasts that came from it stay as they are.

    Raises:
        NotFound: it is not the account's.
    """
    text = _locked(account, text)
    text.delete()
    audit_record(account=account, actor=actor, action="text.deleted", subject=text.name)


def approval_require(
    *, account: Account, actor: User | None, body: str, media_ids: Sequence[int] = ()
) -> None:
    """Hold a blast to the account's rule on templates, as it is at this moment.

    Raises:
        TemplateNotApproved: the rule binds the actor, and the text with its pictures is no
            approved template.
    """
    rule = Account.objects.values_list("template_rule", flat=True).get(pk=account.pk)
    if rule == TemplateRule.FREE:
        return
    if rule == TemplateRule.MARKETERS:
        member = Membership.objects.filter(account=account, user=actor).first()
        if member is not None and role_includes(member.role, Role.ADMIN):
            return
    approved = SavedText.objects.filter(
        account=account,
        kind=TextKind.TEMPLATE,
        approved_at__isnull=False,
        body=body,
        media_ids=list(media_ids),
    )
    if not approved.exists():
        raise TemplateNotApproved


def _check(name: str, folder: str, body: str) -> None:
    fields = {}
    if not 1 <= len(name) <= NAME_LIMIT:
        fields["name"] = f"Give it a name of up to {NAME_LIMIT} characters."
    if len(folder) > FOLDER_LIMIT:
        fields["folder"] = f"A folder's name has up to {FOLDER_LIMIT} characters."
    if not body.strip():
        fields["body"] = "Write its words."
    if fields:
        raise Invalid("Nothing was saved. " + " ".join(fields.values()), fields=fields)


def _locked(account: Account, text: SavedText) -> SavedText:
    found = SavedText.objects.select_for_update().filter(account=account, pk=text.pk).first()
    if found is None:
        raise NotFound
    return found
