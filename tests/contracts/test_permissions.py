"""Who may open which page and call which endpoint: the matrix, and every route held against it.

A new route without a row here fails. For roles below the one in the table, for strangers and for
keys without the scope, the answer is a refusal and no row of any table has changed.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import services
from accounts.access import RANKS
from accounts.api.authentication import ApiKeyAuthentication
from accounts.api.permissions import HasScope
from accounts.choices import Role, Scope
from accounts.models import Account, Membership, User
from tests.contracts import routes
from tests.contracts.world import everything

pytestmark = pytest.mark.django_db

VIEWER, MARKETER, ADMIN = Role.VIEWER, Role.MARKETER, Role.ADMIN

# What needs no role, and why.
PUBLIC = {
    "invitation_accept": "the link's secret is the permission",
    "account_none": "for who is logged in and has no account",
    "account_switch": "checks the membership itself",
    "subscribe": "a shop's public form; the token says which",
    "mailbox": "exists only on one's own machine (accounts.mailbox)",
    "stripe_webhook": "Stripe's signature is the permission",
    "api_schema": "describes the API, holds no data",
    "api_docs": "describes the API, holds no data",
}

ROLES = {
    "search": VIEWER,
    "overview": VIEWER,
    "campaign_list": VIEWER,
    "campaign_create": MARKETER,
    "campaign_report": VIEWER,
    "campaign_people": VIEWER,
    "campaign_group": MARKETER,
    "campaign_export": VIEWER,
    "campaign_edit": MARKETER,
    "campaign_again": MARKETER,
    "campaign_archive": MARKETER,
    "text_list": VIEWER,
    "text_create": MARKETER,
    "text_edit": MARKETER,
    "text_approve": ADMIN,
    "text_count": MARKETER,
    "text_delete": MARKETER,
    "cost_report": VIEWER,
    "blast_create": MARKETER,
    "blast_count": MARKETER,
    "blast_test": MARKETER,
    "blast_audience": VIEWER,
    "blast_calendar": VIEWER,
    "blast_copy": MARKETER,
    "blast_move": MARKETER,
    "blast_occurrence": MARKETER,
    "blast_crowds": VIEWER,
    "blast_series": MARKETER,
    "approval_list": MARKETER,
    "blast_approval": MARKETER,
    "blast_report": VIEWER,
    "blast_differences": VIEWER,
    "batch_report": VIEWER,
    "blast_edit": MARKETER,
    "blast_send": MARKETER,
    "blast_duplicate": MARKETER,
    "blast_discard": MARKETER,
    "blast_undo": MARKETER,
    "blast_pause": MARKETER,
    "blast_resume": MARKETER,
    "blast_retry": MARKETER,
    "blast_cancel": MARKETER,
    "blast_live": VIEWER,
    "blast_launched": VIEWER,
    "blast_export": VIEWER,
    "blast_group": MARKETER,
    "export_list": VIEWER,
    "export_start": VIEWER,
    "export_detail": VIEWER,
    "export_file": VIEWER,
    "contact_export": VIEWER,
    "contact_group": MARKETER,
    "link_export": VIEWER,
    "message_export": VIEWER,
    "message_group": MARKETER,
    "inbox": VIEWER,
    "inbox_rows": VIEWER,
    "conversation_start": MARKETER,
    "conversation": VIEWER,
    "conversation_thread": VIEWER,
    "conversation_reply": MARKETER,
    "conversation_note": MARKETER,
    "conversation_assign": MARKETER,
    "conversation_status": MARKETER,
    "conversation_unread": MARKETER,
    "contact_list": VIEWER,
    "contact_many": MARKETER,
    "contact_tag": MARKETER,
    "contact_untag": MARKETER,
    "tag_list": VIEWER,
    "tag_edit": MARKETER,
    "tag_delete": MARKETER,
    "field_list": VIEWER,
    "field_create": MARKETER,
    "field_edit": MARKETER,
    "field_delete": MARKETER,
    "contact_create": MARKETER,
    "contact_detail": VIEWER,
    "contact_edit": MARKETER,
    "contact_delete": MARKETER,
    "contact_erase": ADMIN,
    "contact_restore": MARKETER,
    "contacts_restore": MARKETER,
    "contact_merge": MARKETER,
    "duplicate_list": VIEWER,
    "deleted_list": VIEWER,
    "contact_opt_out": MARKETER,
    "contact_proof": VIEWER,
    "contact_proof_page": VIEWER,
    "contact_opt_in": MARKETER,
    "group_list": VIEWER,
    "group_create": MARKETER,
    "group_detail": VIEWER,
    "group_smart": MARKETER,
    "group_rules": MARKETER,
    "group_size": VIEWER,
    "group_recount": VIEWER,
    "group_rename": MARKETER,
    "group_delete": MARKETER,
    "group_remove": MARKETER,
    "import_list": VIEWER,
    "import_create": MARKETER,
    "import_detail": VIEWER,
    "import_reread": MARKETER,
    "import_start": MARKETER,
    "import_cancel": MARKETER,
    "import_confirm": MARKETER,
    "import_reopen": MARKETER,
    "import_undo": MARKETER,
    "import_refusals": VIEWER,
    "review_list": VIEWER,
    "review_keep": MARKETER,
    "review_undo": MARKETER,
    "link_list": VIEWER,
    "link_report": VIEWER,
    "link_settings": ADMIN,
    "lookup_create": MARKETER,
    "lookup_detail": VIEWER,
    "message_log": VIEWER,
    "message_detail": VIEWER,
    "media_add": MARKETER,
    "media_show": VIEWER,
    "settings": VIEWER,
    "account_settings": ADMIN,
    "profile": VIEWER,
    "audit_log": ADMIN,
    "audit_export": ADMIN,
    "credits": VIEWER,
    "credit_movements": VIEWER,
    "credit_export": VIEWER,
    "credit_buy": ADMIN,
    "team": VIEWER,
    "team_invite": ADMIN,
    "team_role": ADMIN,
    "team_remove": VIEWER,  # oneself; others only by admins, which the service decides
    "team_uninvite": ADMIN,
    "api_keys": ADMIN,
    "api_key_revoke": ADMIN,
    "allowed_hours": VIEWER,
    "opt_out_drift": ADMIN,
    "opt_out_check": ADMIN,
    "opt_out_take": ADMIN,
    "opt_out_take_all": ADMIN,
    "joining": VIEWER,
    "joining_form": ADMIN,
    "joining_qr": VIEWER,
    "keyword_add": ADMIN,
    "keyword_edit": ADMIN,
    "keyword_delete": ADMIN,
    "numbers": VIEWER,
    "number_practice": ADMIN,
    "number_add": ADMIN,
    "number_edit": ADMIN,
    "number_default": ADMIN,
    "number_release": ADMIN,
    "carrier_add": ADMIN,
    "carrier_edit": ADMIN,
    "verify_request": MARKETER,
    "verify_confirm": MARKETER,
    "verify_remove": MARKETER,
}

READ, WRITE, SEND, ERASE = Scope.READ, Scope.WRITE, Scope.SEND, Scope.ERASE

SCOPES = {
    ("api-contact-list", "GET"): READ,
    ("api-contact-list", "POST"): WRITE,
    ("api-contact-bulk", "POST"): WRITE,
    ("api-contact-detail", "GET"): READ,
    ("api-contact-detail", "PATCH"): WRITE,
    ("api-contact-detail", "DELETE"): WRITE,
    ("api-contact-consent", "GET"): READ,
    ("api-contact-timeline", "GET"): READ,
    ("api-contact-restore", "POST"): WRITE,
    ("api-contact-merge", "POST"): WRITE,
    ("api-contact-erase", "POST"): ERASE,
    ("api-contact-consent", "POST"): WRITE,
    ("api-group-list", "GET"): READ,
    ("api-group-list", "POST"): WRITE,
    ("api-group-detail", "GET"): READ,
    ("api-group-detail", "PATCH"): WRITE,
    ("api-group-detail", "DELETE"): WRITE,
    ("api-group-add", "POST"): WRITE,
    ("api-group-remove", "POST"): WRITE,
    ("api-import-list", "GET"): READ,
    ("api-import-list", "POST"): WRITE,
    ("api-import-detail", "GET"): READ,
    ("api-import-confirm", "POST"): WRITE,
    ("api-import-cancel", "POST"): WRITE,
    ("api-import-undo", "POST"): WRITE,
    ("api-import-refusals", "GET"): READ,
    ("api-link-list", "GET"): READ,
    ("api-link-detail", "GET"): READ,
    ("api-link-settings", "GET"): READ,
    ("api-link-settings", "PATCH"): WRITE,
    ("api-message-list", "GET"): READ,
    ("api-message-list", "POST"): SEND,
    ("api-message-detail", "GET"): READ,
    ("api-media-list", "POST"): WRITE,
    ("api-media-detail", "GET"): READ,
    ("campaign-list", "GET"): READ,
    ("campaign-list", "POST"): WRITE,
    ("campaign-detail", "GET"): READ,
    ("campaign-detail", "PATCH"): WRITE,
    ("campaign-report", "GET"): READ,
    ("campaign-duplicate", "POST"): WRITE,
    ("blast-duplicate", "POST"): WRITE,
    ("blast-move", "POST"): SEND,
    ("blast-list", "GET"): READ,
    ("blast-list", "POST"): WRITE,
    ("blast-detail", "GET"): READ,
    ("blast-detail", "PATCH"): WRITE,
    ("blast-cancel", "POST"): WRITE,
    ("blast-estimate", "POST"): READ,
    ("blast-launch", "POST"): SEND,
    ("blast-repeat", "POST"): SEND,
    ("blast-approval", "POST"): SEND,
    ("blast-series", "POST"): SEND,
    ("blast-report", "GET"): READ,
    ("api-conversation-list", "GET"): READ,
    ("api-conversation-detail", "GET"): READ,
    ("api-conversation-messages", "GET"): READ,
    ("api-conversation-reply", "POST"): SEND,
}

PAGES = [route for route in routes.DASHBOARD if route.name not in PUBLIC]
CALLS = [
    (route, method)
    for route in routes.REST
    if route.name not in PUBLIC
    for method in sorted(route.actions)
]


def _address(route: routes.Route) -> str:
    """With ids that nobody has: a refusal comes before anything is looked up."""
    return reverse(route.name, kwargs=dict.fromkeys(route.parameters, 999_999_999))


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    dashboard = {route.name for route in routes.DASHBOARD}
    calls = {(route.name, method) for route, method in CALLS}

    assert dashboard | {route.name for route in routes.REST} >= set(PUBLIC)
    assert dashboard - set(PUBLIC) == set(ROLES)
    assert calls == set(SCOPES)


def test_names_are_unique() -> None:
    names = [route.name for route in routes.ALL]

    assert sorted(names) == sorted(set(names))


def test_each_view_asks_for_the_role_of_the_table() -> None:
    asked = {route.name: getattr(route.view, "required_role", None) for route in PAGES}

    assert asked == ROLES


def _answers(browser: Client, pages: list[routes.Route]) -> dict[str, list[tuple[int, str]]]:
    """What GET and POST of each page answer: the status, and where it sends one."""
    return {
        route.name: [
            (answer.status_code, answer.headers.get("Location", "").partition("?")[0])
            for answer in (browser.get(_address(route)), browser.post(_address(route)))
        ]
        for route in pages
    }


def test_strangers_are_sent_to_log_in() -> None:
    before = everything()

    answers = _answers(Client(), PAGES)

    assert answers == {route.name: [(302, "/auth/login/")] * 2 for route in PAGES}
    assert everything() == before


def test_somebody_without_an_account_is_told_so() -> None:
    browser = Client()
    browser.force_login(User.objects.create_user("nobody@example.com"))
    before = everything()

    answers = _answers(browser, PAGES)

    assert answers == {route.name: [(302, "/accounts/none/")] * 2 for route in PAGES}
    assert everything() == before


@pytest.mark.parametrize("role", [VIEWER, MARKETER])
def test_a_lesser_role_is_refused_and_nothing_happens(role: Role, account: Account) -> None:
    user = User.objects.create_user("dana@example.com")
    Membership.objects.create(account=account, user=user, role=role)
    browser = Client()
    browser.force_login(user)
    higher = [route for route in PAGES if RANKS[ROLES[route.name]] > RANKS[role]]
    before = everything()

    answers = _answers(browser, higher)

    assert answers == {route.name: [(403, "")] * 2 for route in higher}
    assert everything() == before


# --- The API ---


@pytest.fixture
def key(account: Account, alice: User) -> Callable[..., dict[str, str]]:
    """`key(*scopes)`: the headers of a program with a key of Alice's shop."""

    def _key(*scopes: Scope) -> dict[str, str]:
        _, secret = services.apikey_create(account=account, actor=alice, name="Test", scopes=scopes)
        return {"authorization": f"Bearer {secret}"}

    return _key


