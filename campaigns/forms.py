"""Forms of campaigns and the composer. They read and shape input; services decide."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.forms.fields import BaseTemporalField
from django.utils.timezone import localtime

from accounts.models import Account
from campaigns import selectors
from campaigns.choices import BlastState, Every, TextKind
from campaigns.models import Blast, Campaign
from campaigns.planning import Plan
from campaigns.recurring import COUNT_LIMIT, INTERVAL_LIMIT, WEEKDAYS, Rule
from campaigns.services.blasts import DRAFT_LIMIT, NAME_LIMIT
from campaigns.services.campaigns import BUDGET_LIMIT
from common.text import ids_typed
from contacts.models import Group
from contacts.selectors import groups_list
from messaging.models import SenderNumber
from messaging.timetable import wall_moment
from tracking.utm import PART_LIMIT, UTM_PARTS

RULE_FIELDS = ("every", "interval", "weekdays", "ends_on", "count", "is_local")


class CampaignForm(forms.Form):
    """A campaign's name, whether its blasts go first, and its budget."""

    name = forms.CharField(
        max_length=NAME_LIMIT,
        label="Name",
        help_text="What the texts are for, such as “Mother's Day”. Only your team sees it.",
        widget=forms.TextInput(attrs={"class": "form-control", "autofocus": True}),
    )
    goes_first = forms.BooleanField(
        required=False,
        label="Goes before other campaigns",
        help_text="Where several wait for the same number or the same person, its blasts go first.",
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )
    budget_credits = forms.IntegerField(
        min_value=0,
        max_value=BUDGET_LIMIT,
        required=False,
        label="Budget in credits",
        help_text="A blast that could pass it does not start. Empty or 0: no limit.",
        widget=forms.NumberInput(attrs={"class": "form-control", "inputmode": "numeric"}),
    )

    def clean_budget_credits(self) -> int:
        """Nothing typed is no limit."""
        return self.cleaned_data["budget_credits"] or 0


class CampaignCopyForm(forms.Form):
    """A whole campaign used again."""

    name = forms.CharField(
        max_length=NAME_LIMIT,
        label="Name of the new campaign",
        widget=forms.TextInput(attrs={"class": "form-control", "autofocus": True}),
    )
    starts_on = forms.DateField(
        required=False,
        label="Day of the first blast",
        help_text="The others keep their distance from it and their times of day. Empty: no copy"
        " has a time yet.",
        widget=forms.DateInput(attrs={"class": "form-control", "type": "date"}),
    )


class GroupsField(forms.ModelMultipleChoiceField):
    """Groups with the number of people in each."""

    def label_from_instance(self, obj: Any) -> str:
        """The group's name; its size stands beside it in the template."""
        return str(obj.name)


def show_refusal(form: forms.Form, fields: dict[str, str], message: str) -> None:
    """Put a refusal beside the fields it is about, or above the form."""
    known = {name: words for name, words in fields.items() if name in form.fields}
    for name, words in known.items():
        form.add_error(name, words)
    if not known:
        form.add_error(None, message)


