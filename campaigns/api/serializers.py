"""Shapes of campaigns, blasts, series and approvals in the API."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns.choices import Every
from campaigns.models import Approval, Blast, Campaign, Series
from campaigns.recurring import COUNT_LIMIT, INTERVAL_LIMIT, Rule
from campaigns.services.blasts import DRAFT_LIMIT, GIVE_UP_LIMIT_HOURS, NAME_LIMIT
from campaigns.services.campaigns import BUDGET_LIMIT
from common.strict import StrictFields
from messaging.pictures import PICTURES_LIMIT


class CampaignSerializer(StrictFields, serializers.ModelSerializer):
    """A campaign; `archived_at` is set while it is put away."""

    class Meta:
        model = Campaign
        fields = ["id", "name", "goes_first", "budget_credits", "created_at", "archived_at"]
        read_only_fields = ["id", "created_at", "archived_at"]


class CampaignChangeSerializer(StrictFields, serializers.Serializer):
    """What of a campaign may be changed."""

    name = serializers.CharField(max_length=NAME_LIMIT, required=False)
    goes_first = serializers.BooleanField(
        required=False, help_text="Its blasts go before those of other campaigns."
    )
    budget_credits = serializers.IntegerField(
        required=False, min_value=0, max_value=BUDGET_LIMIT, help_text="0: no limit."
    )
    archived = serializers.BooleanField(required=False)


class UtmSerializer(StrictFields, serializers.Serializer):
    """UTM parameters of one blast's links, instead of the account's and of its name."""

    utm_source = serializers.CharField(max_length=80, required=False, allow_blank=True)
    utm_medium = serializers.CharField(max_length=80, required=False, allow_blank=True)
    utm_campaign = serializers.CharField(max_length=80, required=False, allow_blank=True)


RULE = ["every", "at", "starts_on", "interval", "weekdays", "ends_on", "count", "is_local"]


class RuleSerializer(StrictFields, serializers.Serializer):
    """How a blast repeats; times are of the account's clock, or of each recipient's."""

    every = serializers.ChoiceField(choices=Every.choices)
    at = serializers.TimeField(help_text="Where clocks skip it, the next moment.")
    starts_on = serializers.DateField(help_text="The first day; of months, also which day.")
    interval = serializers.IntegerField(required=False, min_value=1, max_value=INTERVAL_LIMIT)
    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6),
        required=False,
        max_length=7,
        help_text="Of weeks; Monday is 0. Left out: the weekday of `starts_on`.",
    )
    ends_on = serializers.DateField(required=False, allow_null=True)
    count = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=COUNT_LIMIT
    )
    is_local = serializers.BooleanField(
        required=False, help_text="`at` is on the clock of each recipient."
    )

    @property
    def rule(self) -> Rule:
        """The rule; after validation."""
        data = {**self.validated_data}
        return Rule(**{**data, "weekdays": tuple(data.get("weekdays", ()))})


class SeriesSerializer(serializers.ModelSerializer):
    """How a blast repeats, or of a draft is meant to, and when next.

    With `is_local` the next is launched at `next_at`, the first turn of anybody, and each is
    texted on `next_on` at the time of their own clock.
    """

    class Meta:
        model = Series
        fields = ["state", "next_on", "next_at", "skipped_on", *RULE]
        read_only_fields = fields


class SeriesActSerializer(StrictFields, serializers.Serializer):
    """What to do with a series."""

    act = serializers.ChoiceField(choices=["pause", "resume", "skip", "unskip", "stop"])
    on = serializers.DateField(
        required=False,
        help_text="The day to skip (left out: the next one), or to bring back with `unskip`.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A day goes with the acts that are about one."""
        if attrs["act"] == "unskip" and "on" not in attrs:
            raise serializers.ValidationError({"on": "Give the day to bring back."})
        if attrs["act"] not in ("skip", "unskip") and "on" in attrs:
            raise serializers.ValidationError({"on": "A day goes with skip and unskip only."})
        return attrs


class ApprovalSerializer(serializers.ModelSerializer):
    """A second person's word: what it covers, and who said what."""

    requested_by = serializers.CharField(source="requested_by.email", default=None, allow_null=True)
    decided_by = serializers.CharField(source="decided_by.email", default=None, allow_null=True)

    class Meta:
        model = Approval
        fields = [
            "id",
            "state",
            "people",
            "credits",
            "requested_by",
            "requested_at",
            "note",
            "decided_by",
            "decided_at",
            "answer",
            "void_why",
        ]
        read_only_fields = fields


