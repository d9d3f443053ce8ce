"""Forms of the ways to join: the public one, and those that set it and the keywords up."""

from typing import Any

from django import forms
from django.core import signing

from accounts.models import Account
from contacts import selectors
from contacts.disclosures import FREQUENCY, WORDING_LENGTH, wording_default
from contacts.models import Group, OptInForm, OptInKeyword
from contacts.services.optins import FORM_FIELDS, FREQUENCY_CHARS, WELCOME_CHARS
from messaging.joining import WORD_CHARS
from messaging.views.number_forms import PhoneField, RefusableForm

_SALT = "contacts.optin"
# Nobody reads the consent and types a number in less; a page older than a day is asked again.
SOONEST_S = 2
LATEST_S = 24 * 3600


class SubscribeForm(forms.Form):
    """What a visitor types. `website` is a trap: people do not see it, robots fill it in."""

    phone = PhoneField(label="Mobile number")
    first_name = forms.CharField(
        label="First name",
        max_length=80,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "given-name"}),
    )
    agrees = forms.BooleanField(
        error_messages={"required": "Tick the box if you want our texts; else we may send none."}
    )
    website = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"})
    )
    opened = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, form: OptInForm, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._signer = signing.TimestampSigner(salt=_SALT)
        self._token = form.token
        self.fields["phone"] = PhoneField(
            label="Mobile number", country=form.account.default_country
        )
        self.fields["phone"].error_messages["required"] = "Type your mobile number."
        self.fields["agrees"].label = form.wording
        self.initial["opened"] = self._signer.sign(form.token)

    def is_trapped(self) -> bool:
        """Whether a robot filled in what no person sees."""
        return bool(self.data.get("website"))

    def clean_opened(self) -> str:
        """The page was opened here, long enough ago for a person and not for ever."""
        opened = self.cleaned_data["opened"]
        again = "Please press the button once more."
        try:
            is_ours = self._signer.unsign(opened, max_age=LATEST_S) == self._token
            is_hasty = not self._is_older(opened)
        except signing.BadSignature:
            is_ours, is_hasty = False, False
        if not is_ours or is_hasty:
            # The next try carries a new moment.
            typed = {name: self.data.get(name, "") for name in self.fields}
            self.data = typed | {"opened": self._signer.sign(self._token)}
            self.add_error(None, again)
        return opened

    def _is_older(self, opened: str) -> bool:
        try:
            self._signer.unsign(opened, max_age=SOONEST_S)
        except signing.SignatureExpired:
            return True
        return False


class _WayForm(RefusableForm):
    """What a form and a keyword share."""

    frequency = forms.CharField(
        label="How often you text",
        max_length=FREQUENCY_CHARS,
        initial=FREQUENCY,
        help_text="Carriers want it in the text that confirms. For example: Up to 4 msgs/month",
    )
    welcome = forms.CharField(
        label="Your words in the confirmation",
        max_length=WELCOME_CHARS,
        required=False,
        help_text=(
            "Empty: “You are on the list.” Your name before it, how often, rates, HELP and STOP"
            " after it come by themselves."
        ),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    asks_yes = forms.BooleanField(label="Ask for a YES by text first", required=False)
    groups = forms.ModelMultipleChoiceField(
        Group.objects.none(),
        label="Put them into",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    names: tuple[str, ...] = ()

    def __init__(
        self,
        *args: Any,
        account: Account,
        stored: OptInForm | OptInKeyword | None,
        **kwargs: Any,
    ) -> None:
        if stored:
            kwargs["initial"] = {name: getattr(stored, name) for name in self.names}
            kwargs["initial"]["groups"] = list(stored.groups.all())
        super().__init__(*args, **kwargs)
        groups = self.fields["groups"]
        assert isinstance(groups, forms.ModelMultipleChoiceField)
        groups.queryset = selectors.groups_static(account=account)

    def values(self) -> dict[str, Any]:
        """What is stored of it, but for the groups."""
        return {name: self.cleaned_data[name] for name in self.names}

    def group_ids(self) -> list[int]:
        """The chosen groups."""
        return [group.pk for group in self.cleaned_data["groups"]]


class JoinFormForm(_WayForm):
    """The public form's settings."""

    is_open = forms.BooleanField(label="The form is open", required=False, initial=True)
    title = forms.CharField(label="Heading", max_length=80)
    wording = forms.CharField(
        label="What people agree to",
        max_length=WORDING_LENGTH,
        help_text="It stands beside the box, unticked, and is kept with each opt-in as the proof.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    privacy_url = forms.URLField(
        label="Your privacy policy", required=False, max_length=200, assume_scheme="https"
    )
    terms_url = forms.URLField(
        label="Your terms for texts", required=False, max_length=200, assume_scheme="https"
    )
    names = FORM_FIELDS
    field_order = ["is_open", "title", "wording", "privacy_url", "terms_url", "groups"]

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, account=account, **kwargs)
        brand = account.brand or account.name
        self.fields["title"].initial = f"Get texts from {brand}"[:80]
        self.fields["wording"].initial = wording_default(brand)
        self.fields["asks_yes"].initial = True
        self.fields["asks_yes"].help_text = (
            "Keep this on: anybody can type anybody's number, and only a YES from the phone itself"
            " proves who agreed."
        )


class KeywordForm(_WayForm):
    """An opt-in keyword."""

    word = forms.CharField(
        label="Word",
        max_length=WORD_CHARS,
        help_text="What people text, for example JOIN or GARDEN. Capitals do not matter.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    wording = forms.CharField(
        label="What your sign says",
        max_length=400,
        required=False,
        help_text=(
            "The words people read before they text it. Kept with each opt-in: without them the"
            " proof shows only the text that came."
        ),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    names = ("word", "wording", "frequency", "welcome", "asks_yes")
    field_order = ["word", "wording", "groups"]

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, account=account, **kwargs)
        brand = account.brand or account.name
        self.fields["wording"].initial = (
            f"Text JOIN to get marketing texts from {brand}. {FREQUENCY}. Msg & data rates may"
            " apply. Reply HELP for help, STOP to opt out. Consent is not a condition of purchase."
        )
        self.fields["asks_yes"].help_text = (
            "The text with the word came from the phone itself and is consent already. A YES on"
            " top rules out whoever texted it by mistake."
        )
