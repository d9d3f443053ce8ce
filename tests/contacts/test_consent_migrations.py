"""How opt-outs that were kept before a source had its name got it."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from accounts.models import Account
from contacts.choices import ConsentSource
from contacts.errors import OptedOut
from contacts.models import ConsentEvent, OptOut
from contacts.services import consent_grant, consent_revoke

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 5, tzinfo=UTC)
WORDING = "Left under another number on 05 Mar 2026 ({}); they are one person"


def migrated(name: str) -> None:
    loader = MigrationLoader(connection)
    state = loader.project_state(("contacts", name), at_end=False)
    with connection.schema_editor() as editor:
        loader.graph.nodes["contacts", name].apply(state, editor)


def phones(source: ConsentSource) -> list[str]:
    """With an opt-out and a newest event of this source."""
    kept = OptOut.objects.filter(source=source).order_by("phone").values_list("phone", flat=True)
    newest = {one.phone: one.source for one in ConsentEvent.objects.order_by("id")}
    assert [phone for phone in sorted(newest) if newest[phone] == source] == list(kept)
    return list(kept)


def test_what_they_did_themselves_under_another_number_is_theirs(
    shop: Account, other_shop: Account
) -> None:
    acts = ("texted a keyword", "asked in own words", "reported by the carrier", "public form")
    wordings = {
        **{f"+1305555010{n}": WORDING.format(act) for n, act in enumerate(acts)},
        "+13055550104": WORDING.format("asked to be erased"),
        "+13055550105": WORDING.format("entered by an account user"),
        "+13055550106": WORDING.format("imported list"),
        "+13055550107": "She said “Left under another number on 05 Mar 2026 (texted a keyword)”",
        "+13055550108": WORDING.format("texted a keyword"),
    }
    for phone, wording in wordings.items():
        owner = other_shop if phone.endswith("4") else shop
        consent_revoke(
            account=owner, phone=phone, source=ConsentSource.MANUAL, wording=wording, at=AT
        )
    # The shop brought this one back, and they left anew by calling it.
    called = "+13055550108"
    consent_grant(account=shop, phone=called, source=ConsentSource.MANUAL, wording="Signed")
    consent_revoke(account=shop, phone=called, source=ConsentSource.MANUAL, wording="Called us")

    migrated("0020_left_by_their_own_act")

    assert phones(ConsentSource.PERSON) == [f"+1305555010{n}" for n in range(5)]
    assert phones(ConsentSource.MANUAL) == [f"+1305555010{n}" for n in range(5, 9)]
    assert ConsentEvent.objects.filter(phone=called, source=ConsentSource.PERSON).count() == 0
    with pytest.raises(OptedOut):
        consent_grant(
            account=shop, phone="+13055550100", source=ConsentSource.MANUAL, wording="Signed"
        )
