import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Account, User
from accounts.services import apikey_create
from contacts.choices import Consent, ConsentSource
from contacts.models import ConsentEvent, Contact, Group, GroupMember
from contacts.selectors import contacts_list
from contacts.services import consent_revoke, contact_upsert, group_create

ANN = "+13055550101"
BEN = "+13055550102"


def client_of(account: Account, actor: User, *scopes: str) -> APIClient:
    _, token = apikey_create(account=account, actor=actor, name="test", scopes=list(scopes))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.fixture
def api(shop: Account, alice: User) -> APIClient:
    return client_of(shop, alice, "read", "write")


@pytest.fixture
def stranger(other_shop: Account, charlie: User) -> APIClient:
    return client_of(other_shop, charlie, "read", "write")


def test_create_then_complete(api: APIClient, shop: Account) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    body = {
        "phone": "(305) 555-0101",
        "first_name": "Ann",
        "custom": {"points": "5"},
        "groups": [vip.pk],
        "consent_wording": "Ticked the box",
    }

    created = api.post("/api/v1/contacts/", body)
    completed = api.post("/api/v1/contacts/", {"phone": "305.555.0101", "last_name": "Lee"})

    assert (created.status_code, completed.status_code) == (201, 200)
    assert created.data["phone"] == ANN
    assert created.data["consent"] == "opted_in"
    assert (completed.data["first_name"], completed.data["last_name"]) == ("Ann", "Lee")
    assert ConsentEvent.objects.get().source == ConsentSource.API
    assert GroupMember.objects.count() == 1


def test_a_bad_number_is_a_problem_with_its_field(api: APIClient) -> None:
    answer = api.post("/api/v1/contacts/", {"phone": "123"})

    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.data["code"] == "contact_invalid"
    assert list(answer.data["fields"]) == ["phone"]
    assert Contact.objects.count() == 0


def test_list_is_filtered_and_paged(api: APIClient, shop: Account) -> None:
    for n in range(5):
        contact_upsert(account=shop, actor=None, phone=f"+1305555010{n}", first_name=f"Name{n}")
    consent_revoke(account=shop, phone="+13055550104", source=ConsentSource.KEYWORD)

    first = api.get("/api/v1/contacts/?page_size=2").data
    second = api.get(first["next"]).data
    found = api.get("/api/v1/contacts/?search=name3").data["results"]
    out = api.get("/api/v1/contacts/?consent=opted_out").data["results"]
    exact = api.get("/api/v1/contacts/", {"phone": "+13055550102"}).data["results"]

    assert [c["first_name"] for c in first["results"]] == ["Name4", "Name3"]
    assert [c["first_name"] for c in second["results"]] == ["Name2", "Name1"]
    assert [c["first_name"] for c in found] == ["Name3"]
    assert [c["first_name"] for c in out] == ["Name4"]
    assert [c["first_name"] for c in exact] == ["Name2"]


def test_change_and_delete(api: APIClient, shop: Account) -> None:
    contact = contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann", last_name="Lee")
    url = f"/api/v1/contacts/{contact.pk}/"

    changed = api.patch(url, {"last_name": ""})
    deleted = api.delete(url)
    gone = api.get(url)

    assert (changed.data["first_name"], changed.data["last_name"]) == ("Ann", "")
    assert (deleted.status_code, gone.status_code) == (204, 404)
    assert contacts_list(account=shop).count() == 0


def test_many_at_once_with_a_result_each(api: APIClient, shop: Account) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN)
    rows: list[dict[str, Any]] = [
        {"phone": ANN},
        {"phone": BEN, "first_name": "Ben"},
        {"phone": "123"},
        {"phone": 3055550103},
        {"phone": "+13055550104", "first_name": {"no": "text"}},
        {"phone": "+13055550105", "custom": ["no mapping"]},
        {"phone": "+13055550106", "first_name": "A\u0000\ud800B"},
    ]

    # As text, since a test client cannot encode half of a surrogate pair and a sender can.
    body = json.dumps({"rows": rows})
    answer = api.post("/api/v1/contacts/bulk/", body, content_type="application/json")

    assert answer.status_code == 200
    assert [r["status"] for r in answer.data["results"]] == [
        "unchanged", "new", "refused", "new", "refused", "refused", "new",
    ]  # fmt: skip
    assert [r["code"] for r in answer.data["results"]] == [
        "", "", "phone", "", "first_name", "custom", "",
    ]  # fmt: skip
    assert Contact.objects.count() == 4
    assert Contact.objects.get(phone="+13055550106").first_name == "A B"


