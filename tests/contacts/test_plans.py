"""Work on many people stays linear where the planner knows nothing of the account.

With one row guessed on both sides of a join all of one is gone through for each of the other:
20,000 numbers of an opt-out list took 97 seconds.
"""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Account, User
from contacts.choices import ImportPurpose, ImportStatus
from contacts.models import ContactImport, Group, Tag
from contacts.selectors import contacts_deleted, contacts_list
from contacts.services import (
    contacts_delete,
    contacts_group,
    contacts_restore,
    contacts_tag,
    contacts_timezone_set,
    contacts_ungroup,
    contacts_untag,
    import_undo,
    import_undo_run,
)
from tests.contacts.importing import ran
from tests.plans import planned
from tests.unmet import PEOPLE, imported, merged, opted_out, unmet

pytestmark = pytest.mark.django_db


def test_lists_of_people(
    client: Client, alice: User, account: Account, other_account: Account
) -> None:
    unmet(other_account, account, opted_out)
    group, tag = Group.objects.get(account=account), Tag.objects.get(account=account)
    client.force_login(alice)

    with planned() as bad:
        for asked in (
            "",
            "?q=Ann",
            "?q=303200",
            "?consent=unknown",
            f"?tag={tag.pk}",
            f"?tag={tag.pk}&group={group.pk}",
            f"?tag={tag.pk}&q=Ann",
            "many/?who=all",
            f"many/?who=all&tag={tag.pk}",
            "tags/",
            "duplicates/",
            "duplicates/?by=name",
            "deleted/",
            f"people.csv?tag={tag.pk}",
        ):
            answer = client.get(f"/contacts/{asked}")
            assert answer.status_code == 200, asked
            b"".join(answer)

    assert bad == []


def test_changing_everybody_in_a_list(
    alice: User, account: Account, other_account: Account
) -> None:
    unmet(other_account, account)
    group, tag = Group.objects.get(account=account), Tag.objects.get(account=account)
    other = Group.objects.create(account=account, name="Other")

    with planned() as bad:
        for found in (
            contacts_list(account=account),
            contacts_list(account=account, search="Ann"),
            contacts_list(account=account, group=group.pk),
            contacts_list(account=account, tag=tag.pk),
            contacts_list(account=account, group=group.pk, tag=tag.pk),
        ):
            done: dict[str, Any] = {"account": account, "actor": alice, "contacts": found}
            contacts_group(**done, group_id=other.pk)
            assert contacts_ungroup(**done, group_id=other.pk) == PEOPLE
            assert contacts_tag(**done, names=["new"]) == PEOPLE
            new = Tag.objects.get(account=account, name="new")
            assert contacts_untag(**done, tag_id=new.pk) == PEOPLE
            contacts_timezone_set(**done, timezone="Europe/Berlin")
            assert contacts_timezone_set(**done, timezone="") == PEOPLE
        assert contacts_delete(**done) == PEOPLE
        gone = contacts_deleted(account=account)
        assert contacts_restore(account=account, actor=alice, contacts=gone) == PEOPLE

    assert bad == []


@pytest.mark.parametrize("purpose", list(ImportPurpose))
@pytest.mark.parametrize("is_dry_run", [True, False])
def test_importing(
    account: Account, other_account: Account, purpose: ImportPurpose, is_dry_run: bool
) -> None:
    people = unmet(other_account, account, opted_out, merged, imported)
    rows = "\n".join(f"{one.phone},Bob" for one in people)
    lists: dict[str, Any] = (
        {} if purpose == ImportPurpose.OPT_OUTS else {"group_name": "New", "tags": ["a", "b"]}
    )

    with planned() as bad:
        done = ran(
            account,
            f"phone,first name\n{rows}\n".encode(),
            purpose=purpose,
            dry_run=is_dry_run,
            **lists,
        )

    assert done.status == (ImportStatus.CHECKED if is_dry_run else ImportStatus.DONE)
    is_new = purpose == ImportPurpose.CONTACTS
    assert (done.rows_updated, done.rows_unchanged) == ((PEOPLE, 0) if is_new else (0, PEOPLE))
    assert bad == []


def test_undoing_an_import(account: Account, other_account: Account) -> None:
    unmet(other_account, account, opted_out, imported)
    done = ContactImport.objects.get(account=account)

    with planned() as bad:
        import_undo(account=account, actor=None, import_id=done.pk)
        import_undo_run(done.pk)

    done.refresh_from_db()
    assert (done.status, done.people_removed) == (ImportStatus.UNDONE, PEOPLE)
    assert bad == []
