"""Shapes of the reports on blasts and campaigns in the API."""

from typing import Any

from rest_framework import serializers

from messaging.choices import MessageState, Reason
from messaging.selectors.figures import Rate


class RateSerializer(serializers.Serializer):
    """`count` of `of`; `rate` is null where there is nothing to divide by."""

    count = serializers.IntegerField()
    of = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True)

    def to_representation(self, instance: Rate) -> dict[str, Any]:
        """Each part under its name."""
        return dict(zip(self.fields, instance, strict=True))


class ReasonCountSerializer(serializers.Serializer):
    """Messages in one state for one reason."""

    state = serializers.ChoiceField(choices=MessageState.choices)
    reason = serializers.ChoiceField(choices=Reason.choices)
    messages = serializers.IntegerField()


class FiguresSerializer(serializers.Serializer):
    """`messaging.selectors.Figures`: counts and rates, as the dashboard's reports show them."""

    audience = serializers.IntegerField(help_text="Everybody in the list, texted or not.")
    skipped = serializers.IntegerField(help_text="Not texted, by us.")
    pending = serializers.IntegerField(help_text="The carrier was not asked yet.")
    unknown = serializers.IntegerField(help_text="The carrier's answer was lost.")
    accepted = serializers.IntegerField(help_text="The carrier took it, whatever came of it.")
    refused = serializers.IntegerField(help_text="The carrier did not take it.")
    sent = serializers.IntegerField(help_text="Handed on, nothing heard since.")
    delivered = serializers.IntegerField()
    delivered_linked = serializers.IntegerField(help_text="Delivered with a link in the text.")
    undelivered = serializers.IntegerField()
    failed = serializers.IntegerField()
    clicked = serializers.IntegerField(help_text="Recipients with a click of a person.")
    hit = serializers.IntegerField(help_text="Recipients with any hit, robots' too.")
    clicks_total = serializers.IntegerField()
    clicks_human = serializers.IntegerField()
    replied = serializers.IntegerField()
    opted_out = serializers.IntegerField()
    segments = serializers.IntegerField()
    credits = serializers.IntegerField()
    delivery_rate = RateSerializer(help_text="Delivered, of accepted and refused.")
    click_rate = RateSerializer(help_text="Clicked, of delivered with a link in the text.")
    response_rate = RateSerializer(help_text="Replied, of delivered.")
    unsubscribe_rate = RateSerializer(help_text="Opted out, of delivered.")


class BlastReportSerializer(serializers.Serializer):
    """The message report."""

    blast = serializers.IntegerField()
    batch = serializers.IntegerField()
    batch_state = serializers.CharField()
    launched_at = serializers.DateTimeField()
    figures = FiguresSerializer()
    reasons = ReasonCountSerializer(many=True)


class CampaignReportSerializer(serializers.Serializer):
    """The campaign report: all blasts together, and each launched one, oldest first."""

    campaign = serializers.IntegerField()
    figures = FiguresSerializer(allow_null=True)
    blasts = BlastReportSerializer(many=True)
