"""`/api/v1/contacts/` and `/api/v1/groups/`."""

from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import calling_account, calling_user
from contacts import selectors, services
from contacts.api.serializers import (
    BulkResultSerializer,
    ChangedSerializer,
    ConsentChangeSerializer,
    ConsentEventSerializer,
    ContactBulkSerializer,
    ContactChangeSerializer,
    ContactCreateSerializer,
    ContactSerializer,
    GroupSerializer,
    MembersSerializer,
    TimelineSerializer,
)
from contacts.choices import Consent, ConsentKind, ConsentSource, TimelineKind
from contacts.errors import ContactInvalid
from contacts.looking import looking
from contacts.models import Contact, Group
from contacts.timeline import contact_timeline

TIMELINE_SIZE = 100


class ContactFilter(filters.FilterSet):
    """Query parameters of the list."""

    phone = filters.CharFilter(help_text="Exactly this number, E.164.")
    consent = filters.ChoiceFilter(choices=Consent.choices)
    group = filters.NumberFilter(
        method="in_group", help_text="Only people of this group, static or smart."
    )
    tag = filters.CharFilter(method="tagged", help_text="Only people with this tag, by its name.")
    search = filters.CharFilter(
        method="searched", help_text="Beginnings of names, e-mail or phone."
    )

    class Meta:
        model = Contact
        fields: list[str] = []

    def searched(self, contacts: QuerySet[Contact], name: str, value: str) -> QuerySet[Contact]:
        """Contacts that fit the search, as on the page."""
        account = calling_account(self.request)
        found = selectors.contacts_list(account=account, search=value)
        return contacts.filter(pk__in=found.values("pk"))

    def tagged(self, contacts: QuerySet[Contact], name: str, value: str) -> QuerySet[Contact]:
        """Contacts that have the tag."""
        account = calling_account(self.request)
        return contacts.filter(pk__in=selectors.tagged_ids(account=account, name=value))

    def in_group(self, contacts: QuerySet[Contact], name: str, value: Any) -> QuerySet[Contact]:
        """Contacts of the group, as on its page."""
        account = calling_account(self.request)
        found = selectors.contacts_list(account=account, group=int(value))
        return contacts.filter(pk__in=found.values("pk"))


class ContactViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Contact]
):
    """Contacts, newest first."""

    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    queryset = Contact.objects.none()

    def get_queryset(self) -> QuerySet[Contact]:
        """Only live contacts of the key's account, with their tags; deleted ones to restore."""
        account = calling_account(self.request)
        if self.action == "restore":
            return selectors.contacts_deleted(account=account)
        return selectors.with_tags(selectors.contacts_list(account=account))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Contacts, newest first.

        Where a group's rules take longer than a few seconds to be asked, there is none (409).
        """
        with looking():
            return super().list(request, *args, **kwargs)

    @extend_schema(
        request=ContactCreateSerializer,
        responses={
            201: ContactSerializer,
            200: OpenApiResponse(ContactSerializer, description="The number was there before."),
        },
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Add a contact, or complete the one with this number: blanks erase nothing."""
        form = ContactCreateSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        values = dict(form.validated_data)
        (result,) = services.contacts_upsert_many(
            account=calling_account(request),
            actor=calling_user(request),
            group_ids=values.pop("groups", ()),
            tags=values.pop("tags", ()),
            consent_wording=values.pop("consent_wording", ""),
            consent_source=ConsentSource.API,
            rows=[values],
        )
        if result.contact_id is None:
            raise ContactInvalid({result.code: result.message})
        contact = selectors.contact_get(
            account=calling_account(request), contact_id=result.contact_id
        )
        answer = status.HTTP_201_CREATED if result.status == "new" else status.HTTP_200_OK
        return Response(ContactSerializer(contact).data, status=answer)

    @extend_schema(request=ContactChangeSerializer(partial=True), responses=ContactSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change exactly the given fields; an empty value erases.

        `custom` and `tags` are replaced whole.
        """
        form = ContactChangeSerializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        who: dict[str, Any] = {"account": calling_account(request), "actor": calling_user(request)}
        values = dict(form.validated_data)
        tags = values.pop("tags", None)
        with transaction.atomic():
            contact = services.contact_update(**who, contact_id=self.get_object().pk, **values)
            if tags is not None:
                services.contact_tags_set(**who, contact_id=contact.pk, names=tags)
        return Response(ContactSerializer(contact).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete a contact. An opt-out of its number stays in force."""
        services.contact_delete(
            account=calling_account(request),
            actor=calling_user(request),
            contact_id=self.get_object().pk,
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=ContactSerializer)
    @action(detail=True, methods=["post"], filter_backends=[], pagination_class=None)
    def restore(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Bring a deleted contact back, with its groups and tags. An opt-out stays in force."""
        contact = services.contact_restore(
            account=calling_account(request),
            actor=calling_user(request),
            contact_id=self.get_object().pk,
        )
        return Response(ContactSerializer(contact).data)

    @extend_schema(request=ContactBulkSerializer, responses=BulkResultSerializer)
    @action(detail=False, methods=["post"], filter_backends=[], pagination_class=None)
    def bulk(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Add or complete up to 1,000 contacts; the answer has one result a row."""
        form = ContactBulkSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        results = services.contacts_upsert_many(
            account=calling_account(request),
            actor=calling_user(request),
            rows=form.validated_data["rows"],
            group_ids=form.validated_data.get("groups", ()),
            tags=form.validated_data.get("tags", ()),
            consent_wording=form.validated_data.get("consent_wording", ""),
            consent_source=ConsentSource.API,
            dry_run=form.validated_data["dry_run"],
        )
        return Response(BulkResultSerializer({"results": results}).data)

    @extend_schema(responses=ConsentEventSerializer(many=True))
    @action(detail=True, filter_backends=[], pagination_class=None)
    def consent(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every opt-in and opt-out of the contact's number, newest first."""
        events = selectors.consent_history(
            account=calling_account(request), phone=self.get_object().phone
        )
        return Response(ConsentEventSerializer(events, many=True).data)

    @extend_schema(
        responses=TimelineSerializer,
        parameters=[
            OpenApiParameter("kind", str, enum=TimelineKind.values, description="Only this kind."),
            OpenApiParameter("before", str, description="Where the page before ended: see `next`."),
        ],
    )
    @action(detail=True, filter_backends=[], pagination_class=None)
    def timeline(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Everything that happened with a contact, newest first: texts, clicks, consent, lists."""
        asked = request.query_params
        page = contact_timeline(
            contact=self.get_object(),
            kind=asked.get("kind", ""),
            before=asked.get("before", ""),
            limit=TIMELINE_SIZE,
        )
        address = request.build_absolute_uri(request.path)
        query = urlencode({**asked.dict(), "before": page.older})
        following = f"{address}?{query}" if page.older else None
        return Response(TimelineSerializer({"results": page.entries, "next": following}).data)

    @extend_schema(request=ConsentChangeSerializer, responses=ContactSerializer)
    @consent.mapping.post
    def consent_change(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Put an opt-in or opt-out on record. Whoever left by themselves stays out (409)."""
        contact = self.get_object()
        form = ConsentChangeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        opts_in = form.validated_data["kind"] == ConsentKind.IN
        change = services.consent_grant if opts_in else services.consent_revoke
        change(
            account=calling_account(request),
            phone=contact.phone,
            source=ConsentSource.API,
            wording=form.validated_data["wording"],
            actor=calling_user(request),
        )
        return Response(ContactSerializer(self.get_object()).data)


class GroupViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Group]
):
    """Groups, newest first."""

    serializer_class = GroupSerializer
    queryset = Group.objects.none()

    def get_queryset(self) -> QuerySet[Group]:
        """Only the key's account."""
        return selectors.groups_list(account=calling_account(self.request))

    @extend_schema(responses=GroupSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A group; one with rules is counted anew, unless that takes longer than a second."""
        return self._answer(self.get_object().pk)

    @extend_schema(responses={201: GroupSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make an empty group, or with `rules` a smart one."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        group = services.group_create(
            account=calling_account(request),
            actor=calling_user(request),
            name=form.validated_data["name"],
            rules=form.validated_data.get("rules"),
        )
        return self._answer(group.pk, status.HTTP_201_CREATED)

    @extend_schema(request=GroupSerializer(partial=True), responses=GroupSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Rename a group, or give a smart one other rules. A group keeps its kind (409)."""
        group = self.get_object()
        form = self.get_serializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        who: dict[str, Any] = {"account": calling_account(request), "actor": calling_user(request)}
        given = form.validated_data
        with transaction.atomic():
            if "name" in given:
                services.group_rename(**who, group_id=group.pk, name=given["name"])
            if "rules" in given:
                services.group_rules_set(**who, group_id=group.pk, rules=given["rules"])
        return self._answer(group.pk)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete a group; its contacts stay."""
        services.group_delete(
            account=calling_account(request),
            actor=calling_user(request),
            group_id=self.get_object().pk,
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=MembersSerializer, responses=ChangedSerializer)
    @action(detail=True, methods=["post"], filter_backends=[], pagination_class=None)
    def add(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Put contacts into the group; how many were not in it before."""
        return self._move(request, services.group_add)

    @extend_schema(request=MembersSerializer, responses=ChangedSerializer)
    @action(detail=True, methods=["post"], filter_backends=[], pagination_class=None)
    def remove(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take contacts out of the group; how many were in it."""
        return self._move(request, services.group_remove)

    def _answer(self, group_id: int, answer: int = status.HTTP_200_OK) -> Response:
        account = calling_account(self.request)
        group = selectors.group_get(account=account, group_id=group_id)
        if group.is_smart and services.group_look(account=account, group=group):
            group = selectors.group_get(account=account, group_id=group_id)
        return Response(self.get_serializer(group).data, status=answer)

    def _move(self, request: Request, move: Any) -> Response:
        form = MembersSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        changed = move(
            account=calling_account(request),
            actor=calling_user(request),
            group_id=self.get_object().pk,
            contact_ids=form.validated_data["contacts"],
        )
        return Response({"changed": changed})
