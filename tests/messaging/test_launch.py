from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.choices import AccountStatus
from accounts.errors import EmailUnverified, InsufficientCredits
from accounts.models import Account, CreditEntry, User, VerifiedNumber
from carriersim.client import Client
from common.clock import now
from contacts.models import Contact, CustomField, Group, GroupMember, OptOut
from messaging.choices import BatchState
from messaging.content import Content
from messaging.errors import AccountSuspended, EmptyAudience, SenderNotUsable
from messaging.models import Batch, CarrierAccount, Chunk, Message, SenderNumber
from messaging.recipients import segments_bound
from messaging.rendering import TemplateError, compile_body
from messaging.segments import segments
from tests.messaging.conftest import Launch, People, make_sender, states, tallies
from tracking.models import Link

pytestmark = pytest.mark.django_db


def nothing_happened(account: Account) -> bool:
    account.refresh_from_db()
    return (
        not Batch.objects.filter(account=account).exists()
        and not Message.objects.filter(account=account).exists()
        and not Link.objects.filter(account=account).exists()
        and account.credit_balance == 100_000
        and account.credit_held == 0
    )


def test_everybody_gets_a_row_and_whoever_is_not_texted_a_reason(launch: Launch, people: People):
    ann, ben, cat, dan = people(4)
    OptOut.objects.create(account=ann.account, phone=ann.phone, source="keyword")
    Contact.objects.filter(pk=ben.pk).update(line_type="landline")
    Contact.objects.filter(pk=cat.pk).update(first_name="  ")

    batch = launch(body="Hi {{first_name}}")

    rows = Message.objects.filter(batch=batch).order_by("recipient_no")
    assert [(row.recipient_no, row.phone, row.state, row.reason) for row in rows] == [
        (1, ann.phone, "skipped", "opted_out"),
        (2, ben.phone, "skipped", "landline"),
        (3, cat.phone, "skipped", "blank_field"),
        (4, dan.phone, "pending", ""),
    ]
    assert [row.merge for row in rows][3] == {"first_name": "Ann3"}
    assert batch.size == 4
    assert tallies(batch) == states(batch)


def test_deleted_contacts_and_other_accounts_are_nobody(
    launch: Launch, people: People, other_account: Account
):
    kept, deleted = people(2)
    Contact.objects.filter(pk=deleted.pk).update(deleted_at=now())
    people(phones=["+12125550199"], account=other_account)

    batch = launch(audience=Contact.objects.all())

    assert list(Message.objects.values_list("phone", flat=True)) == [kept.phone]
    assert batch.size == 1


def test_an_audience_that_joins_somebody_twice_texts_them_once(launch: Launch, people: People):
    (ann,) = people(1)
    for name in ("Roses", "Tulips"):
        group = Group.objects.create(account=ann.account, name=name)
        GroupMember.objects.create(account=ann.account, group=group, contact=ann)

    batch = launch(audience=Contact.objects.filter(group_members__group__name__isnull=False))

    assert batch.size == 1
    assert Message.objects.get().phone == ann.phone


def test_credits_are_reserved_for_those_who_are_texted(
    launch: Launch, people: People, account: Account
):
    people(3)
    people(2, line_type="landline")

    batch = launch(body="x" * 161)

    account.refresh_from_db()
    assert batch.credits_reserved == 6
    assert (account.credit_balance, account.credit_held) == (99_994, 6)


def test_only_the_fields_the_text_uses_are_frozen(launch: Launch, people: People, account: Account):
    CustomField.objects.create(account=account, key="size", label="Size")
    people(1, custom={"size": "XL", "shoe": "44"}, last_name="Lee")

    batch = launch(body="Hi {{last_name}}, {{custom.size}} or {{first_name|you}}")

    assert Message.objects.get(batch=batch).merge == {
        "last_name": "Lee",
        "custom.size": "XL",
        "first_name": "Ann0",
    }


def test_links_are_made_in_the_order_of_the_text(launch: Launch, people: People):
    people(2)

    batch = launch(body="See https://a.example/1 and https://b.example/2")

    links = Link.objects.filter(batch_id=batch.pk).order_by("ordinal")
    assert [(link.destination, link.recipients) for link in links] == [
        ("https://a.example/1", 2),
        ("https://b.example/2", 2),
    ]


def test_a_thousand_recipients_make_a_chunk(launch: Launch, people: People):
    people(2001)

    batch = launch()

    chunks = Chunk.objects.filter(batch=batch).order_by("first_no")
    assert [(chunk.first_no, chunk.next_no, chunk.last_no) for chunk in chunks] == [
        (1, 1, 1000),
        (1001, 1001, 2000),
        (2001, 2001, 2001),
    ]


def test_a_larger_audience_takes_no_more_queries(launch: Launch, people: People):
    people(5)
    with CaptureQueriesContext(
        connection,
    ) as few:
        launch(request_key="few", body="Hi {{first_name}}")
    people(2000)

    with CaptureQueriesContext(connection) as many:
        launch(request_key="many", body="Hi {{first_name}}")

    assert len(many) == len(few)


def test_launching_again_returns_the_first_batch(launch: Launch, people: People, account: Account):
    people(3)
    first = launch()
    people(3)

    second = launch(body="Something else")

    account.refresh_from_db()
    assert second.pk == first.pk
    assert Message.objects.count() == 3
    assert account.credit_held == 3


@pytest.mark.django_db(transaction=True)
def test_launching_five_times_at_once_launches_once(launch: Launch, people: People):
    people(500)

    def run(_: int) -> int:
        try:
            return launch().pk
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(run, range(5)))

    assert len(set(found)) == 1
    assert Message.objects.count() == 500
    assert CreditEntry.objects.filter(kind="reserve").count() == 1


