"""`/api/v1/groups/`: static and smart ones, and who is in a static one."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import calling_account, calling_user
from contacts import selectors, services
from contacts.api.serializers import ChangedSerializer, GroupSerializer, MembersSerializer
from contacts.models import Group


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
