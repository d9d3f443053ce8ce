"""`/api/v1/imports/`: a file of contacts, or of people who must not be texted, as on the page."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import calling_account, calling_user
from common.openapi import BinaryField
from common.pagination import KeysetPagination
from common.strict import JSONParser, StrictFields
from contacts import selectors, services
from contacts.api.serializers import IdField, TagNamesField
from contacts.choices import ImportPurpose, ImportStatus
from contacts.models import ContactImport, ImportRefusal


class ImportSerializer(serializers.ModelSerializer[ContactImport]):
    """An import. `rows_read` is the sum of new, updated, unchanged, duplicate and refused.

    Of one that was undone, `people_removed` were taken out, `people_restored` put back as they
    were, and `people_left` left alone, as something happened to them since.
    """

    status = serializers.ChoiceField(choices=ImportStatus.choices, read_only=True)
    columns = serializers.ListField(child=serializers.CharField(), source="mapping")

    class Meta:
        model = ContactImport
        fields = [
            "id",
            "filename",
            "purpose",
            "status",
            "error",
            "columns",
            "group",
            "tags",
            "rows_read",
            "rows_new",
            "rows_updated",
            "rows_unchanged",
            "rows_duplicate",
            "rows_refused",
            "people_opted_out",
            "people_landline",
            "people_removed",
            "people_restored",
            "people_left",
            "created_at",
            "finished_at",
            "undone_at",
        ]
        read_only_fields = fields


class RefusalSerializer(serializers.ModelSerializer[ImportRefusal]):
    """A row that was not taken, and why. `raw` is the row itself, its first 2,000 characters."""

    class Meta:
        model = ImportRefusal
        fields = ["id", "line", "reason", "sentence", "raw"]
        read_only_fields = fields


class ImportCreateSerializer(StrictFields, serializers.Serializer[dict[str, Any]]):
    """A form with a file: CSV, or a workbook of Excel (.xlsx, .xlsm)."""

    file = BinaryField(allow_empty_file=True, use_url=False)
    purpose = serializers.ChoiceField(
        choices=ImportPurpose.choices, required=False, default=ImportPurpose.CONTACTS
    )
    columns = serializers.ListField(
        child=serializers.CharField(allow_blank=True, max_length=120),
        required=False,
        help_text="Where each column goes, in their order; empty leaves one out. Not given: guessed"
        " from the headings, as on the page.",
    )
    group = IdField(required=False, help_text="A group for everybody in the file.")
    group_name = serializers.CharField(
        required=False, allow_blank=True, max_length=80, help_text="A group to be made, instead."
    )
    tags = TagNamesField(required=False, help_text="Tags for everybody in the file.")
    consent_wording = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=500,
        help_text="How these people agreed to be texted; of an opt-out list, where it comes from.",
    )
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Count what would be done, and wait for confirm."
    )


class RefusalPagination(KeysetPagination):
    """In the order in which they were found in the file."""

    ordering = "id"


@extend_schema_view(retrieve=extend_schema(description="One import, and how far it is."))
class ImportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Any]):
    """Imports, newest first."""

    serializer_class = ImportSerializer
    queryset = ContactImport.objects.none()
    filter_backends: list[Any] = []

    def get_queryset(self) -> QuerySet[ContactImport]:
        """Only the key's account."""
        return selectors.imports_list(account=calling_account(self.request))

    def get_parsers(self) -> list[Any]:
        """Only an upload is a form."""
        uploads = self.request is not None and self.action_map.get("post") == "create"
        return [MultiPartParser()] if uploads else [JSONParser()]

    @extend_schema(
        request={"multipart/form-data": ImportCreateSerializer}, responses={202: ImportSerializer}
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Import a file in the background; look at its `status` until it is `done` or `failed`.

        Whoever opted out stays out. A file that cannot be used is refused at once, with 422.
        """
        form = ImportCreateSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = dict(form.validated_data)
        made = services.import_take(
            account=calling_account(request),
            actor=calling_user(request),
            upload=asked.pop("file"),
            purpose=ImportPurpose(asked.pop("purpose")),
            mapping=asked.pop("columns", None),
            group_id=asked.pop("group", None),
            **asked,
        )
        return Response(ImportSerializer(made).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Have the rows of a dry run written, once its status is `checked`."""
        return self._move(services.import_confirm)

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Stop an import before anything of it is written; nothing of it stays."""
        return self._move(services.import_cancel)

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Undo a finished import in the background, within 30 days, the newest one first.

        Whoever was edited, texted or heard from since is left alone, and opt-outs stay.
        """
        return self._move(services.import_undo)

    @extend_schema(responses=RefusalSerializer(many=True))
    @action(detail=True, pagination_class=RefusalPagination)
    def refusals(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Rows that were not taken, in their order."""
        rows = ImportRefusal.objects.filter(contact_import=self.get_object())
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(RefusalSerializer(page or (), many=True).data)

    def _move(self, move: Any) -> Response:
        moved = move(
            account=calling_account(self.request),
            actor=calling_user(self.request),
            import_id=self.get_object().pk,
        )
        return Response(ImportSerializer(moved).data)
