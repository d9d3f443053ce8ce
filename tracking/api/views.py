"""`/api/v1/links/`: tracked links with their counts."""

from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from accounts.access import calling_account
from tracking.models import Link


class LinkSerializer(serializers.ModelSerializer):
    """A destination in one batch. `human` leaves out previews, scanners and unsure hits."""

    class Meta:
        model = Link
        fields = [
            "id",
            "destination",
            "label",
            "batch_id",
            "recipients",
            "clicks_total",
            "clicks_human",
            "recipients_clicked",
            "recipients_human",
            "created_at",
        ]
        read_only_fields = fields


class LinkViewSet(viewsets.ReadOnlyModelViewSet[Link]):
    """The account's links, newest first."""

    serializer_class = LinkSerializer
    queryset = Link.objects.none()

    def get_queryset(self) -> QuerySet[Link]:
        """Only the key's account."""
        return Link.objects.filter(account=calling_account(self.request))
