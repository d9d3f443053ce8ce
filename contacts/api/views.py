"""`/api/v1/contacts/`: people, their consent, and what happened with them."""

from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import calling_account, calling_user
from accounts.choices import Scope
from contacts import selectors, services
from contacts.api.serializers import (
    BulkResultSerializer,
    ConsentChangeSerializer,
    ConsentEventSerializer,
    ContactBulkSerializer,
    ContactChangeSerializer,
    ContactCreateSerializer,
    ContactSerializer,
    MergeSerializer,
    TimelineSerializer,
)
from contacts.choices import Consent, ConsentKind, ConsentSource, TimelineKind
from contacts.errors import ContactInvalid
from contacts.looking import looking
from contacts.models import Contact
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
    search = filters.CharFilter(method="searched", help_text="Beginnings of names, email or phone.")

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


@extend_schema_view(retrieve=extend_schema(description="One contact."))
class ContactViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Contact]
):
    """Contacts, newest first."""

    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    queryset = Contact.objects.none()
    required_scopes = {"erase": Scope.ERASE}

    def get_queryset(self) -> QuerySet[Contact]:
        """Only live contacts of the key's account, with their tags; deleted ones to restore.

        Whoever is to be erased may be either.
        """
        account = calling_account(self.request)
        if self.action == "erase":
            return selectors.contacts_known(account=account)
        if self.action == "restore":
            return selectors.contacts_deleted(account=account)
        return selectors.with_tags(selectors.contacts_among(account=account))

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
        """Bring a deleted contact back, with the groups and tags kept for it.

        An opt-out stays in force.
        """
        contact = services.contact_restore(
            account=calling_account(request),
            actor=calling_user(request),
            contact_id=self.get_object().pk,
        )
        return Response(ContactSerializer(contact).data)

    @extend_schema(request=MergeSerializer, responses=ContactSerializer)
    @action(detail=True, methods=["post"], filter_backends=[], pagination_class=None)
    def merge(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Merge another contact into this one: they are one person. It cannot be undone.

        This one keeps its number, and its values but for those to `take`; whoever left under one of
        the two numbers has left under both. The other one is deleted.
        """
        contact = self.get_object()
        form = MergeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        merged = services.contacts_unite(
            account=calling_account(request),
            actor=calling_user(request),
            contact_id=contact.pk,
            other_id=form.validated_data["other"],
            take=form.validated_data.get("take", ()),
        )
        return Response(ContactSerializer(merged).data)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], filter_backends=[], pagination_class=None)
    def erase(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Erase a person for good, live or deleted; needs a key that may erase.

        Number, fields, words of texts and notes go; counts stay, and so does that the number must
        never be texted or taken in again. While a text to them is going out, it is refused (409).
        """
        services.person_erase(
            account=calling_account(request),
            actor=calling_user(request),
            contact_id=self.get_object().pk,
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

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