def test_a_dry_run_of_many_says_what_would_become_of_them(api: APIClient, shop: Account) -> None:
    ann = contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann")
    rows = [{"phone": ANN, "first_name": "Anna"}, {"phone": BEN}, {"phone": BEN}, {"phone": "1"}]
    body = {"rows": rows, "consent_wording": "Till"}

    tried = api.post("/api/v1/contacts/bulk/", {**body, "dry_run": True})
    written = (Contact.objects.count(), ConsentEvent.objects.count())
    done = api.post("/api/v1/contacts/bulk/", body)

    expected = ["updated", "duplicate", "new", "refused"]
    assert [row["status"] for row in tried.data["results"]] == expected
    assert [row["contact_id"] for row in tried.data["results"]] == [ann.pk, None, None, None]
    assert written == (1, 0)
    assert [row["status"] for row in done.data["results"]] == expected
    assert ConsentEvent.objects.count() == 2


def test_more_than_a_thousand_rows_change_nothing(api: APIClient) -> None:
    answer = api.post("/api/v1/contacts/bulk/", {"rows": [{"phone": ANN}] * 1001})

    assert answer.status_code == 422
    assert Contact.objects.count() == 0


def test_consent_by_api_is_recorded_but_never_lifts_a_stop(api: APIClient, shop: Account) -> None:
    contact = contact_upsert(account=shop, actor=None, phone=ANN)
    url = f"/api/v1/contacts/{contact.pk}/consent/"

    agreed = api.post(url, {"kind": "in", "wording": "Web shop, box ticked"})
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD, wording="STOP")
    again = api.post(url, {"kind": "in", "wording": "Web shop, box ticked"})
    history = api.get(url)

    assert agreed.data["consent"] == "opted_in"
    assert (again.status_code, again.data["code"]) == (409, "opted_out")
    assert [(e["kind"], e["source"]) for e in history.data] == [("out", "keyword"), ("in", "api")]
    assert Contact.objects.get().consent == Consent.OPTED_OUT


def test_a_smart_group_is_counted_whenever_it_is_read(api: APIClient, shop: Account) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann")
    rules = {"all": [{"field": "first_name", "op": "filled"}, {"not": {"did": "sent"}}]}

    made = api.post("/api/v1/groups/", {"name": "Never texted", "rules": rules})
    url = f"/api/v1/groups/{made.data['id']}/"
    contact_upsert(account=shop, actor=None, phone=BEN, first_name="Ben")
    listed = api.get("/api/v1/groups/").data["results"][0]["size"]
    read = api.get(url)
    people = api.get(f"/api/v1/contacts/?group={made.data['id']}").data["results"]
    changed = api.patch(url, {"rules": {"field": "first_name", "op": "is", "value": "Ben"}})

    assert (made.status_code, made.data["rules"], made.data["size"]) == (201, rules, 1)
    assert (listed, read.data["size"]) == (1, 2)
    assert [one["first_name"] for one in people] == ["Ben", "Ann"]
    assert (changed.status_code, changed.data["name"], changed.data["size"]) == (
        200,
        "Never texted",
        1,
    )


def test_what_a_smart_group_refuses(api: APIClient, shop: Account) -> None:
    static = api.post("/api/v1/groups/", {"name": "Static"}).data["id"]
    rule = {"not": {"group": static}}
    smart = api.post("/api/v1/groups/", {"name": "Smart", "rules": rule}).data["id"]

    answers = [
        api.post("/api/v1/groups/", {"name": "X", "rules": {"sql": "true"}}),
        api.post("/api/v1/groups/", {"name": "X", "rules": {"did": "sent", "blast": 1}}),
        api.post("/api/v1/groups/", {"name": "X", "rules": {"group": smart}}),
        api.post(f"/api/v1/groups/{smart}/add/", {"contacts": []}),
        api.post("/api/v1/contacts/", {"phone": ANN, "groups": [smart]}),
        api.patch(f"/api/v1/groups/{static}/", {"rules": rule}),
        api.patch(f"/api/v1/groups/{smart}/", {"rules": None}),
        api.delete(f"/api/v1/groups/{static}/"),
    ]

    assert [(one.status_code, one.data["code"]) for one in answers] == [
        (422, "rule_unknown"),
        (404, "rule_target_missing"),
        (409, "group_is_smart"),
        (409, "group_is_smart"),
        (409, "group_is_smart"),
        (409, "group_is_static"),
        (422, "rule_unreadable"),
        (409, "group_in_rules"),
    ]
    assert Contact.objects.count() == 0
    assert [one["name"] for one in api.get("/api/v1/groups/").data["results"]] == [
        "Smart",
        "Static",
    ]


