"""Shapes of contacts and groups in the API. Values are checked by services, not here."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.strict import StrictFields
from contacts.choices import Consent, ConsentKind, TimelineKind
from contacts.models import ConsentEvent, Contact, Group
from contacts.services.people import ROWS_MAX


class IdField(serializers.IntegerField):
    """An id, within what PostgreSQL can compare."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=2**63 - 1, **kwargs)


class ContactSerializer(serializers.ModelSerializer):
    """A contact. `phone` is E.164; `consent` is the current word on whether they may be texted."""

    consent = serializers.ChoiceField(choices=Consent.choices, read_only=True)
    tags = serializers.SerializerMethodField()

    class Meta:
        model = Contact
        fields = [
            "id",
            "phone",
            "first_name",
            "last_name",
            "email",
            "timezone",
            "custom",
            "tags",
            "line_type",
            "region",
            "consent",
            "consent_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    def get_tags(self, contact: Contact) -> list[str]:
        """Names of its tags, in the order of the alphabet."""
        return sorted((tag.name for tag in contact.tags.all()), key=str.lower)


@extend_schema_field(
    {
        "oneOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}],
        "nullable": True,
    }
)
class OwnValueField(serializers.JSONField):
    """A value of a field of the account's own: services say what is wrong with it."""


class ContactFieldsSerializer(StrictFields, serializers.Serializer[dict[str, Any]]):
    """Fields of a contact as they are sent in; `phone` in any usual form."""

    phone = serializers.CharField(max_length=80, help_text="E.164, or as dialled in your country.")
    first_name = serializers.CharField(required=False, allow_blank=True)
    last_name = serializers.CharField(required=False, allow_blank=True)
    email = serializers.CharField(required=False, allow_blank=True)
    timezone = serializers.CharField(
        required=False, allow_blank=True, help_text="IANA name, such as America/New_York."
    )
    custom = serializers.DictField(
        child=OwnValueField(allow_null=True),
        required=False,
        help_text=(
            "Your own fields by key: small letters, digits and _. A value has to fit its field's"
            " type; it is given back as kept: 12.5, 2026-05-03, true, Large."
        ),
    )


class TagNamesField(serializers.ListField):
    """Names of tags; services say what is wrong with one."""

    child = serializers.CharField(max_length=200)


class ContactChangeSerializer(ContactFieldsSerializer):
    """Fields of a contact to change."""

    tags = TagNamesField(required=False, help_text="All of its tags; others come off.")


class ContactCreateSerializer(ContactFieldsSerializer):
    """A contact to add or complete."""

    tags = TagNamesField(required=False, help_text="Tags to put on it.")

    groups = serializers.ListField(
        child=IdField(), required=False, help_text="Ids of groups to put it into."
    )
    consent_wording = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=500,
        help_text="How the person agreed to be texted. Nobody who opted out is opted in by it.",
    )


@extend_schema_field(ContactFieldsSerializer(many=True))
class RowsField(serializers.ListField):
    """Rows as they come: what is wrong with one of them is said in its result."""

    child = serializers.DictField(child=serializers.JSONField(allow_null=True))


class ContactBulkSerializer(StrictFields, serializers.Serializer[dict[str, Any]]):
    """Up to 1,000 contacts to add or complete; bad rows are refused one by one."""

    rows = RowsField(max_length=ROWS_MAX)
    groups = serializers.ListField(child=IdField(), required=False)
    tags = TagNamesField(required=False, help_text="Tags to put on all of them.")
    consent_wording = serializers.CharField(required=False, allow_blank=True, max_length=500)
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Write nothing; say what would become of each row."
    )


class RowResultSerializer(serializers.Serializer[Any]):
    """What became of one row; for a refused one `code` is the field at fault.

    `duplicate`: a later row has the same phone, and that one counts.
    """

    status = serializers.ChoiceField(
        choices=["new", "updated", "unchanged", "duplicate", "refused"]
    )
    contact_id = serializers.IntegerField(allow_null=True)
    phone = serializers.CharField(allow_blank=True)
    code = serializers.CharField(allow_blank=True)
    message = serializers.CharField(allow_blank=True)


