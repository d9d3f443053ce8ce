"""Forms of sign-up, joining, team and settings: they parse and check the shape, services decide."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest

from accounts import services
from accounts.choices import Role, Scope
from accounts.models import User

# The zones of the United States first: most accounts are there, the list of the world is long.
_US_ZONES = (
    ("America/New_York", "Eastern (New York)"),
    ("America/Chicago", "Central (Chicago)"),
    ("America/Denver", "Mountain (Denver)"),
    ("America/Phoenix", "Mountain, no summer time (Phoenix)"),
    ("America/Los_Angeles", "Pacific (Los Angeles)"),
    ("America/Anchorage", "Alaska (Anchorage)"),
    ("Pacific/Honolulu", "Hawaii (Honolulu)"),
)
UTC = "UTC"


def timezone_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every zone of the tz database, grouped for a select."""
    rest = sorted(zone for zone in available_timezones() if "/" in zone and zone[:3] != "Etc")
    world = [(zone, zone.replace("_", " ")) for zone in rest if zone not in dict(_US_ZONES)]
    return [("United States", list(_US_ZONES)), ("World", [*world, (UTC, "UTC")])]


def _text(**attrs: str) -> forms.TextInput:
    return forms.TextInput(attrs=attrs)


class ZoneField(forms.ChoiceField):
    """A time zone; one we do not know is UTC, and no reason to refuse somebody."""

    def clean(self, value: Any) -> str:
        """A zone of the list."""
        return value if isinstance(value, str) and self.valid_value(value) else UTC


class AccountNameForm(forms.Form):
    """What a new account needs: its name, and its zone, which the browser chooses beforehand."""

    account_name = forms.CharField(
        max_length=120,
        label="Your business",
        widget=_text(placeholder="Rosie's Flowers", autocomplete="organization"),
    )
    timezone = ZoneField(
        choices=timezone_choices,
        initial=UTC,
        label="Time zone",
        help_text="The one your device uses. Reports and schedules are told in it; you can change"
        " it under Settings.",
    )


class SignupForm(AccountNameForm):
    """The extra questions of sign-up, asked beside allauth's address and password."""

    name = forms.CharField(
        max_length=120, label="Your name", widget=_text(autocomplete="name", autofocus="")
    )
    field_order = ["name", "account_name", "email", "password1", "timezone"]

    def signup(self, request: HttpRequest, user: User) -> None:
        """Called by allauth once the user is stored: give them a space of their own."""
        services.user_rename(user=user, name=self.cleaned_data["name"])
        services.account_open(
            name=self.cleaned_data["account_name"],
            owner=user,
            timezone=self.cleaned_data["timezone"],
        )


class JoinForm(forms.Form):
    """What an invited person who is new here has to tell."""

    name = forms.CharField(max_length=120, label="Your name", widget=_text(autocomplete="name"))
    password = forms.CharField(
        label="Choose a password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        self.email = email
        super().__init__(*args, **kwargs)

    def clean_password(self) -> str:
        """Hold it against the password rules, knowing who it is for."""
        password = self.cleaned_data["password"]
        person = User(email=self.email, name=self.cleaned_data.get("name", ""))
        validate_password(password, person)
        return password


class InvitationForm(forms.Form):
    """Invite somebody to the team."""

    email = forms.EmailField(
        label="Email address",
        widget=forms.EmailInput(attrs={"placeholder": "bob@example.com", "autocomplete": "off"}),
    )
    role = forms.ChoiceField(choices=Role.choices, initial=Role.MARKETER)

    def __init__(self, *args: Any, roles: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"] = forms.ChoiceField(choices=roles, initial=Role.MARKETER)


class RoleForm(forms.Form):
    """Give a member another role."""

    role = forms.ChoiceField(choices=Role.choices)


class ProfileForm(forms.Form):
    """A person's own name."""

    name = forms.CharField(max_length=120, label="Your name", widget=_text(autocomplete="name"))


class ApiKeyForm(forms.Form):
    """Make an API key."""

    name = forms.CharField(
        max_length=80,
        label="What is it for?",
        widget=_text(placeholder="Shop system", autocomplete="off"),
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=Scope.choices,
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
    )
