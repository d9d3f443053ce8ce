"""API errors as RFC 9457 problem details: `type, title, status, code, detail, fields`."""

from typing import Any

from django.http import Http404
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from common.errors import DomainError


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal has a stable `code` and a sentence."""
    if isinstance(error, DomainError):
        set_rollback()
        return _problem(error.http_status, error.code, error.message, error.fields)
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {"": error.detail}
        detail = "Some fields cannot be used; nothing was changed. See `fields`."
        body = _problem(422, "invalid", detail, {k: _sentence(v) for k, v in fields.items()})
    elif isinstance(error, Http404):
        body = _problem(404, "not_found", "There is no such thing in this account.", {})
    else:
        code = error.get_codes() if isinstance(error, APIException) else "error"
        detail = _sentence(response.data.get("detail", ""))
        body = _problem(response.status_code, str(code), detail, {})
    for name, value in response.items():
        if name.lower() in ("www-authenticate", "retry-after"):
            body[name] = value
    return body


def _sentence(detail: Any) -> str:
    if isinstance(detail, dict):
        return "; ".join(f"{name}: {_sentence(value)}" for name, value in detail.items())
    if isinstance(detail, list):
        return " ".join(_sentence(item) for item in detail)
    return str(detail)


def _problem(status: int, code: str, detail: str, fields: dict[str, str]) -> Response:
    body = {
        "type": f"urn:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
    }
    if fields:
        body["fields"] = fields
    return Response(body, status=status, content_type="application/problem+json")
