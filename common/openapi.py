"""What operations of the API's document say alike: what each does, how a refusal is answered.

Owns the `Problem` component, the shape of `common.problems`, and the field of an uploaded file.
"""

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
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


class Schema(AutoSchema):
    """Summary and description of an operation, both from the docstring of its view.

    The first sentence is the summary, which is read while the operation is folded. A view that
    takes over DRF's own `retrieve` has no docstring for it; what it answers is one of its rows.
    """

    def get_summary(self) -> str:
        """The first sentence as plain words, without its dot."""
        return self._sentences()[0].removesuffix(".").replace("`", "")

    def get_description(self) -> str:
        """What the docstring says after its first sentence."""
        return self._sentences()[1]

    def _sentences(self) -> tuple[str, str]:
        own = getattr(self.view, self.view.action)
        if self.view.action == "retrieve" and not own.__doc__:
            return f"One {self.view.queryset.model._meta.verbose_name}", ""
        first, *rest = re.split(r"(?<=\.)\s+", super().get_description(), maxsplit=1)
        return " ".join(first.split()), "".join(rest)


@extend_schema_field({"type": "string", "format": "binary"})
class BinaryField(serializers.FileField):
    """A file of a form, described as OpenAPI has it."""