class BlastSerializer(serializers.ModelSerializer):
    """A blast. `batch` is the id of its messages' batch once it is launched."""

    utm = UtmSerializer(read_only=True)
    groups = serializers.SerializerMethodField()
    sender = serializers.SerializerMethodField()
    local_at = serializers.SerializerMethodField()
    repeats = serializers.SerializerMethodField()
    series = serializers.SerializerMethodField()
    approval = serializers.SerializerMethodField()
    more_senders = serializers.SerializerMethodField()
    media = serializers.ListField(
        child=serializers.IntegerField(),
        source="media_ids",
        read_only=True,
        help_text="Ids of its pictures, in order.",
    )

    class Meta:
        model = Blast
        fields = [
            "id",
            "campaign",
            "name",
            "body",
            "groups",
            "sender",
            "more_senders",
            "state",
            "state_reason",
            "scheduled_at",
            "local_at",
            "repeats",
            "series",
            "occurrence_on",
            "approval",
            "give_up_hours",
            "smart_encoding",
            "media",
            "utm",
            "estimated_credits",
            "batch",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    def get_groups(self, blast: Blast) -> list[int]:
        """Ids of the groups that are texted."""
        return sorted(group.pk for group in blast.groups.all())

    @extend_schema_field(SeriesSerializer(allow_null=True))
    def get_repeats(self, blast: Blast) -> dict[str, Any] | None:
        """How it repeats; null for a blast that goes out once."""
        series = getattr(blast, "repeats", None)
        return dict(SeriesSerializer(series).data) if series else None

    @extend_schema_field(ApprovalSerializer(allow_null=True))
    def get_approval(self, blast: Blast) -> dict[str, Any] | None:
        """The newest request for a second person's approval; null where nobody asked."""
        newest = max(blast.approvals.all(), key=lambda one: one.pk, default=None)
        return dict(ApprovalSerializer(newest).data) if newest else None

    def get_series(self, blast: Blast) -> int | None:
        """Id of the repeating blast of which this is one occurrence."""
        return blast.series.blast_id if blast.series else None

    def get_local_at(self, blast: Blast) -> str | None:
        """The time on each recipient's own clock, without an offset; null for one moment."""
        return blast.wall.isoformat() if blast.wall else None

    def get_sender(self, blast: Blast) -> str | None:
        """The number it is sent from (E.164); null for the usual one."""
        return blast.sender.phone if blast.sender else None

    def get_more_senders(self, blast: Blast) -> list[str]:
        """Other numbers it is spread over."""
        return sorted(sender.phone for sender in blast.more_senders.all())


class BlastWriteSerializer(StrictFields, serializers.Serializer):
    """A draft as it is written; all but `campaign` may be left out and changed later."""

    campaign = serializers.IntegerField(help_text="Id of a campaign.")
    name = serializers.CharField(
        max_length=NAME_LIMIT, required=False, allow_blank=True, help_text="Else its first words."
    )
    body = serializers.CharField(
        max_length=DRAFT_LIMIT,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="With merge fields such as `{{first_name|there}}`.",
    )
    groups = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="Ids of the groups to text."
    )
    sender = serializers.CharField(
        max_length=16, required=False, help_text="One of your numbers; else the usual one."
    )
    more_senders = serializers.ListField(
        child=serializers.CharField(max_length=16),
        required=False,
        max_length=50,
        help_text="More of your numbers to spread it over.",
    )
    give_up_hours = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=GIVE_UP_LIMIT_HOURS,
        help_text="Leave out whoever has not been texted so many hours after its start; 0: nobody.",
    )
    smart_encoding = serializers.BooleanField(
        required=False, help_text="Replace look-alikes in texts that become cheaper by it."
    )
    media = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        max_length=PICTURES_LIMIT,
        help_text="Ids of its pictures, in order (`/media/`); replaces those it had.",
    )
    utm = UtmSerializer(required=False, help_text="Of this blast's links; replaces what it had.")


class ApprovalActSerializer(StrictFields, serializers.Serializer):
    """Ask for approval, or decide about it as the person whom the key belongs to."""

    act = serializers.ChoiceField(choices=["ask", "approve", "reject"])
    approval = serializers.IntegerField(
        required=False, help_text="Id of the request that was read; needed to approve or reject it."
    )
    note = serializers.CharField(required=False, allow_blank=True, max_length=500)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A decision names what was read."""
        if attrs["act"] != "ask" and "approval" not in attrs:
            raise serializers.ValidationError(
                {"approval": "Give the id of the request that you read."}
            )
        return attrs


class BlastCopySerializer(StrictFields, serializers.Serializer):
    """A copy of a blast, planned for a day or for none."""

    on = serializers.DateField(
        required=False, help_text="Its day; without one, one that repeats is meant to do so too."
    )


class CampaignCopySerializer(StrictFields, serializers.Serializer):
    """A copy of a campaign and its blasts."""

    name = serializers.CharField(max_length=NAME_LIMIT, required=False, allow_blank=True)
    starts_on = serializers.DateField(
        required=False, help_text="Day of the first blast; the others keep their distance from it."
    )


class MoveSerializer(StrictFields, serializers.Serializer):
    """Another day for a blast that has not gone out."""

    on = serializers.DateField()
    at = serializers.TimeField(
        required=False, help_text="On the clock it is planned by. Left out: its time of day stays."
    )


class LaunchSerializer(StrictFields, serializers.Serializer):
    """When a blast goes out."""

    at = serializers.DateTimeField(
        required=False, help_text="With an offset. Left out: in a few seconds."
    )
    local_at = serializers.CharField(
        required=False,
        max_length=19,
        help_text="Instead of `at`: without an offset, on the clock of each recipient, such as "
        "`2026-12-01T10:00`. Whoever is past it is texted at once.",
    )

    def validate_local_at(self, text: str) -> datetime:
        """A day and a time without a zone."""
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            found = None
        if found is None or found.tzinfo is not None or not 2000 <= found.year < 2100:
            raise serializers.ValidationError("A day and a time without an offset.")
        return found

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two."""
        if "at" in attrs and "local_at" in attrs:
            raise serializers.ValidationError({"local_at": "Give `at` or `local_at`, not both."})
        return attrs
