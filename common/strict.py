"""Request bodies of the API hold only what is asked for.

A field nobody knows is mostly a typing mistake: ignored, it would be a blast without its time or a
contact without its name, and the caller would think otherwise.
"""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ValidationError


class StrictFields:
    """Before any `Serializer` that reads a request: refuses unknown fields by name (422)."""

    fields: Any

    def to_internal_value(self, data: Any) -> Any:
        """The validated values.

        Raises:
            ValidationError: a field is unknown, or cannot be used.
        """
        known = self.fields
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in known]
            if unknown:
                sentence = f"There is no such field. There are: {', '.join(known)}."
                raise ValidationError({name: [sentence] for name in unknown})
        return super().to_internal_value(data)  # type: ignore[misc]  # a serializer comes after