@pytest.mark.parametrize("none", ["empty", "nobody"])
def test_an_empty_audience_is_refused(launch: Launch, account: Account, none: str):
    audience = Contact.objects.none() if none == "nobody" else Contact.objects.all()

    with pytest.raises(EmptyAudience, match="nobody in this audience"):
        launch(audience=audience)

    assert nothing_happened(account)


def test_too_few_credits_are_named_and_nothing_is_kept(
    launch: Launch, people: People, account: Account
):
    people(4)
    Account.objects.filter(pk=account.pk).update(credit_balance=3)

    with pytest.raises(InsufficientCredits, match="needs 4 credits and the account has 3"):
        launch(body="See https://a.example/")

    account.refresh_from_db()
    assert account.credit_balance == 3
    assert not Message.objects.exists()
    assert not Link.objects.exists()


def test_where_the_bound_passes_the_balance_the_exact_count_decides(
    launch: Launch, people: People, account: Account
):
    # Two segments each are the bound of 157 units with an extension character; one is the truth.
    people(2, first_name="{}")
    Account.objects.filter(pk=account.pk).update(credit_balance=2)
    body = "{{first_name|" + "y" * 4 + "}}" + "x" * 156

    batch = launch(body=body)

    assert batch.credits_reserved == 2


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("Hi {{fist_name}}", "Did you mean {{first_name}}"),
        ("x" * 1601, "1,601 characters"),
        ("   ", "empty"),
        ("Hi {{first_name", "not closed"),
    ],
)
def test_a_body_that_cannot_be_sent_is_refused(
    launch: Launch, people: People, account: Account, body: str, sentence: str
):
    people(1)

    with pytest.raises(TemplateError, match=sentence):
        launch(body=body)

    assert nothing_happened(account)


def test_somebody_whose_values_make_the_text_too_long_is_skipped(launch: Launch, people: People):
    people(phones=["+14152000001"], first_name="Bo")
    people(phones=["+14152000002"], first_name="B" * 80)

    batch = launch(body="{{first_name}}" + "x" * 1560)

    assert states(batch) == {("pending", ""): 1, ("skipped", "too_long"): 1}


def test_recorded_consent_is_asked_for_where_the_account_requires_it(
    launch: Launch, people: People, account: Account
):
    Account.objects.filter(pk=account.pk).update(requires_consent=True)
    account.refresh_from_db()
    people(2)
    people(1, consent="opted_in")

    batch = launch(account=account)

    assert states(batch) == {("pending", ""): 1, ("skipped", "no_consent"): 2}


@pytest.mark.parametrize("is_simulated", [True, False])
def test_a_trial_on_a_real_carrier_texts_only_verified_numbers(
    launch: Launch, people: People, account: Account, sender: SenderNumber, is_simulated: bool
):
    account.status = AccountStatus.TRIAL
    account.save()
    CarrierAccount.objects.update(is_simulated=is_simulated)
    sender = SenderNumber.objects.get(pk=sender.pk)
    proven, claimed, _ = people(3)
    VerifiedNumber.objects.create(account=account, phone=proven.phone, verified_at=now())
    VerifiedNumber.objects.create(account=account, phone=claimed.phone)

    batch = launch(account=account, sender=sender)

    texted = Message.objects.filter(batch=batch, state="pending")
    assert texted.count() == (3 if is_simulated else 1)
    assert texted.filter(phone=proven.phone).exists()
    if not is_simulated:
        assert states(batch)["skipped", "unverified_trial"] == 2


def test_who_has_not_confirmed_an_address_launches_nothing(
    launch: Launch, people: People, account: Account
):
    people(1)
    stranger = User.objects.create_user("new@example.com")

    with pytest.raises(EmailUnverified):
        launch(actor=stranger)

    assert nothing_happened(account)


def test_a_suspended_account_launches_nothing(launch: Launch, people: People, account: Account):
    people(1)
    Account.objects.filter(pk=account.pk).update(status=AccountStatus.SUSPENDED)

    with pytest.raises(AccountSuspended):
        launch()

    assert nothing_happened(account)


def test_another_accounts_number_cannot_be_used(
    launch: Launch, people: People, account: Account, other_account: Account, sim: Client
):
    people(1)
    theirs = make_sender(other_account, sim, phone="+12025550177")

    with pytest.raises(SenderNotUsable):
        launch(sender=theirs)

    assert nothing_happened(account)


def test_a_batch_in_which_nobody_is_texted_has_no_work(launch: Launch, people: People):
    people(2, line_type="landline")

    batch = launch()

    assert batch.state == BatchState.RUNNING
    assert batch.credits_reserved == 0
    assert not Chunk.objects.exists()


_VALUES = st.text(
    st.one_of(
        st.sampled_from("aZ09 é^{}€[]~ñ’“🌷👨‍👩‍👧🇩🇪ा"),
        st.characters(blacklist_categories=("Cs", "Cc")),
    ),
    max_size=80,
)


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=_VALUES, literal=st.text(alphabet="aé^’🌷x ", min_size=1, max_size=300))
def test_the_bound_is_never_below_the_segments_of_the_text(value: str, literal: str):
    template = compile_body(literal + "{{first_name|there}}" + literal[:40] + "{{first_name}}")
    content = Content(template)
    bound = segments_bound(template, content.link_length)

    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {bound.text} FROM (SELECT jsonb_build_object('first_name', %s::text) AS merge)"
            " m",
            [*bound.params, value],
        )
        most = cursor.fetchone()[0]

    assert most >= segments(content.sample({"first_name": value}))
