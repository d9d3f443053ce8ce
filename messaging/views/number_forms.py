"""Forms of the numbers page: they parse and check the shape, services decide."""

import re
from typing import Any

from django import forms
from django.db.models import QuerySet

from common import phone as phones
from common.errors import DomainError
from messaging.choices import SenderKind
from messaging.models import CarrierAccount
from messaging.sender_kinds import kind_of


class RefusableForm(forms.Form):
    """A form that can show why a service refused what it asked for."""

    def refuse(self, error: DomainError) -> None:
        """Put the error beside its fields, or above the form."""
        fields = {name: text for name, text in error.fields.items() if name in self.fields}
        for name, text in fields.items():
            self.add_error(name, text)
        if not fields:
            self.add_error(None, error.message)


class PhoneField(forms.CharField):
    """A phone number as people type it; cleans to E.164."""

    widget = forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"})

    def __init__(self, *, country: str = "US", **kwargs: Any) -> None:
        self.country = country
        super().__init__(**kwargs)

    def clean(self, value: Any) -> str:
        """Raise the sentence that says what is wrong with the number."""
        try:
            return phones.normalise(super().clean(value), self.country).e164
        except phones.PhoneError as error:
            raise forms.ValidationError(error.message) from error


class SenderPhoneField(PhoneField):
    """A number to text from: also the five or six digits of a short code."""

    def clean(self, value: Any) -> str:
        """A short code as it is, else what `PhoneField` makes of it."""
        digits = str(value or "").strip()
        return digits if kind_of(digits) == SenderKind.SHORT_CODE else super().clean(value)


class SenderForm(RefusableForm):
    """What can be changed about a number."""

    kind = forms.ChoiceField(
        label="Kind of number", choices=SenderKind.choices, help_text="What each changes: below."
    )
    label = forms.CharField(
        max_length=60, required=False, help_text="What your team calls it, for example Shop line."
    )
    rate_per_s = forms.FloatField(
        label="Segments a second",
        min_value=0.01,
        max_value=1000,
        help_text="What your carrier allows.",
    )
    daily_cap = forms.IntegerField(
        label="Segments a day at most", min_value=1, max_value=2_000_000_000, required=False
    )
    can_mms = forms.BooleanField(
        label="Sends pictures",
        required=False,
        help_text="Your carrier has enabled MMS for it. Short codes and numbers outside North"
        " America usually have none.",
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )


class NumberForm(SenderForm):
    """Enter a number held at a carrier account."""

    field_order = ["phone", "kind", "carrier_account", "label", "rate_per_s", "daily_cap"]

    def __init__(
        self, *args: Any, carriers: QuerySet[CarrierAccount], country: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["phone"] = SenderPhoneField(label="Number", country=country)
        self.fields["kind"] = forms.ChoiceField(
            label="Kind of number",
            choices=[("", "As its digits say"), *SenderKind.choices],
            required=False,
        )
        # Read from the number; changed afterwards where the carrier says otherwise.
        del self.fields["can_mms"]
        self.fields["rate_per_s"].required = False
        self.fields["rate_per_s"].help_text = "Empty: what is usual for this kind of number."
        self.fields["carrier_account"] = forms.ModelChoiceField(
            carriers, label="Held at", empty_label=None
        )
        self.order_fields(self.field_order)


class PhoneForm(forms.Form):
    """A phone to verify."""

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["phone"] = PhoneField(label="Phone", country=country)


class CodeForm(RefusableForm):
    """The code that was texted."""

    code = forms.RegexField(
        r"^\s*\d{6}\s*$",
        label="Code",
        error_messages={"invalid": "The code has six digits."},
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": ""}
        ),
    )


_SID = re.compile(r"^AC[0-9a-f]{32}$")
_TOKEN = re.compile(r"^[0-9a-f]{32}$")


class CarrierForm(RefusableForm):
    """An account's own Twilio log-in."""

    name = forms.CharField(max_length=80, label="Name", initial="Our Twilio account")
    external_id = forms.RegexField(
        _SID,
        label="Account SID",
        error_messages={"invalid": "It begins with AC and has 34 characters."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    secret = forms.RegexField(
        _TOKEN,
        label="Auth token",
        help_text="Kept encrypted, and never shown again.",
        error_messages={"invalid": "It has 32 digits and letters from a to f."},
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


class CarrierEditForm(RefusableForm):
    """What can be changed about a carrier account."""

    name = forms.CharField(max_length=80, label="Name")
    secret = forms.RegexField(
        _TOKEN,
        label="New auth token",
        required=False,
        help_text="Empty keeps the one we have. The old one still counts until Twilio drops it.",
        error_messages={"invalid": "It has 32 digits and letters from a to f."},
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