def _call(route: routes.Route, method: str, headers: dict[str, str]) -> Any:
    return Client().generic(
        method, _address(route), b"{}", content_type="application/json", headers=headers
    )


def test_a_call_without_a_key_that_works_is_refused() -> None:
    before = everything()

    for headers in ({}, {"authorization": "Bearer tl_gone"}):
        statuses = {_call(route, method, headers).status_code for route, method in CALLS}
        assert statuses == {401}

    assert everything() == before


@pytest.mark.parametrize("needed", [READ, WRITE, SEND, ERASE])
def test_a_call_needs_the_scope_of_the_table(
    needed: Scope, key: Callable[..., dict[str, str]]
) -> None:
    calls = [(route, method) for route, method in CALLS if SCOPES[route.name, method] == needed]
    others = key(*(scope for scope in Scope if scope != needed))
    before = everything()

    refused = {
        (route.name, method): _call(route, method, others).status_code for route, method in calls
    }

    assert refused == {(route.name, method): 403 for route, method in calls}
    assert everything() == before
    enough = key(needed)
    passed = {
        (route.name, method): _call(route, method, enough).status_code for route, method in calls
    }
    assert {name for name, status in passed.items() if status in (401, 403)} == set()


def test_every_endpoint_takes_keys_only() -> None:
    guards = {
        route.name: (route.view.cls.authentication_classes, route.view.cls.permission_classes)
        for route, _ in CALLS
    }

    assert guards == {route.name: ([ApiKeyAuthentication], [HasScope]) for route, _ in CALLS}


def test_a_log_in_opens_no_endpoint(account: Account, alice: User) -> None:
    browser = Client()
    browser.force_login(alice)

    answers = {browser.get(_address(route)).status_code for route, m in CALLS if m == "GET"}

    assert answers == {401}
