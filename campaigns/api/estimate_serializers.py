"""Shapes of what a blast would do and cost, before it goes out, in the API."""

from rest_framework import serializers


class AdviceSerializer(serializers.Serializer):
    """Something to think about before sending; it stops nothing."""

    code = serializers.CharField()
    sentence = serializers.CharField(help_text="What was found and why it matters.")
    fix = serializers.CharField(help_text="What to do about it.")


class BlankSerializer(serializers.Serializer):
    """A field that some people have no value for."""

    name = serializers.CharField()
    left_out = serializers.IntegerField(help_text="People who are not texted because of it.")
    fallback = serializers.IntegerField(help_text="People who are texted and read its fallback.")


class SlotSerializer(serializers.Serializer):
    """People who are texted from one moment on."""

    at = serializers.DateTimeField()
    zones = serializers.ListField(
        child=serializers.CharField(), help_text="Time zones they may be in, largest first."
    )
    people = serializers.IntegerField()


class CappedSerializer(serializers.Serializer):
    """People who had as many blasts as the account allows, and wait until there is room."""

    people = serializers.IntegerField()
    first_at = serializers.DateTimeField(help_text="When the first of them goes, as known now.")
    last_at = serializers.DateTimeField(help_text="When the last of them goes, as known now.")


class PricedSerializer(serializers.Serializer):
    """People whose texts cost the same for each segment."""

    price = serializers.IntegerField(help_text="Credits a segment, or a picture message.")
    people = serializers.IntegerField()
    segments = serializers.IntegerField(help_text="Of their texts.")
    credits = serializers.IntegerField()


class EstimateSerializer(serializers.Serializer):
    """What a blast would do if it went out now."""

    people = serializers.IntegerField(help_text="In the groups, each once.")
    texted = serializers.IntegerField(help_text="Sooner or later.")
    texted_now = serializers.IntegerField(help_text="As soon as it starts.")
    later = SlotSerializer(many=True, help_text="Who waits for a time of day, by when.")
    capped = CappedSerializer(
        allow_null=True, help_text="Who waits because of the account's cap on blasts."
    )
    not_texted = serializers.DictField(
        child=serializers.IntegerField(), help_text="Reason to number of people."
    )
    encoding = serializers.ChoiceField(choices=["GSM-7", "UCS-2"])
    segments = serializers.IntegerField(help_text="Of all texts together.")
    max_segments = serializers.IntegerField(help_text="Of the longest text.")
    credits = serializers.IntegerField()
    exact = serializers.BooleanField(help_text="Always true: every text is counted.")
    blanks = BlankSerializer(many=True)
    by_price = PricedSerializer(many=True, help_text="Countries differ in what a segment costs.")
    advice = AdviceSerializer(many=True)
