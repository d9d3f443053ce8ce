"""Forms of sign-up, joining, team and settings: they parse and check the shape, services decide."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest

from accounts import services
from accounts.choices import Role, Scope
from accounts.models import Account, User
from accounts.services.tenants import CAP_DAYS_LIMIT, CAP_TEXTS_LIMIT
from common.countries import COUNTRIES

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


def timezone_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every zone of the tz database, grouped for a select."""
    rest = sorted(zone for zone in available_timezones() if "/" in zone and zone[:3] != "Etc")
    world = [(zone, zone.replace("_", " ")) for zone in rest if zone not in dict(_US_ZONES)]
    return [("United States", list(_US_ZONES)), ("World", [*world, ("UTC", "UTC")])]


def _text(**attrs: str) -> forms.TextInput:
    return forms.TextInput(attrs=attrs)


class AccountNameForm(forms.Form):
    """What a new account needs: its name, and the zone the browser knows."""

    account_name = forms.CharField(
        max_length=120,
        label="Your business",
        widget=_text(placeholder="Rosie's Flowers", autocomplete="organization"),
    )
    timezone = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_timezone(self) -> str:
        """The browser's zone; one we do not know is no reason to refuse somebody."""
        zone = self.cleaned_data["timezone"]
        return zone if zone in available_timezones() else "America/New_York"


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
        label="E-mail address",
        widget=forms.EmailInput(attrs={"placeholder": "bob@example.com", "autocomplete": "off"}),
    )
    role = forms.ChoiceField(choices=Role.choices, initial=Role.MARKETER)

    def __init__(self, *args: Any, roles: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"] = forms.ChoiceField(choices=roles, initial=Role.MARKETER)


class RoleForm(forms.Form):
    """Give a member another role."""

    role = forms.ChoiceField(choices=Role.choices)


class AccountForm(forms.ModelForm):
    """Settings of the account."""

    timezone = forms.ChoiceField(
        label="Time zone",
        choices=timezone_choices,
        help_text="Reports show times in this zone. Recipients have their own.",
    )
    default_country = forms.ChoiceField(
        label="Country",
        choices=list(COUNTRIES.items()),
        help_text="Numbers typed or imported without a country code are read as from here.",
    )
    attribution_hours = forms.IntegerField(
        label="A reply counts for a blast for (hours)",
        min_value=1,
        max_value=720,
        help_text="A reply belongs to the newest text between the two numbers in this time.",
    )

    cap_texts = forms.IntegerField(
        label="Blasts a person gets at most",
        min_value=0,
        max_value=CAP_TEXTS_LIMIT,
        help_text="Whoever had as many waits until there is room again. 0: no limit.",
    )
    cap_days = forms.IntegerField(
        label="in so many days",
        min_value=1,
        max_value=CAP_DAYS_LIMIT,
        help_text="Replies and automatic answers do not count.",
    )

    class Meta:
        model = Account
        fields = [
            "name",
            "brand",
            "timezone",
            "default_country",
            "quiet_start",
            "quiet_end",
            "requires_consent",
            "consent_wording",
            "help_text",
            "stop_words",
            "start_words",
            "attribution_hours",
            "requires_approval",
            "approval_over_people",
            "cap_texts",
            "cap_days",
            "monthly_budget_credits",
            "low_balance_credits",
            "keep_events_days",
            "keep_bodies_days",
            "template_rule",
        ]
        labels = {
            "name": "Business name",
            "brand": "Name in automatic answers",
            "quiet_start": "No bulk texts from",
            "requires_approval": "A second person approves each blast",
            "approval_over_people": "but only blasts to more people than",
            "quiet_end": "until",
            "requires_consent": "Text only people whose consent is on record",
            "consent_wording": "How your contacts agree to get texts",
            "help_text": "Answer to HELP",
            "stop_words": "Your own words for STOP",
            "start_words": "Your own words for START",
            "monthly_budget_credits": "Credits blasts may use in a month",
            "low_balance_credits": "Warn when fewer credits are left than",
            "keep_events_days": "Keep what carriers posted, word for word, for (days)",
            "keep_bodies_days": "Keep the texts of messages for (days)",
            "template_rule": "Who may send only approved templates",
        }
        help_texts = {
            "requires_approval": (
                "Whoever wrote it asks a colleague; any change afterwards asks again."
            ),
            "approval_over_people": "0: every blast.",
            "monthly_budget_credits": "A blast that could pass it does not start. 0: no limit.",
            "low_balance_credits": "Owners and admins get one mail each time. 0: no warning.",
            "keep_events_days": (
                "At least 30; then a message's story tells what became of it, no longer the raw "
                "events, and figures stay. 0: for ever."
            ),
            "keep_bodies_days": (
                "At least 30; then the words are removed for good, and figures stay. 0: for ever."
            ),
            "template_rule": "Admins approve templates under Campaigns, Templates.",
            "brand": "People who text STOP or HELP read it.",
            "quiet_start": "In the recipient's own time zone.",
            "quiet_end": "In the recipient's own time zone.",
            "requires_consent": "Everybody else is skipped with the reason “No consent on record”.",
            "consent_wording": (
                "It stands in the question of every import and new contact, to be corrected there,"
                " and is kept as proof. Empty: each time somebody has to say it."
            ),
            "help_text": "Empty: your name, how to reach you by replying, and how to stop.",
            "stop_words": (
                "Separated by commas, for example: basta, arrivederci. They add to STOP, QUIT, "
                "CANCEL and the other words the law fixes, which always count."
            ),
            "start_words": "Separated by commas. They add to START, UNSTOP and YES.",
        }
        widgets = {
            "quiet_start": forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
            "quiet_end": forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
            "consent_wording": forms.Textarea(attrs={"rows": 2}),
            "help_text": forms.Textarea(attrs={"rows": 3}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template_rule"].required = False

    def clean_template_rule(self) -> str:
        """What is left out stays as it is."""
        return self.cleaned_data["template_rule"] or self.instance.template_rule


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
