"""What operations of the API's document say alike: what each does, how a refusal is answered.

Owns the `Problem` component, the shape of `common.problems`, and the field of an uploaded file.
"""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details. `code` is stable; `detail` is a sentence for people.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Field name to what is wrong with it.",
        },
    },
    "required": ["type", "title", "status", "code", "detail"],
    "additionalProperties": False,
}
_REFUSED = {
    "description": "Refused; nothing was changed.",
    "content": {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
    },
}


def problems_describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook: give every operation the answer of a refusal."""
    result["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = _REFUSED
    return result


def summaries_describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook: the first sentence of a description is read while it is folded."""
    for path in result["paths"].values():
        for operation in path.values():
            first, *rest = re.split(r"(?<=\.)\s+", operation["description"], maxsplit=1)
            operation["summary"] = " ".join(first.split()).removesuffix(".").replace("`", "")
            operation["description"] = "".join(rest)
    return result


@extend_schema_field({"type": "string", "format": "binary"})
class BinaryField(serializers.FileField):
    """A file of a form, described as OpenAPI has it."""
