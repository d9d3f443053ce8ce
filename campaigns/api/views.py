"""`/api/v1/campaigns/` and `/api/v1/blasts/`."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db.models import Prefetch, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import calling_account, calling_scopes, calling_user, owned
from accounts.choices import Scope
from accounts.models import Account
from campaigns import planned, selectors, services
from campaigns.api.estimate_serializers import EstimateSerializer
from campaigns.api.report_serializers import (
    BlastReportSerializer,
    CampaignReportSerializer,
    FiguresSerializer,
)
from campaigns.api.serializers import (
    ApprovalActSerializer,
    ApprovalSerializer,
    BlastCopySerializer,
    BlastSerializer,
    BlastWriteSerializer,
    CampaignChangeSerializer,
    CampaignCopySerializer,
    CampaignSerializer,
    LaunchSerializer,
    MoveSerializer,
    RuleSerializer,
    SeriesActSerializer,
)
from campaigns.choices import BlastState
from campaigns.composing import counting
from campaigns.errors import ApprovalGone, BlastNotRunning
from campaigns.models import Approval, Blast, Campaign, Series
from common.clock import now
from common.errors import Conflict, Invalid, NotAllowed
from contacts.selectors import audience
from messaging.models import SenderNumber
from messaging.selectors import Figures, reason_counts
from messaging.services import estimate, timing

# What of a campaign may be set beside its name.
_SET = ("goes_first", "budget_credits")


@extend_schema_view(retrieve=extend_schema(description="One campaign."))
class CampaignViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Campaign]
):
    """Campaigns, newest first, archived ones too."""

    serializer_class = CampaignSerializer
    queryset = Campaign.objects.none()

    def get_queryset(self) -> QuerySet[Campaign]:
        """Only the key's account."""
        return Campaign.objects.filter(account=calling_account(self.request))

    @extend_schema(responses={201: CampaignSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a campaign."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        campaign = services.campaign_create(
            account=calling_account(request),
            actor=calling_user(request),
            name=form.validated_data["name"],
        )
        rest = {name: form.validated_data[name] for name in _SET if name in form.validated_data}
        if rest:
            campaign = services.campaign_change(
                account=campaign.account, actor=calling_user(request), campaign=campaign, **rest
            )
        return Response(self.get_serializer(campaign).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=CampaignChangeSerializer, responses=CampaignSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change a campaign, archive it or bring it back."""
        campaign = self.get_object()
        form = CampaignChangeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        account, actor = calling_account(request), calling_user(request)
        changes = {
            name: form.validated_data[name]
            for name in ("name", *_SET)
            if name in form.validated_data
        }
        if changes:
            campaign = services.campaign_change(
                account=account, actor=actor, campaign=campaign, **changes
            )
        if "archived" in form.validated_data:
            change = (
                services.campaign_archive
                if form.validated_data["archived"]
                else services.campaign_restore
            )
            campaign = change(account=account, actor=actor, campaign=campaign)
        return Response(self.get_serializer(campaign).data)

    @extend_schema(request=CampaignCopySerializer, responses={201: CampaignSerializer})
    @action(detail=True, methods=["post"])
    def duplicate(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A new campaign with a draft of every blast; nothing is sent."""
        form = CampaignCopySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        campaign = services.campaign_duplicate(
            account=calling_account(request),
            actor=calling_user(request),
            campaign=self.get_object(),
            **form.validated_data,
        )
        return Response(self.get_serializer(campaign).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=CampaignReportSerializer)
    @action(detail=True, filter_backends=[], pagination_class=None)
    def report(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The figures of all blasts together, and of each."""
        [row] = selectors.campaign_rows([self.get_object()])
        return Response(
            {
                "campaign": row.campaign.pk,
                "figures": FiguresSerializer(row.figures).data if row.figures else None,
                "blasts": [_report(one.blast, one.figures) for one in row.launched],
            }
        )


class BlastFilter(filters.FilterSet):
    """Query parameters of the list."""

    campaign = filters.NumberFilter(field_name="campaign_id")
    state = filters.ChoiceFilter(choices=BlastState.choices)

    class Meta:
        model = Blast
        fields: list[str] = []


@extend_schema_view(retrieve=extend_schema(description="One blast."))
class BlastViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Blast]
):
    """Blasts, newest first."""

    serializer_class = BlastSerializer
    filterset_class = BlastFilter
    queryset = Blast.objects.none()
    required_scopes = {
        "launch": Scope.SEND,
        "repeat": Scope.SEND,
        "series": Scope.SEND,
        "move": Scope.SEND,
        "approval": Scope.SEND,
        "estimate": Scope.READ,
    }

    def get_queryset(self) -> QuerySet[Blast]:
        """Only the key's account."""
        return (
            Blast.objects.filter(account=calling_account(self.request))
            .select_related("sender", "batch", "series", "repeats")
            .prefetch_related(
                "groups",
                "more_senders",
                Prefetch(
                    "approvals", Approval.objects.select_related("requested_by", "decided_by")
                ),
            )
        )

    @extend_schema(request=BlastWriteSerializer, responses={201: BlastSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a draft. It costs nothing and may be unfinished."""
        form = BlastWriteSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        blast = services.blast_create(
            account=calling_account(request),
            actor=calling_user(request),
            **self._draft(form.validated_data),
        )
        return Response(self.get_serializer(blast).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=BlastWriteSerializer(partial=True), responses=BlastSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Rewrite a draft; what is left out stays. One that repeats goes out so: scope `send`."""
        form = BlastWriteSerializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        blast = self.get_object()
        if blast.state == BlastState.REPEATING and Scope.SEND not in calling_scopes(request):
            raise NotAllowed("This blast goes out by itself: the key needs the scope send.")
        blast = services.blast_update(
            account=calling_account(request),
            actor=calling_user(request),
            blast=blast,
            **self._draft(form.validated_data),
        )
        return self._fresh(blast)

    @extend_schema(request=None, responses=EstimateSerializer)
    @action(detail=True, methods=["post"])
    def estimate(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Who would be texted, who not and why, what it would cost, and advice. Changes nothing."""
        blast, account = self.get_object(), calling_account(request)
        groups = [group.pk for group in blast.groups.all()]
        people = audience(account=account, group_ids=groups)
        plan = blast.plan
        with counting():
            told = estimate(
                account=account,
                body=blast.body,
                audience=people,
                smart_encoding=blast.smart_encoding,
                has_media=bool(blast.media_ids),
            )
            advice = selectors.blast_advice(
                account=account, body=blast.body, people=people if groups else None
            )
            timed = timing(
                account=account,
                body=blast.body,
                audience=people,
                start=plan.start(now()),
                wall=plan.wall,
            )
        waiting = {
            "texted": told.texted_now,
            "texted_now": told.texted_now - timed.people_later,
            "later": timed.later,
            "capped": timed.capped,
        }
        return Response(EstimateSerializer({**asdict(told), **waiting, "advice": advice}).data)

    @extend_schema(request=LaunchSerializer, responses={202: BlastSerializer})
    @action(detail=True, methods=["post"])
    def launch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Send a blast: now, `at`, or `local_at`.

        Asking again changes nothing: it goes out once.
        """
        form = LaunchSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        blast = self.get_object()
        if blast.state not in (BlastState.SCHEDULED, BlastState.LAUNCHED):
            services.blast_schedule(
                account=calling_account(request),
                actor=calling_user(request),
                blast=blast,
                at=form.validated_data.get("at"),
                wall=form.validated_data.get("local_at"),
            )
        return self._fresh(blast, status.HTTP_202_ACCEPTED)

    @extend_schema(request=BlastCopySerializer, responses={201: BlastSerializer})
    @action(detail=True, methods=["post"])
    def duplicate(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Use any blast again: a new draft with the same text, people and numbers."""
        form = BlastCopySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        copy = services.blast_duplicate(
            account=calling_account(request),
            actor=calling_user(request),
            blast=self.get_object(),
            **form.validated_data,
        )
        return self._fresh(copy, status.HTTP_201_CREATED)

    @extend_schema(request=MoveSerializer, responses=BlastSerializer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Let a scheduled blast go out on another day, or plan a draft for it."""
        blast, form = self.get_object(), MoveSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        blast = services.blast_move(
            account=calling_account(request),
            actor=calling_user(request),
            blast=blast,
            **form.validated_data,
        )
        return self._fresh(blast)

    @extend_schema(request=RuleSerializer, responses=BlastSerializer)
    @action(detail=True, methods=["post"])
    def repeat(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Let a draft repeat, or give one that repeats another rule for occurrences to come."""
        account, actor, blast = calling_account(request), calling_user(request), self.get_object()
        form = RuleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        if blast.state == BlastState.REPEATING:
            services.series_change(
                account=account, actor=actor, series=blast.repeats, rule=form.rule
            )
        else:
            services.series_start(account=account, actor=actor, blast=blast, rule=form.rule)
        return self._fresh(blast)

    @extend_schema(request=SeriesActSerializer, responses=BlastSerializer)
    @action(detail=True, methods=["post"])
    def series(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Pause a repeating blast, resume it, skip an occurrence or bring it back, or stop it."""
        blast = self.get_object()
        form = SeriesActSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        if blast.state != BlastState.REPEATING:
            raise Conflict("This blast does not repeat.", code="blast_repeats_not")
        changes: dict[str, Callable[..., Series]] = {
            "pause": services.series_pause,
            "resume": services.series_resume,
            "skip": services.series_skip,
            "unskip": services.series_unskip,
            "stop": services.series_stop,
        }
        given = {"day": form.validated_data["on"]} if "on" in form.validated_data else {}
        changes[form.validated_data["act"]](
            account=calling_account(request),
            actor=calling_user(request),
            series=blast.repeats,
            **given,
        )
        return self._fresh(blast)

    @extend_schema(request=ApprovalActSerializer, responses=ApprovalSerializer)
    @action(detail=True, methods=["post"])
    def approval(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Ask for a second person's approval, or give or refuse it as the key's own person.

        What is decided is the request that was read: `approval` names it.
        """
        account, actor, blast = calling_account(request), calling_user(request), self.get_object()
        form = ApprovalActSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        act, note = form.validated_data["act"], form.validated_data.get("note", "")
        if actor is None:
            raise NotAllowed("This key belongs to nobody who could ask or approve.")
        if act == "ask":
            services.approval_request(account=account, actor=actor, blast=blast, note=note)
        else:
            found = planned.approval_latest(blast=blast)
            # What was read, not what somebody asked for since.
            if found is None or found.pk != form.validated_data["approval"]:
                raise ApprovalGone
            services.approval_decide(
                account=account,
                actor=actor,
                approval=found,
                is_approved=act == "approve",
                answer=note,
            )
        return Response(ApprovalSerializer(planned.approval_latest(blast=blast)).data)

    @extend_schema(request=None, responses=BlastSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Cancel a blast: before its launch all of it, afterwards what is left."""
        blast = services.blast_cancel(
            account=calling_account(request), actor=calling_user(request), blast=self.get_object()
        )
        return self._fresh(blast)

    @extend_schema(responses=BlastReportSerializer)
    @action(detail=True, filter_backends=[], pagination_class=None)
    def report(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The message report: figures, and people by state and reason."""
        blast = self.get_object()
        if blast.batch_id is None:
            raise BlastNotRunning("This blast has not been sent yet, so there is no report.")
        [row] = selectors.blast_rows([blast])
        return Response(_report(blast, row.figures))

    def _fresh(self, blast: Blast, code: int = status.HTTP_200_OK) -> Response:
        return Response(self.get_serializer(self.get_queryset().get(pk=blast.pk)).data, status=code)

    def _draft(self, data: dict[str, Any]) -> dict[str, Any]:
        """The fields of a draft as services take them."""
        account = calling_account(self.request)
        plain = ("name", "body", "give_up_hours", "smart_encoding", "utm")
        draft: dict[str, Any] = {name: data[name] for name in plain if name in data}
        if "media" in data:
            draft["media_ids"] = data["media"]
        if "groups" in data:
            draft["group_ids"] = data["groups"]
        if "campaign" in data:
            draft["campaign"] = owned(Campaign.objects.all(), account, pk=data["campaign"])
        if "sender" in data:
            draft["sender"] = _sender(account, data["sender"])
        if "more_senders" in data:
            draft["more_senders"] = [_sender(account, phone) for phone in data["more_senders"]]
        return draft


def _sender(account: Account, phone: str) -> SenderNumber:
    sender = selectors.senders_list(account=account).filter(phone=phone).first()
    if sender is None:
        sentence = "This is not one of your numbers. Nothing was changed."
        raise Invalid(sentence, fields={"sender": sentence})
    return sender


def _report(blast: Blast, figures: Figures | None) -> dict[str, Any]:
    batch = blast.batch
    return {
        "blast": blast.pk,
        "batch": blast.batch_id,
        "batch_state": batch.state if batch else "",
        "launched_at": batch.launched_at if batch else None,
        "figures": FiguresSerializer(figures or Figures()).data,
        "reasons": [
            {"state": state, "reason": reason, "messages": count}
            for state, reason, count in reason_counts([blast.batch_id or 0])
        ],
    }
