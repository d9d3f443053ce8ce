"""The settings of an account, in sections that are saved one by one."""

from dataclasses import dataclass
from typing import Any, Final

from django import forms

from accounts.forms import timezone_choices
from accounts.models import Account
from accounts.services.tenants import CAP_DAYS_LIMIT, CAP_TEXTS_LIMIT
from common.countries import COUNTRIES


@dataclass(frozen=True)
class Section:
    """Settings that belong together and are saved together; two names of a row stand side by side.

    Attributes:
        name: In addresses.
        title: For people.
        rows: Names of fields.
    """

    name: str
    title: str
    rows: tuple[tuple[str, ...], ...]


SECTIONS: Final = {
    section.name: section
    for section in (
        Section("business", "Your business", (("name",), ("timezone",), ("default_country",))),
        Section(
            "texting",
            "When and how often you text",
            (("quiet_start", "quiet_end"), ("cap_texts", "cap_days"), ("attribution_hours",)),
        ),
        Section("consent", "Consent", (("requires_consent",), ("consent_wording",))),
        Section(
            "approval",
            "Approval and templates",
            (("requires_approval",), ("approval_over_people",), ("template_rule",)),
        ),
        Section("credits", "Credits", (("monthly_budget_credits", "low_balance_credits"),)),
        Section(
            "answers",
            "Automatic answers",
            (("brand",), ("help_text",), ("stop_words",), ("start_words",)),
        ),
        Section("keeping", "How long things are kept", (("keep_bodies_days", "keep_events_days"),)),
    )
}


class AccountForm(forms.ModelForm):
    """One section of the account's settings."""

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
            "quiet_end": "The same time twice: any hour that the law allows.",
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

    def __init__(self, *args: Any, section: Section, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section
        own = {name for row in section.rows for name in row}
        self.fields = {name: field for name, field in self.fields.items() if name in own}

    def rows(self) -> list[list[forms.BoundField]]:
        """Its fields as they stand on the page."""
        return [[self[name] for name in row] for row in self.section.rows]
