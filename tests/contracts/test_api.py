"""The API does what its document says: every operation, held against the OpenAPI document.

A new operation without a row here fails. Who may call what is in test_permissions.py, and what
belongs to whom in test_isolation.py.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from accounts import services
from accounts.choices import Scope
from accounts.models import Account, User
from common.clock import now
from tests.contracts.world import GIF_BASE64, World, everything, world_create

pytestmark = pytest.mark.django_db

V1 = "/api/v1"
Operation = tuple[str, str]
BLAST = {"name": "Roses", "body": "Hi {{first_name|there}}"}
NEXT_MONTH = (now() + timedelta(days=30)).date().isoformat()
RULE = {"every": "week", "at": "10:00", "starts_on": "2026-12-01", "count": 900}
REPLY = {"body": "Yes, on Fridays.", "idempotency_key": "k1"}

# (method, path) -> (which of the account's things `{id}` names, body, status). A `$name` in a body
# stands for the id of that thing.
OPERATIONS: dict[Operation, tuple[str, Any, int]] = {
    ("GET", "/contacts/"): ("", None, 200),
    ("POST", "/contacts/"): ("", {"phone": "+12025550188", "first_name": "Eve"}, 201),
    ("POST", "/contacts/bulk/"): ("", {"rows": [{"phone": "+12025550189"}, {"phone": "1"}]}, 200),
    ("GET", "/contacts/{id}/"): ("contact", None, 200),
    ("PATCH", "/contacts/{id}/"): ("contact", {"last_name": "Cook"}, 200),
    ("DELETE", "/contacts/{id}/"): ("contact", None, 204),
    ("GET", "/contacts/{id}/consent/"): ("contact", None, 200),
    ("GET", "/contacts/{id}/timeline/"): ("contact", None, 200),
    ("POST", "/contacts/{id}/restore/"): ("deleted", None, 200),
    ("POST", "/contacts/{id}/merge/"): ("contact", {"other": "$other", "take": ["email"]}, 200),
    ("POST", "/contacts/{id}/erase/"): ("deleted", None, 204),
    ("POST", "/contacts/{id}/consent/"): ("contact", {"kind": "in", "wording": "A form"}, 200),
    ("GET", "/groups/"): ("", None, 200),
    ("POST", "/groups/"): ("", {"name": "Regulars"}, 201),
    ("GET", "/groups/{id}/"): ("group", None, 200),
    ("PATCH", "/groups/{id}/"): ("group", {"name": "Friends"}, 200),
    ("DELETE", "/groups/{id}/"): ("group", None, 204),
    ("POST", "/groups/{id}/add/"): ("group", {"contacts": ["$contact"]}, 200),
    ("POST", "/groups/{id}/remove/"): ("group", {"contacts": ["$contact"]}, 200),
    ("GET", "/imports/"): ("", None, 200),
    ("POST", "/imports/"): ("", None, 202),
    ("GET", "/imports/{id}/"): ("counted", None, 200),
    ("POST", "/imports/{id}/confirm/"): ("counted", None, 200),
    ("POST", "/imports/{id}/cancel/"): ("counted", None, 200),
    ("POST", "/imports/{id}/undo/"): ("contact_import", None, 200),
    ("GET", "/imports/{id}/refusals/"): ("counted", None, 200),
    ("GET", "/campaigns/"): ("", None, 200),
    ("POST", "/campaigns/"): ("", {"name": "Easter"}, 201),
    ("GET", "/campaigns/{id}/"): ("campaign", None, 200),
    ("PATCH", "/campaigns/{id}/"): ("campaign", {"name": "Easter"}, 200),
    ("GET", "/campaigns/{id}/report/"): ("campaign", None, 200),
    ("POST", "/campaigns/{id}/duplicate/"): ("campaign", {"starts_on": "2026-12-01"}, 201),
    ("GET", "/blasts/"): ("", None, 200),
    ("POST", "/blasts/"): ("", {"campaign": "$campaign", "groups": ["$group"], **BLAST}, 201),
    ("GET", "/blasts/{id}/"): ("draft", None, 200),
    ("PATCH", "/blasts/{id}/"): ("draft", BLAST, 200),
    ("POST", "/blasts/{id}/estimate/"): ("draft", None, 200),
    ("POST", "/blasts/{id}/launch/"): ("draft", {}, 202),
    ("POST", "/blasts/{id}/cancel/"): ("sent", None, 200),
    ("GET", "/blasts/{id}/report/"): ("sent", None, 200),
    ("POST", "/blasts/{id}/approval/"): ("draft", {"act": "ask"}, 200),
    ("POST", "/blasts/{id}/repeat/"): ("draft", RULE, 200),
    ("POST", "/blasts/{id}/duplicate/"): ("sent", {}, 201),
    ("POST", "/blasts/{id}/move/"): ("draft", {"on": NEXT_MONTH}, 200),
    ("POST", "/blasts/{id}/series/"): ("pattern", {"act": "pause"}, 200),
    ("GET", "/links/"): ("", None, 200),
    ("GET", "/links/{id}/"): ("link", None, 200),
    ("GET", "/link-settings/"): ("", None, 200),
    ("PATCH", "/link-settings/"): ("", {"utm_source": "textledger"}, 200),
    ("GET", "/messages/"): ("", None, 200),
    ("POST", "/messages/"): ("", {"to": "(202) 555-0187", **REPLY}, 201),
    ("GET", "/messages/{id}/"): ("message", None, 200),
    ("POST", "/media/"): ("", {"file_base64": GIF_BASE64}, 201),
    ("GET", "/media/{id}/"): ("media", None, 200),
    ("GET", "/conversations/"): ("", None, 200),
    ("GET", "/conversations/{id}/"): ("conversation", None, 200),
    ("GET", "/conversations/{id}/messages/"): ("conversation", None, 200),
    ("POST", "/conversations/{id}/reply/"): ("conversation", REPLY, 201),
}
# What is sent as a form with a file: its name and content.
FILES = {("POST", "/imports/"): ("people.csv", b"phone\n+12025550186\n")}
# Reads although it is a POST, so a key that reads may call it.
READS = {("POST", "/blasts/{id}/estimate/")}

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document, as it is served."""
    return dict(SchemaGenerator().get_schema(request=None, public=True))


