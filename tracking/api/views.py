"""`/api/v1/links/`: tracked links with their counts; `/api/v1/link-settings/`: how they look."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import calling_account, calling_user
from common.strict import StrictFields
from tracking import selectors, services
from tracking.models import Link, LinkSettings


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


@extend_schema_view(retrieve=extend_schema(description="One link, with its hits."))
class LinkViewSet(viewsets.ReadOnlyModelViewSet[Link]):
    """The account's links, newest first."""

    serializer_class = LinkSerializer
    queryset = Link.objects.none()

    def get_queryset(self) -> QuerySet[Link]:
        """Only the key's account."""
        return Link.objects.filter(account=calling_account(self.request))


class LinkSettingsSerializer(StrictFields, serializers.Serializer[LinkSettings]):
    """How the account's links look and how long they live; what is left out stays as it is."""

    domain = serializers.CharField(
        max_length=253, allow_blank=True, allow_null=True, help_text="Null for the platform's."
    )
    expires_after_days = serializers.IntegerField(
        allow_null=True, help_text="Counted from the launch; null for never."
    )
    fallback_url = serializers.CharField(
        max_length=2000,
        allow_blank=True,
        help_text="Where ended links lead; empty for a plain page.",
    )
    utm_source = serializers.CharField(
        max_length=80, allow_blank=True, help_text="Empty: nothing is added to links."
    )
    utm_medium = serializers.CharField(max_length=80, allow_blank=True)


class LinkSettingsViewSet(viewsets.ViewSet):
    """How the account's links look and how long they live: one thing, without an id."""

    serializer_class = LinkSettingsSerializer

    @extend_schema(operation_id="link_settings_retrieve", responses=LinkSettingsSerializer)
    def retrieve(self, request: Request) -> Response:
        """The settings of links, as they hold now."""
        row = selectors.link_settings(calling_account(request))
        return Response(LinkSettingsSerializer(row).data)

    @extend_schema(
        operation_id="link_settings_update",
        request=LinkSettingsSerializer,
        responses=LinkSettingsSerializer,
    )
    def partial_update(self, request: Request) -> Response:
        """Change the settings of links that are named.

        The domain and the end reach links that are made from then on.
        """
        form = LinkSettingsSerializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        account = calling_account(request)
        now = LinkSettingsSerializer(selectors.link_settings(account)).data
        row = services.link_settings_update(
            account=account, actor=calling_user(request), **{**now, **form.validated_data}
        )
        return Response(LinkSettingsSerializer(row).data)