class BulkResultSerializer(serializers.Serializer[Any]):
    """One result a row, in the order of the rows."""

    results = RowResultSerializer(many=True)


class MergeSerializer(StrictFields, serializers.Serializer[dict[str, Any]]):
    """Who is the same person, and which of their values stay."""

    other = IdField(help_text="The contact that goes into this one, and is deleted.")
    take = serializers.ListField(
        child=serializers.CharField(max_length=60),
        max_length=200,
        required=False,
        help_text="Fields whose value is the other's: first_name, last_name, email, timezone, or"
        " custom.<key>. The rest stays as it is here.",
    )


class ConsentEventSerializer(serializers.ModelSerializer):
    """An opt-in or opt-out with its proof."""

    kind = serializers.ChoiceField(choices=ConsentKind.choices, read_only=True)

    class Meta:
        model = ConsentEvent
        fields = ["id", "kind", "source", "wording", "message_id", "import_id", "at"]
        read_only_fields = fields


class TimelineEntrySerializer(serializers.Serializer[Any]):
    """One thing that happened with a person. `message_id`, `import_id`, `group_id`: of what."""

    kind = serializers.ChoiceField(choices=TimelineKind.choices)
    at = serializers.DateTimeField()
    title = serializers.CharField()
    text = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    state = serializers.CharField(allow_blank=True, help_text="Of a text.")
    reason = serializers.CharField(allow_blank=True, help_text="Why a text was not sent or failed.")
    verdict = serializers.CharField(allow_blank=True, help_text="Of a click: person or robot.")
    message_id = serializers.IntegerField(allow_null=True)
    import_id = serializers.IntegerField(allow_null=True)
    group_id = serializers.IntegerField(allow_null=True)


class TimelineSerializer(serializers.Serializer[Any]):
    """A page of a timeline, newest first; `next` is the address of the older ones."""

    results = TimelineEntrySerializer(many=True)
    next = serializers.URLField(allow_null=True)


class ConsentChangeSerializer(StrictFields, serializers.Serializer[dict[str, Any]]):
    """An opt-in or opt-out to put on record."""

    kind = serializers.ChoiceField(
        choices=[(kind.value, kind.label) for kind in (ConsentKind.IN, ConsentKind.OUT)]
    )
    wording = serializers.CharField(
        max_length=500, help_text="How the person agreed, or what they asked for."
    )


_RULE = {
    "type": "object",
    "nullable": True,
    "additionalProperties": True,
    "description": (
        "One of {all: [rule, …]}, {any: [rule, …]}, {not: rule}, {field, op, value}, {group: id},"
        " {tag: id}, {did, blast | campaign, days}; see docs/groups.md. Null for a static group."
    ),
    "example": {"all": [{"did": "clicked", "days": 30}, {"not": {"group": 7}}]},
}


@extend_schema_field(_RULE)
class RulesField(serializers.JSONField):
    """Rules of a smart group, as they come: contacts.rules says what is wrong with them."""


class GroupSerializer(StrictFields, serializers.ModelSerializer):
    """A group and the number of its members.

    With `rules` it is smart: they decide who is in it, and `size` is how many they fitted at
    `counted_at`.
    """

    size = serializers.IntegerField(read_only=True, default=0)
    rules = RulesField(required=False, allow_null=True)

    class Meta:
        model = Group
        fields = ["id", "name", "size", "rules", "counted_at", "created_at"]
        read_only_fields = ["id", "size", "counted_at", "created_at"]
        validators: list[Any] = []


class MembersSerializer(StrictFields, serializers.Serializer[dict[str, Any]]):
    """Contacts to put into a group or to take out."""

    contacts = serializers.ListField(child=IdField(), max_length=ROWS_MAX)


class ChangedSerializer(serializers.Serializer[Any]):
    """How many contacts the request really moved."""

    changed = serializers.IntegerField()