@pytest.fixture(autouse=True)
def media(tmp_path: Path, settings: Any) -> None:
    """Where uploads go."""
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def world(account: Account, alice: User) -> World:
    """One of everything in Alice's shop; she may send."""
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True, verified=True)
    return world_create(account, alice)


@pytest.fixture
def call(world: World, alice: User) -> Call:
    """`call(operation, key="all")`: the row's call; keys: all, read, none."""
    ids = world.ids()
    scopes: dict[str, list[str]] = {"all": list(Scope.values), "read": [Scope.READ]}
    secrets = {
        name: services.apikey_create(account=world.account, actor=alice, name=name, scopes=own)[1]
        for name, own in scopes.items()
    }

    def _call(operation: Operation, *, key: str = "all", **other: Any) -> Any:
        method, path = operation
        thing, usual, _ = OPERATIONS[operation]
        sent = _filled(other.get("body", usual), ids)
        headers = {"authorization": f"Bearer {secrets[key]}"} if key in secrets else {}
        if operation in FILES:
            form = {"file": SimpleUploadedFile(*FILES[operation])}
            return Client().post(V1 + path, form, headers=headers)
        return Client().generic(
            method,
            V1 + path.replace("{id}", str(other.get("pk", ids.get(thing)))),
            sent if isinstance(sent, str) else "" if sent is None else json.dumps(sent),
            content_type="application/json",
            headers=headers,
        )

    return _call


def _filled(body: Any, ids: dict[str, int]) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, ids) for value in body]
    return ids[body[1:]] if isinstance(body, str) and body.startswith("$") else body


def _strict(node: Any) -> Any:
    """A described object has no other fields than those described."""
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    strict = {name: _strict(value) for name, value in node.items()}
    if isinstance(node.get("properties"), dict) and node.get("type") == "object":
        strict.setdefault("additionalProperties", False)
    return strict


def _breaches(document: dict[str, Any], operation: Operation, answer: Any) -> list[str]:
    """In what the answer is not as the document says."""
    method, path = operation
    described = document["paths"][V1 + path][method.lower()]["responses"]
    status = str(answer.status_code)
    response = described.get(status)
    if response is None:
        if answer.status_code < 400:
            return [f"{status} is not described"]
        response = described["default"]
    media = answer.headers.get("Content-Type", "").split(";")[0]
    if not response.get("content"):
        return [] if not answer.content else ["a body that is not described"]
    if media not in response["content"]:
        return [f"{media} is not described"]
    schema = {**response["content"][media]["schema"], "components": document["components"]}
    validator = Draft202012Validator(_strict(schema))
    return [f"{e.json_path}: {e.message}" for e in validator.iter_errors(answer.json())]


# --- The document ---


def test_the_document_is_made_without_warnings_and_is_valid(tmp_path: Path):
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "api.yml"))


