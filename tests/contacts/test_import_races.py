"""Two imports, two workers, or a STOP and a merge at once: nothing doubled, nothing lost."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection, transaction

from accounts.models import Account
from contacts.choices import Consent, ConsentSource, ImportPurpose, ImportStatus
from contacts.models import ConsentEvent, Contact, GroupMember, ImportRow, OptOut
from contacts.selectors import contacts_list
from contacts.services import (
    consent_revoke,
    contact_upsert,
    contacts_unite,
    group_create,
    import_run,
)
from tests.contacts.importing import rows, started
from tests.races import in_thread, wait_for_lock_waits

pytestmark = pytest.mark.usefixtures("media")

ANN, HOME = "+13055550101", "+13055550102"


def in_threads(*acts: Callable[[], object]) -> list[BaseException]:
    """Run the acts at once, each on its own connection; what went wrong."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        try:
            gate.wait()
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        ended = [threads.submit(run, act).exception for act in acts]
    return [error for error in (of() for of in ended) if error]


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_people_at_once(shop: Account) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    shuffled = b"phone,first name\n" + b"\n".join(reversed(rows(5000, name="B").splitlines()[1:]))
    a = started(shop, rows(5000, name="A"), group=vip, consent_wording="A")
    b = started(shop, shuffled, group=vip, consent_wording="B")

    errors = in_threads(lambda: import_run(a.pk), lambda: import_run(b.pk))

    a.refresh_from_db()
    b.refresh_from_db()
    assert errors == []
    assert {a.status, b.status} == {ImportStatus.DONE}
    assert a.rows_new + b.rows_new == 5000
    assert a.rows_updated + b.rows_updated == 5000
    assert Contact.objects.count() == GroupMember.objects.count() == 5000
    assert ConsentEvent.objects.count() == 5000
    assert len({name[0] for name in Contact.objects.values_list("first_name", flat=True)}) == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_file_twice_at_once(shop: Account) -> None:
    a, b = (started(shop, rows(2000) + b"123,Nobody\n", consent_wording="Till") for _ in range(2))

    errors = in_threads(lambda: import_run(a.pk), lambda: import_run(b.pk))

    a.refresh_from_db()
    b.refresh_from_db()
    assert errors == []
    assert sorted([(a.rows_new, a.rows_unchanged), (b.rows_new, b.rows_unchanged)]) == [
        (0, 2000), (2000, 0),
    ]  # fmt: skip
    assert (a.rows_refused, b.rows_refused) == (1, 1)
    assert Contact.objects.count() == ConsentEvent.objects.count() == 2000


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_one_import_run_it_once(shop: Account) -> None:
    found = started(shop, rows(2000))

    errors = in_threads(*[lambda: import_run(found.pk)] * 4)

    found.refresh_from_db()
    assert errors == []
    assert (found.status, found.run_no, found.rows_new) == (ImportStatus.DONE, 1, 2000)
    assert ImportRow.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_many_upserts_of_one_phone_at_once_make_one_contact(shop: Account) -> None:
    acts = [
        lambda n=n: contact_upsert(account=shop, actor=None, phone=ANN, custom={f"k{n}": "1"})
        for n in range(8)
    ]

    errors = in_threads(*acts)

    assert errors == []
    assert Contact.objects.get().custom == {f"k{n}": "1" for n in range(8)}


@pytest.mark.django_db(transaction=True)
def test_a_stop_during_a_merge_wins(shop: Account) -> None:
    """A STOP of a stranger that commits while a merge is about to add that phone."""
    add = partial(contact_upsert, account=shop, actor=None, phone=ANN, consent_wording="Signed")

    with transaction.atomic():
        consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)
        adding = in_thread(add)
        wait_for_lock_waits(1, or_ended=adding)
    adding.join()

    assert contacts_list(account=shop).get().consent == Consent.OPTED_OUT
    assert ConsentEvent.objects.filter(kind="in").count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_stop_that_waits_for_a_merge_is_not_lost(shop: Account) -> None:
    stop = partial(consent_revoke, account=shop, phone=ANN, source=ConsentSource.KEYWORD)

    with transaction.atomic():
        contact_upsert(account=shop, actor=None, phone=ANN, consent_wording="Signed")
        stopping = in_thread(stop)
        wait_for_lock_waits(1, or_ended=stopping)
    stopping.join()

    assert contacts_list(account=shop).get().consent == Consent.OPTED_OUT
    assert OptOut.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_opt_out_list_locks_all_numbers_of_a_person_in_the_order_of_a_stop(
    shop: Account,
) -> None:
    """The list names the second number; whoever leaves holds the first and wants the second."""
    ann, home = (contact_upsert(account=shop, actor=None, phone=one) for one in (ANN, HOME))
    contacts_unite(account=shop, actor=None, contact_id=ann.pk, other_id=home.pk)
    found = started(shop, f"phone\n{HOME}\n".encode(), purpose=ImportPurpose.OPT_OUTS)

    with transaction.atomic():
        Contact.objects.select_for_update(no_key=True).get(phone=ANN)
        listing = in_thread(lambda: import_run(found.pk))
        wait_for_lock_waits(1, or_ended=listing)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '500ms'")
            consent_revoke(account=shop, phone=HOME, source=ConsentSource.KEYWORD)
    listing.join()

    found.refresh_from_db()
    assert (found.status, found.rows_new, found.rows_unchanged) == (ImportStatus.DONE, 0, 1)
    left = OptOut.objects.order_by("phone").values_list("phone", "source")
    assert list(left) == [(ANN, "person"), (HOME, "keyword")]