def test_groups(api: APIClient, shop: Account) -> None:
    ann = contact_upsert(account=shop, actor=None, phone=ANN)
    ben = contact_upsert(account=shop, actor=None, phone=BEN)

    made = api.post("/api/v1/groups/", {"name": " Regulars "})
    taken = api.post("/api/v1/groups/", {"name": "Regulars"})
    url = f"/api/v1/groups/{made.data['id']}/"
    added = api.post(f"{url}add/", {"contacts": [ann.pk, ben.pk, ben.pk]})
    added_again = api.post(f"{url}add/", {"contacts": [ann.pk]})
    seen = api.get(url)
    removed = api.post(f"{url}remove/", {"contacts": [ann.pk]})
    renamed = api.patch(url, {"name": "Guests"})
    deleted = api.delete(url)

    assert (made.status_code, made.data["name"]) == (201, "Regulars")
    assert (taken.status_code, taken.data["code"]) == (409, "group_name_taken")
    assert [a.data["changed"] for a in (added, added_again, removed)] == [2, 0, 1]
    assert seen.data["size"] == 2
    assert (renamed.data["name"], renamed.data["size"]) == ("Guests", 1)
    assert deleted.status_code == 204
    assert Contact.objects.count() == 2


def test_another_accounts_things_do_not_exist(
    stranger: APIClient, shop: Account, other_shop: Account
) -> None:
    contact = contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann")
    group = group_create(account=shop, actor=None, name="VIP")
    own = group_create(account=other_shop, actor=None, name="Mine")
    contact_url, group_url = f"/api/v1/contacts/{contact.pk}/", f"/api/v1/groups/{group.pk}/"

    answers = [
        stranger.get(contact_url),
        stranger.patch(contact_url, {"first_name": "X"}),
        stranger.delete(contact_url),
        stranger.get(f"{contact_url}consent/"),
        stranger.post(f"{contact_url}consent/", {"kind": "out", "wording": "x"}),
        stranger.get(group_url),
        stranger.patch(group_url, {"name": "X"}),
        stranger.delete(group_url),
        stranger.post(f"{group_url}add/", {"contacts": []}),
        stranger.post(f"/api/v1/groups/{own.pk}/add/", {"contacts": [contact.pk]}),
        stranger.post("/api/v1/contacts/", {"phone": BEN, "groups": [group.pk]}),
        stranger.post("/api/v1/contacts/", {"phone": BEN, "groups": [2**63 - 1]}),
    ]

    assert [a.status_code for a in answers] == [404] * 12
    assert stranger.get("/api/v1/contacts/").data["results"] == []
    assert [g["name"] for g in stranger.get("/api/v1/groups/").data["results"]] == ["Mine"]
    assert stranger.get(f"/api/v1/contacts/?group={group.pk}").data["results"] == []
    contact.refresh_from_db()
    assert (contact.first_name, contact.consent, contact.deleted_at) == ("Ann", "unknown", None)
    assert Contact.objects.count() == 1
    assert Group.objects.count() == 2
    assert GroupMember.objects.count() == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "contacts/", {"phone": BEN}),
        ("post", "contacts/bulk/", {"rows": [{"phone": BEN}]}),
        ("patch", "contacts/{contact}/", {"first_name": "X"}),
        ("delete", "contacts/{contact}/", {}),
        ("post", "contacts/{contact}/consent/", {"kind": "out", "wording": "x"}),
        ("post", "groups/", {"name": "New"}),
        ("patch", "groups/{group}/", {"name": "X"}),
        ("delete", "groups/{group}/", {}),
        ("post", "groups/{group}/add/", {"contacts": []}),
        ("post", "groups/{group}/remove/", {"contacts": []}),
    ],
)
def test_a_key_that_may_only_read_changes_nothing(
    shop: Account, alice: User, method: str, path: str, body: dict[str, Any]
) -> None:
    reader = client_of(shop, alice, "read")
    group = group_create(account=shop, actor=None, name="VIP")
    contact = contact_upsert(account=shop, actor=None, phone=ANN, group_ids=[group.pk])

    url = "/api/v1/" + path.format(contact=contact.pk, group=group.pk)
    answer = getattr(reader, method)(url, body)

    assert answer.status_code == 403
    assert reader.get("/api/v1/contacts/").status_code == 200
    assert list(contacts_list(account=shop).values_list("phone", "first_name", "consent")) == [
        (ANN, "", "unknown")
    ]
    assert list(Group.objects.values_list("name", flat=True)) == ["VIP"]
    assert GroupMember.objects.count() == 1


def test_without_a_key_nothing_is_told(shop: Account) -> None:
    assert APIClient().get("/api/v1/contacts/").status_code == 401
