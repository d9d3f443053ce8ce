"""Request bodies of the API are JSON and hold only what is asked for.

A field nobody knows is mostly a typing mistake: ignored, it would be a blast without its time or a
contact without its name, and the caller would think otherwise.
"""

from collections.abc import Mapping
from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.serializers import Serializer


class JSONParser(parsers.JSONParser):
    """Bodies nested so deep that nobody can mean it are refused like any that is no JSON (400)."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """The value.

        Raises:
            ParseError: it is no JSON, or nested too deep.
        """
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise ParseError("This is nested too deep.") from error


class StrictFields(Serializer):
    """Before any `Serializer` that reads a request: refuses unknown fields by name (422)."""

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
        return super().to_internal_value(data)