def test_the_document_and_its_pages_are_served_to_everybody():
    document = Client().get(f"{V1}/schema/", headers={"accept": "application/json"})

    assert document.status_code == 200
    assert document.json()["openapi"] == "3.1.0"
    assert document.json()["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    assert Client().get(f"{V1}/docs/").status_code == 200


def test_every_operation_has_a_row_and_every_row_an_operation(document: dict[str, Any]):
    described = {
        (method.upper(), path.removeprefix(V1))
        for path, operations in document["paths"].items()
        for method in operations
    }

    assert described == set(OPERATIONS)


def test_every_operation_asks_for_a_key_and_says_what_it_does(document: dict[str, Any]):
    operations = [one for path in document["paths"].values() for one in path.values()]

    open_to_all = [one for one in operations if one.get("security") != [{"apiKey": []}]]
    summaries = [one.get("summary", "") for one in operations]
    unclear = [one for one in summaries if not one or len(one) > 95 or one.endswith(".")]
    assert (open_to_all, unclear) == ([], [])
    assert len({*summaries}) == len(summaries)


def test_a_picture_may_come_as_a_form_or_as_json(document: dict[str, Any]):
    body = document["paths"][f"{V1}/media/"]["post"]["requestBody"]["content"]
    schemas = document["components"]["schemas"]

    fields = {
        kind: schemas[one["schema"]["$ref"].rpartition("/")[2]]["properties"]
        for kind, one in body.items()
    }
    assert {kind: list(own) for kind, own in fields.items()} == {
        "multipart/form-data": ["file"],
        "application/json": ["file_base64"],
    }
    assert fields["multipart/form-data"]["file"]["format"] == "binary"


# --- The answers ---


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_the_answer_is_as_described(
    operation: Operation, call: Call, document: dict[str, Any]
) -> None:
    answer = call(operation)

    assert answer.status_code == OPERATIONS[operation][2], answer.content
    assert _breaches(document, operation, answer) == []
    if answer.content and "results" in answer.json():
        assert answer.json()["results"] != []


def _problems(
    document: dict[str, Any], call: Call, operations: list[Operation], **how: Any
) -> dict[Operation, tuple[int, str]]:
    """(status, code) of refused calls, each answered as the document says, nothing changed."""
    before = everything()
    refused = {}
    for operation in operations:
        answer = call(operation, **how)
        assert _breaches(document, operation, answer) == [], operation
        refused[operation] = (answer.status_code, answer.json()["code"])
    assert everything() == before
    return refused


def test_without_a_key_there_is_only_a_problem(call: Call, document: dict[str, Any]) -> None:
    everywhere = list(OPERATIONS)

    assert _problems(document, call, everywhere, key="none") == dict.fromkeys(
        everywhere, (401, "not_authenticated")
    )


def test_a_key_that_reads_changes_nothing(call: Call, document: dict[str, Any]) -> None:
    writes = [one for one in OPERATIONS if one[0] != "GET" and one not in READS]

    assert _problems(document, call, writes, key="read") == dict.fromkeys(
        writes, (403, "permission_denied")
    )


def test_what_is_not_there_is_a_problem(call: Call, document: dict[str, Any]) -> None:
    details = [one for one in OPERATIONS if "{id}" in one[1]]

    assert _problems(document, call, details, pk=999_999_999) == dict.fromkeys(
        details, (404, "not_found")
    )


@pytest.mark.parametrize(
    ("body", "problem"), [("{", (400, "parse_error")), ("[]", (422, "invalid"))]
)
def test_nonsense_is_a_problem_and_changes_nothing(
    body: str, problem: tuple[int, str], call: Call, document: dict[str, Any]
) -> None:
    forms = [operation for operation, (_, usual, _) in OPERATIONS.items() if usual]

    assert _problems(document, call, forms, body=body) == dict.fromkeys(forms, problem)


WRITES = [operation for operation, (_, body, _) in OPERATIONS.items() if isinstance(body, dict)]


@pytest.mark.parametrize("operation", WRITES, ids=" ".join)
def test_a_field_nobody_knows_is_refused_by_its_name(
    operation: Operation, call: Call, document: dict[str, Any]
) -> None:
    before = everything()
    body = {**OPERATIONS[operation][1], "shedule_at": "tomorrow"}

    answer = call(operation, body=body)

    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == ["shedule_at"]
    assert _breaches(document, operation, answer) == []
    assert everything() == before


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/nonsense", "/contacts/1/nonsense/", "/blasts/1/report/x"])
def test_an_address_that_does_not_exist_is_a_problem(method: str, path: str) -> None:
    answer = Client().generic(method, V1 + path, content_type="application/json")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_a_missing_slash_is_mended_without_losing_the_call() -> None:
    answer = Client().post(f"{V1}/contacts?x=1", {"phone": "1"}, content_type="application/json")

    assert (answer.status_code, answer.headers["Location"]) == (308, f"{V1}/contacts/?x=1")