class MediaField(forms.Field):
    """The ids of the pictures that were chosen, in order; whose they are, services ask."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[int]:
        """Numbers, whatever stood there."""
        return ids_typed(value)


class WallField(BaseTemporalField):
    """A day and a time on some clock, without a zone: whose clock is said beside it."""

    widget = forms.DateTimeInput

    def to_python(self, value: Any) -> datetime | None:
        """The day and the time; None where nothing was typed."""
        if value in self.empty_values:
            return None
        found: datetime | None = super().to_python(value)
        if found is not None and not 2000 <= found.year < 2100:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return found

    def strptime(self, value: str, format: str) -> datetime:
        """By one of the formats. Raises ValueError where it does not fit."""
        return datetime.strptime(f"{value} +0000", f"{format} %z").replace(tzinfo=None)


class BlastForm(forms.Form):
    """The composer. Everything may be left out: drafts are kept however unfinished."""

    WHEN = (
        ("now", "Now"),
        ("later", "Later"),
        ("local", "At their local time"),
        ("repeat", "Repeatedly"),
    )
    GIVE_UP = (
        (0, "is texted as soon as allowed"),
        *((hours, f"is left out after {hours} hours") for hours in (4, 12, 24, 48, 72)),
    )

    name = forms.CharField(max_length=NAME_LIMIT, required=False, label="Name of this blast")
    campaign = forms.ModelChoiceField(Campaign.objects.none(), required=False, label="Campaign")
    new_campaign = forms.CharField(
        max_length=NAME_LIMIT, required=False, label="Name of the new campaign"
    )
    groups = GroupsField(Group.objects.none(), required=False, label="Who")
    sender = forms.ModelChoiceField(
        SenderNumber.objects.none(), required=False, label="From", empty_label=None
    )
    more_senders = forms.ModelMultipleChoiceField(
        SenderNumber.objects.none(), required=False, label="And from"
    )
    body = forms.CharField(max_length=DRAFT_LIMIT, required=False, strip=False, label="Text")
    smart_encoding = forms.BooleanField(required=False)
    media_ids = MediaField(required=False)
    utm_source = forms.CharField(max_length=PART_LIMIT, required=False, label="Source")
    utm_medium = forms.CharField(max_length=PART_LIMIT, required=False, label="Medium")
    utm_campaign = forms.CharField(max_length=PART_LIMIT, required=False, label="Campaign")
    when = forms.ChoiceField(choices=WHEN, required=False, initial="now")
    give_up_hours = forms.TypedChoiceField(
        choices=GIVE_UP, coerce=int, required=False, label="Whoever has to wait"
    )
    scheduled_at = WallField(
        required=False,
        label="Day and time",
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        error_messages={"invalid": "Choose a day and a time."},
    )

    every = forms.ChoiceField(choices=Every.choices, required=False, label="Unit")
    interval = forms.IntegerField(min_value=1, max_value=INTERVAL_LIMIT, required=False)
    weekdays = forms.TypedMultipleChoiceField(
        choices=list(enumerate(WEEKDAYS)), coerce=int, required=False, label="On"
    )
    ends_on = forms.DateField(required=False, label="Until")
    count = forms.IntegerField(
        min_value=1, max_value=COUNT_LIMIT, required=False, label="So many times"
    )
    is_local = forms.BooleanField(required=False, label="At their local time")

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account
        self.field("campaign").queryset = selectors.campaigns_open(account=account)
        self.field("groups").queryset = groups_list(account=account)
        for name in ("sender", "more_senders"):
            self.field(name).queryset = selectors.senders_list(account=account)

    def field(self, name: str) -> Any:
        """A field by name, loosely typed: choices are set per account."""
        return self.fields[name]

    @classmethod
    def initial_of(cls, blast: Blast) -> dict[str, Any]:
        """What the composer shows for a stored draft."""
        series = getattr(blast, "repeats", None)
        # The moment at which it could not be sent is nobody's plan any more.
        at = None if blast.state == BlastState.FAILED else blast.scheduled_at
        repeats = (
            {
                "when": "repeat",
                "scheduled_at": datetime.combine(series.starts_on, series.at),
                **{name: getattr(series, name) for name in RULE_FIELDS},
            }
            if series
            else {}
        )
        return {
            "name": blast.name,
            "campaign": blast.campaign_id,
            "groups": list(blast.groups.values_list("pk", flat=True)),
            "sender": blast.sender_id,
            "more_senders": list(blast.more_senders.values_list("pk", flat=True)),
            "body": blast.body,
            "when": "local" if blast.wall else "later" if at else "now",
            "scheduled_at": blast.wall or (at and localtime(at)),
            "give_up_hours": blast.give_up_hours,
            "smart_encoding": blast.smart_encoding,
            "media_ids": blast.media_ids,
            **repeats,
            **{part: blast.utm.get(part, "") for part in UTM_PARTS},
        }

    @property
    def utm(self) -> dict[str, str]:
        """UTM parameters of this blast alone. Only after validation."""
        return {part: self.cleaned_data.get(part, "") for part in UTM_PARTS}

    @property
    def utm_fields(self) -> list[forms.BoundField]:
        """The fields of the UTM parameters, as the composer shows them."""
        return [self[part] for part in UTM_PARTS]

    @property
    def plan(self) -> Plan:
        """When to send, as far as it can be read; now where it cannot."""
        data = self._data
        wall: datetime | None = data.get("scheduled_at")
        if wall is None or data.get("when") not in ("later", "local", "repeat"):
            return Plan()
        rule = self.rule
        wall = _next_of(rule) if rule else wall.replace(tzinfo=None)
        if data["when"] == "local" or (rule and rule.is_local):
            return Plan(wall=wall)
        return Plan(at=wall_moment(wall, self.account.timezone))

    @property
    def rule(self) -> Rule | None:
        """How it is to repeat, as far as it can be read; None where it is not."""
        data = self._data
        wall: datetime | None = data.get("scheduled_at")
        if data.get("when") != "repeat" or wall is None:
            return None
        every = data.get("every") or Every.DAY
        return Rule(
            every=every,
            at=wall.time(),
            starts_on=wall.date(),
            interval=data.get("interval") or 1,
            weekdays=tuple(data.get("weekdays") or ()) if every == Every.WEEK else (),
            ends_on=data.get("ends_on"),
            count=data.get("count"),
            is_local=bool(data.get("is_local")),
        )

    @property
    def _data(self) -> dict[str, Any]:
        return self.cleaned_data if self.is_bound else dict(self.initial)

    def clean(self) -> dict[str, Any]:
        """Ask for the time where "Later" was chosen."""
        data = super().clean() or self.cleaned_data
        later = data.get("when") not in ("now", "", None)
        if later and not data.get("scheduled_at") and "scheduled_at" not in self.errors:
            self.add_error("scheduled_at", "Choose a day and a time, or send now.")
        return data

    def show_error(self, fields: dict[str, str], message: str) -> None:
        """Put a service's refusal beside the fields it is about, or above the form."""
        show_refusal(self, fields, message)


def _next_of(rule: Rule) -> datetime:
    """The first time still to come of a rule, on the clock it is for; else its very first."""
    clock = localtime()
    since = clock.date() + timedelta(days=rule.at <= clock.time())
    return datetime.combine(rule.next_day(since=since) or rule.starts_on, rule.at)


class SavedTextForm(forms.Form):
    """A template or a snippet."""

    kind = forms.ChoiceField(choices=TextKind.choices, label="What it is")
    name = forms.CharField(
        max_length=80, label="Name", error_messages={"required": "Give it a name."}
    )
    folder = forms.CharField(max_length=60, required=False, label="Folder")
    body = forms.CharField(
        max_length=DRAFT_LIMIT,
        strip=False,
        label="Text",
        error_messages={"required": "Write its words."},
    )
    media_ids = MediaField(required=False)

    def show_error(self, fields: dict[str, str], message: str) -> None:
        """Put a service's refusal beside the fields it is about, or above the form."""
        show_refusal(self, fields, message)
