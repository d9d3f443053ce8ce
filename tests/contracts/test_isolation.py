"""No account sees or changes another's things: every address with an id in it, tried by a stranger.

Charlie owns an account that is Alice's in every way. For each address with an id of Alice's he gets
404, Alice does not (or the test would prove nothing), and after his tries no row of any table is
different. A new route with an id and without a row here fails.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from tests.contracts import routes
from tests.contracts.conftest import browser_of, headers_of
from tests.contracts.world import (
    World,
    everything,
)

pytestmark = pytest.mark.django_db

# Route name -> for each parameter of its path, which of the account's things it names.
PAGES: dict[str, dict[str, str]] = {
    "campaign_report": {"pk": "campaign"},
    "campaign_people": {"pk": "campaign"},
    "campaign_group": {"pk": "campaign"},
    "campaign_export": {"pk": "campaign"},
    "campaign_edit": {"pk": "campaign"},
    "campaign_again": {"pk": "campaign"},
    "campaign_archive": {"pk": "campaign"},
    "text_edit": {"pk": "text"},
    "text_approve": {"pk": "text"},
    "text_delete": {"pk": "text"},
    "blast_report": {"pk": "sent"},
    "batch_report": {"batch_pk": "batch"},
    "blast_edit": {"pk": "draft"},
    "blast_send": {"pk": "draft"},
    "blast_duplicate": {"pk": "sent"},
    "blast_discard": {"pk": "draft"},
    "blast_undo": {"pk": "sent"},
    "blast_pause": {"pk": "sent"},
    "blast_resume": {"pk": "sent"},
    "blast_retry": {"pk": "sent"},
    "blast_cancel": {"pk": "sent"},
    "blast_series": {"pk": "pattern"},
    "blast_approval": {"pk": "draft"},
    "blast_live": {"pk": "sent"},
    "blast_launched": {"pk": "sent"},
    "blast_export": {"pk": "sent"},
    "blast_differences": {"pk": "sent"},
    "blast_group": {"pk": "sent"},
    "conversation_start": {"contact_pk": "contact"},
    "conversation": {"pk": "conversation"},
    "conversation_thread": {"pk": "conversation"},
    "conversation_reply": {"pk": "conversation"},
    "conversation_note": {"pk": "conversation"},
    "conversation_assign": {"pk": "conversation"},
    "conversation_status": {"pk": "conversation"},
    "conversation_unread": {"pk": "conversation"},
    "contact_detail": {"pk": "contact"},
    "contact_edit": {"pk": "contact"},
    "contact_delete": {"pk": "contact"},
    "contact_erase": {"pk": "contact"},
    "contact_restore": {"pk": "deleted"},
    "contact_merge": {"pk": "contact"},
    "contact_opt_out": {"pk": "contact"},
    "contact_proof": {"pk": "contact"},
    "contact_proof_page": {"pk": "contact"},
    "contact_opt_in": {"pk": "contact"},
    "contact_tag": {"pk": "contact"},
    "contact_untag": {"pk": "contact", "tag_pk": "tag"},
    "tag_edit": {"pk": "tag"},
    "tag_delete": {"pk": "tag"},
    "field_edit": {"pk": "custom_field"},
    "field_delete": {"pk": "custom_field"},
    "group_detail": {"pk": "group"},
    "group_rules": {"pk": "group"},
    "group_size": {"pk": "group"},
    "group_recount": {"pk": "group"},
    "group_rename": {"pk": "group"},
    "group_delete": {"pk": "group"},
    "group_remove": {"pk": "group", "contact_pk": "contact"},
    "import_detail": {"pk": "contact_import"},
    "import_reread": {"pk": "contact_import"},
    "import_start": {"pk": "contact_import"},
    "import_cancel": {"pk": "contact_import"},
    "import_confirm": {"pk": "contact_import"},
    "import_reopen": {"pk": "contact_import"},
    "import_undo": {"pk": "contact_import"},
    "import_refusals": {"pk": "contact_import"},
    "review_keep": {"pk": "opt_out"},
    "review_undo": {"pk": "opt_out"},
    "link_report": {"pk": "link"},
    "link_export": {"pk": "link"},
    "export_detail": {"pk": "export"},
    "export_file": {"pk": "export"},
    "message_detail": {"pk": "message"},
    "lookup_detail": {"pk": "lookup_run"},
    "media_show": {"pk": "media"},
    "team_role": {"membership_id": "membership"},
    "team_remove": {"membership_id": "membership"},
    "team_uninvite": {"invitation_id": "invitation"},
    "api_key_revoke": {"key_id": "api_key"},
    "keyword_edit": {"pk": "optin_keyword"},
    "keyword_delete": {"pk": "optin_keyword"},
    "opt_out_take": {"pk": "drift_row"},
    "number_edit": {"sender_id": "sender"},
    "number_default": {"sender_id": "sender"},
    "number_release": {"sender_id": "sender"},
    "carrier_edit": {"carrier_account_id": "carrier"},
    "verify_confirm": {"number_id": "verified"},
    "verify_remove": {"number_id": "verified"},
    "account_switch": {"account_id": "account"},
}
CALLS: dict[str, str] = {
    "api-contact-detail": "contact",
    "api-contact-consent": "contact",
    "api-contact-timeline": "contact",
    "api-contact-restore": "deleted",
    "api-contact-merge": "contact",
    "api-contact-erase": "deleted",
    "api-group-detail": "group",
    "api-group-add": "group",
    "api-group-remove": "group",
    "api-import-detail": "counted",
    "api-import-confirm": "counted",
    "api-import-cancel": "counted",
    "api-import-undo": "contact_import",
    "api-import-refusals": "counted",
    "api-link-detail": "link",
    "api-message-detail": "message",
    "api-media-detail": "media",
    "campaign-detail": "campaign",
    "campaign-report": "campaign",
    "campaign-duplicate": "campaign",
    "blast-duplicate": "sent",
    "blast-move": "draft",
    "blast-detail": "draft",
    "blast-cancel": "sent",
    "blast-estimate": "draft",
    "blast-launch": "draft",
    "blast-report": "sent",
    "blast-repeat": "draft",
    "blast-approval": "draft",
    "blast-series": "pattern",
    "api-conversation-detail": "conversation",
    "api-conversation-messages": "conversation",
    "api-conversation-reply": "conversation",
}
# The link's secret is no id; see tests/accounts/test_invitations.py and tests/messaging/joining/.
SECRETS = {"invitation_accept", "subscribe"}
# Where an empty body is refused before the thing is looked up, the least that is not.
FORMS: dict[str, dict[str, str]] = {"team_role": {"role": "viewer"}}
# The same for calls, made of the account's ids.
BODIES: dict[str, Callable[[dict[str, int]], dict[str, Any]]] = {
    "api-group-add": lambda ids: {"contacts": [ids["contact"]]},
    "api-group-remove": lambda ids: {"contacts": [ids["contact"]]},
    "api-conversation-reply": lambda ids: {"body": "Hello", "idempotency_key": "1"},
}


def _page(name: str, ids: dict[str, int]) -> str:
    return reverse(name, kwargs={key: ids[thing] for key, thing in PAGES[name].items()})


def _tries(browser: Client, name: str, url: str) -> tuple[int, int]:
    return browser.get(url).status_code, browser.post(url, FORMS.get(name, {})).status_code


def test_every_route_with_an_id_has_a_row() -> None:
    pages = {route.name for route in routes.DASHBOARD if route.parameters}
    calls = {route.name for route in routes.REST if route.parameters}

    assert pages - SECRETS == set(PAGES)
    assert calls == set(CALLS)


def test_pages_of_another_account_do_not_exist(
    alices: World, charlies: World, charlie: User
) -> None:
    browser = browser_of(charlie)
    before = everything()

    answers = {name: _tries(browser, name, _page(name, alices.ids())) for name in PAGES}

    wrong = {
        name: statuses
        for name, statuses in answers.items()
        if not (404 in statuses and set(statuses) <= {404, 405})
    }
    assert wrong == {}
    assert everything() == before


@pytest.mark.parametrize("name", PAGES)
def test_one_s_own_pages_exist(name: str, alices: World, charlies: World, alice: User) -> None:
    url = _page(name, alices.ids())

    statuses = _tries(browser_of(alice), name, url)

    assert 404 not in statuses
    assert set(statuses) != {405}
    assert max(statuses) < 500


@pytest.mark.parametrize("name", [name for name, ids in PAGES.items() if len(ids) > 1])
def test_ones_own_thing_beside_a_strangers_changes_neither(
    name: str, alices: World, charlies: World, charlie: User
) -> None:
    own, theirs = charlies.ids(), alices.ids()
    before = everything()

    for key, thing in PAGES[name].items():
        kwargs = {k: own[t] for k, t in PAGES[name].items()} | {key: theirs[thing]}
        _tries(browser_of(charlie), name, reverse(name, kwargs=kwargs))

    assert everything() == before


# --- The API ---


def _methods(name: str) -> Iterator[str]:
    (route,) = (route for route in routes.REST if route.name == name)
    yield from sorted(route.actions)


def _call(name: str, method: str, ids: dict[str, int], headers: dict[str, str]) -> int:
    body = BODIES[name](ids) if name in BODIES else {}
    return (
        Client()
        .generic(
            method,
            reverse(name, kwargs={"pk": ids[CALLS[name]]}),
            json.dumps(body),
            content_type="application/json",
            headers=headers,
        )
        .status_code
    )


ENDPOINTS = [(name, method) for name in CALLS for method in _methods(name)]


def test_endpoints_of_another_account_do_not_exist(
    alices: World, charlies: World, other_account: Account, charlie: User
) -> None:
    headers = headers_of(other_account, charlie)
    ids = alices.ids()
    before = everything()

    answers = {(name, method): _call(name, method, ids, headers) for name, method in ENDPOINTS}

    assert answers == dict.fromkeys(ENDPOINTS, 404)
    assert everything() == before


@pytest.mark.parametrize(("name", "method"), ENDPOINTS)
def test_ones_own_endpoints_exist(
    name: str, method: str, alices: World, account: Account, alice: User
) -> None:
    status = _call(name, method, alices.ids(), headers_of(account, alice))

    assert status < 500
    assert status not in (401, 403, 404, 405)


def test_lists_hold_nothing_of_another_account(
    alices: World, charlies: World, other_account: Account, charlie: User
) -> None:
    headers = headers_of(other_account, charlie)
    lists = [route for route in routes.REST if route.actions.get("GET") == "list"]

    for route in lists:
        rows = Client().get(reverse(route.name), headers=headers).json()["results"]
        ids = {row["id"] for row in rows}
        assert ids, f"{route.name} shows nothing, so it proves nothing"
        assert ids <= set(charlies.ids().values()), route.name


# --- Ids inside what is sent ---
