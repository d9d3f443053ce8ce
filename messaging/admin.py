"""Staff pages of messaging: prices, rules of allowed hours, numbers, events that were set aside.

Rows are looked at, not edited, apart from prices; numbers and rules are entered through services.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import User
from common.countries import COUNTRIES
from common.errors import DomainError, Invalid
from common.phone import PhoneError, normalise, prefixes
from messaging import senders
from messaging.choices import EventEnd, SenderKind
from messaging.hours_telling import weekdays_told
from messaging.models import CarrierAccount, CarrierEvent, HoursRule, Price, SenderNumber
from messaging.models.hours import WEEKDAYS
from messaging.sender_kinds import kind_of
from messaging.services.hours import RuleAsked, hours_rule_add, hours_rule_end


class SenderForm(forms.ModelForm):
    """A number that the platform holds at its carrier, for one account."""

    class Meta:
        model = SenderNumber
        fields = ("account", "carrier_account", "phone", "label", "rate_per_s", "daily_cap")

    def clean_phone(self) -> str:
        """E.164, whatever was typed; the digits of a short code."""
        if kind_of(self.cleaned_data["phone"]) == SenderKind.SHORT_CODE:
            return str(self.cleaned_data["phone"])
        account = self.cleaned_data.get("account")
        country = account.default_country if account else "US"
        try:
            return normalise(self.cleaned_data["phone"], country).e164
        except PhoneError as error:
            raise forms.ValidationError(error.message) from error


class PriceForm(forms.ModelForm):
    """A price, for a country that has a calling code or area codes of its own."""

    class Meta:
        model = Price
        fields = ("type", "country", "kind", "credits", "valid_from")

    def clean_country(self) -> str:
        """Upper case; one whose numbers can be told from its neighbours'."""
        country = str(self.cleaned_data["country"]).upper()
        if country and not (country in COUNTRIES and prefixes(country)):
            raise forms.ValidationError(
                "There is no such country, or its numbers begin like a larger one's: price that."
            )
        return country


@admin.register(Price)
class PriceAdmin(admin.ModelAdmin):
    """Credits by type, country and kind. Batches keep what they were launched with."""

    form = PriceForm
    list_display = ("type", "country", "kind", "credits", "valid_from")
    list_filter = ("type", "kind")
    search_fields = ("country",)


class RuleForm(forms.ModelForm):
    """What both forms of rules of allowed hours do."""

    def clean(self) -> dict[str, Any]:
        """Say beside its field why it cannot be done."""
        data = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                with transaction.atomic():
                    self.carry_out(actor=None)
                    transaction.set_rollback(True)  # only to see whether it can be done
            except DomainError as error:
                known = {name: text for name, text in error.fields.items() if name in self.fields}
                for name, text in known.items():
                    self.add_error(name, text)
                if not known:
                    self.add_error(None, error.message)
        return data

    def carry_out(self, *, actor: User | None) -> HoursRule:
        """Do it through the service.

        Raises:
            DomainError: it cannot be done.
        """
        raise NotImplementedError


class RuleAddForm(RuleForm):
    """A rule of the law on when texts may arrive."""

    weekdays = forms.TypedMultipleChoiceField(
        choices=WEEKDAYS,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        initial=[day for day, _ in WEEKDAYS],
    )
    link = forms.URLField(
        max_length=300, required=False, assume_scheme="https", help_text="Where it can be read."
    )

    class Meta:
        model = HoursRule
        fields = (
            "region", "weekdays", "opens", "closes", "valid_from", "valid_until", "source", "link",
        )  # fmt: skip

    def carry_out(self, *, actor: User | None) -> HoursRule:
        """Enter it."""
        return hours_rule_add(actor=actor, asked=RuleAsked(**self.cleaned_data))


class RuleEndForm(RuleForm):
    """The last day of a rule that stands."""

    class Meta:
        model = HoursRule
        fields = ("valid_until",)

    def carry_out(self, *, actor: User | None) -> HoursRule:
        """End it."""
        end = self.cleaned_data.get("valid_until")
        if end is None:
            raise Invalid("Say the last day it holds.", fields={"valid_until": "Choose a day."})
        hours_rule_end(rule=self.instance, valid_until=end)
        return self.instance


@admin.register(HoursRule)
class HoursRuleAdmin(admin.ModelAdmin):
    """When the law lets texts arrive. A rule is changed by entering another from a day on."""

    list_display = ("region", "days", "opens", "closes", "valid_from", "valid_until", "source")
    list_filter = ("region",)
    search_fields = ("source",)

    @admin.display(description="on")
    def days(self, rule: HoursRule) -> str:
        """The weekdays in words."""
        return weekdays_told(rule.weekdays)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        """The whole rule, or of one that stands its end."""
        form = RuleEndForm if change else RuleAddForm
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Of a rule that stands all but its end, and that too once it is said."""
        if obj is None:
            return ()
        fixed = ("region", "days", "opens", "closes", "valid_from", "source", "link")
        return (*fixed, "valid_until") if obj.valid_until else fixed

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Days as boxes while it is entered, in words afterwards."""
        fields = RuleAddForm.Meta.fields
        return tuple("days" if obj and name == "weekdays" else name for name in fields)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: texts went out under it."""
        return False

    def save_model(
        self, request: HttpRequest, obj: HoursRule, form: forms.ModelForm, change: bool
    ) -> None:
        """Enter or end it through the service; Django's own log says who."""
        assert isinstance(request.user, User)
        assert isinstance(form, RuleForm)
        obj.pk = form.carry_out(actor=request.user).pk


@admin.register(SenderNumber)
class SenderNumberAdmin(admin.ModelAdmin):
    """Numbers of all accounts; staff add those on the platform's carrier."""

    form = SenderForm
    list_display = (
        "phone",
        "account",
        "carrier_account",
        "rate_per_s",
        "is_default",
        "released_at",
    )
    list_filter = ("carrier_account",)
    search_fields = ("phone", "account__name")
    ordering = ("-id",)
    autocomplete_fields = ("account",)

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Accounts connect their own carriers themselves: staff choose among the platform's."""
        if db_field.name == "carrier_account":
            kwargs["queryset"] = CarrierAccount.objects.filter(account__isnull=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The account's admins change their numbers themselves."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: messages and conversations name it."""
        return False

    def save_model(
        self, request: HttpRequest, obj: SenderNumber, form: forms.ModelForm, change: bool
    ) -> None:
        """Enter it through the service, so that it is audited and the carrier is told."""
        assert isinstance(request.user, User)
        data = form.cleaned_data
        made = senders.sender_create(actor=request.user, **data)
        obj.pk = made.pk

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """A number in use elsewhere is said in a sentence; nothing is stored."""
        try:
            return super().add_view(request, *args, **kwargs)
        except DomainError as error:
            self.message_user(request, error.message, "error")
            request.method = "GET"
            return super().add_view(request, *args, **kwargs)


@admin.register(CarrierEvent)
class SetAsideAdmin(admin.ModelAdmin):
    """What carriers told and we could not apply, with the reason."""

    list_display = ("received_at", "carrier_account", "kind", "message_id", "word", "error")
    list_filter = ("kind",)
    ordering = ("-id",)
    show_full_result_count = False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Says what this list is: not every event."""
        told = {"title": "Set aside: what carriers told and could not be applied"}
        return super().changelist_view(request, {**told, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[CarrierEvent]:
        """Only what was set aside; there is an index for just that."""
        events = super().get_queryset(request).filter(ended=EventEnd.SET_ASIDE)
        return events.select_related("carrier_account")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only carriers."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False
