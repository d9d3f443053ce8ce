"""Forms of people, groups and imports. They read and shape input; services decide."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.db.models import QuerySet

from accounts.models import Account
from common.errors import DomainError
from contacts import columns, csvfile, selectors
from contacts.choices import FieldKind, ImportPurpose
from contacts.errors import ProofMissing
from contacts.field_types import FieldType
from contacts.fields import CUSTOM_PREFIX, CUSTOM_VALUE_LENGTH, LABELS, TEXT_LENGTHS, custom_key
from contacts.models import Contact, ContactImport, CustomField, Group, Tag
from contacts.rules_typed import options_of

_CONTROL = {"class": "form-control"}
_SELECT = {"class": "form-select"}
WORDING_LENGTH = 500


def _zones() -> list[tuple[str, str]]:
    return [("", "From the number"), *((zone, zone) for zone in sorted(available_timezones()))]


def refuse(form: forms.Form, error: DomainError) -> None:
    """Show why a service refused: beside the fields it names, else above the form."""
    named = {name: sentence for name, sentence in error.fields.items() if name in form.fields}
    for name, sentence in named.items():
        form.add_error(name, sentence)
    if not named:
        form.add_error(None, error.message)


class ConsentQuestion(forms.Form):
    """How people agreed to be texted: asked where the account has not said it once for all.

    Whoever does not know can say so; then no consent is put on record.
    """

    wording = forms.CharField(
        max_length=WORDING_LENGTH, required=False, widget=forms.TextInput(attrs=_CONTROL)
    )
    unknown = forms.BooleanField(
        label="I do not know: put no consent on record",
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )

    # The browser cannot know that a tick makes the words unnecessary.
    use_required_attribute = False

    def ask(self, account: Account) -> None:
        """Fill in what the account says of its contacts; without that an answer is required."""
        self.initial.setdefault("wording", account.consent_wording)
        wording = self.fields["wording"]
        wording.required = not account.consent_wording and not self.data.get("unknown")
        wording.error_messages["required"] = "Say how they agreed, or tick that you do not know."

    def clean(self) -> dict[str, Any] | None:
        """Who does not know, does not know: what stood in the question is nobody's word then."""
        cleaned = super().clean()
        if self.cleaned_data.get("unknown"):
            self.cleaned_data["wording"] = ""
        return cleaned


class ContactForm(ConsentQuestion):
    """A contact's fields, the account's own ones among them, and its groups."""

    phone = forms.CharField(
        label=LABELS["phone"],
        max_length=80,
        help_text="With + and the country code if it is from abroad.",
        widget=forms.TextInput(attrs={**_CONTROL, "inputmode": "tel", "autocomplete": "off"}),
    )
    first_name = forms.CharField(
        label=LABELS["first_name"],
        max_length=TEXT_LENGTHS["first_name"],
        required=False,
        widget=forms.TextInput(attrs=_CONTROL),
    )
    last_name = forms.CharField(
        label=LABELS["last_name"],
        max_length=TEXT_LENGTHS["last_name"],
        required=False,
        widget=forms.TextInput(attrs=_CONTROL),
    )
    email = forms.CharField(
        label=LABELS["email"],
        max_length=TEXT_LENGTHS["email"],
        required=False,
        widget=forms.EmailInput(attrs=_CONTROL),
    )
    timezone = forms.ChoiceField(
        label=LABELS["timezone"],
        choices=_zones,
        required=False,
        help_text="Left open, it is read from the number.",
        widget=forms.Select(attrs=_SELECT),
    )
    groups = forms.ModelMultipleChoiceField(
        Group.objects.none(),
        label="Groups",
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )
    wording = forms.CharField(
        label="How did they agree to get texts?",
        max_length=WORDING_LENGTH,
        required=False,
        help_text="For example: signed the list at the till on 3 May. It is kept as proof.",
        widget=forms.TextInput(attrs=_CONTROL),
    )

    def __init__(
        self, *args: Any, account: Account, contact: Contact | None = None, **kwargs: Any
    ) -> None:
        if contact is not None:
            kwargs.setdefault("initial", _initial(account, contact))
        super().__init__(*args, **kwargs)
        self.ask(account)
        own = selectors.field_types(account=account)
        self._own = {CUSTOM_PREFIX + key: key for key in own}
        for key, kind in own.items():
            self.fields[CUSTOM_PREFIX + key] = own_field(kind)
        groups = self.fields["groups"]
        assert isinstance(groups, forms.ModelMultipleChoiceField)
        groups.queryset = selectors.groups_static(account=account)
        if contact is not None:
            del self.fields["wording"], self.fields["unknown"]

    def own_fields(self) -> list[forms.BoundField]:
        """The account's own fields, for the template."""
        return [self[name] for name in self._own]

    def values(self) -> dict[str, Any]:
        """What contact_upsert and contact_update take, `custom` as a whole."""
        names = ("phone", "first_name", "last_name", "email", "timezone")
        return {
            **{name: self.cleaned_data[name] for name in names},
            "custom": {key: self.cleaned_data[name] for name, key in self._own.items()},
        }

    def group_ids(self) -> list[int]:
        """The chosen groups."""
        return [group.pk for group in self.cleaned_data["groups"]]


def _initial(account: Account, contact: Contact) -> dict[str, Any]:
    names = ("phone", "first_name", "last_name", "email", "timezone")
    return {
        **{name: getattr(contact, name) for name in names},
        **{CUSTOM_PREFIX + key: value for key, value in contact.custom.items()},
        "groups": list(selectors.groups_static(account=account).filter(members__contact=contact)),
    }


def own_field(own: FieldType) -> forms.Field:
    """An input for a value of a field of the account's own; services say what is wrong with it."""
    widget: forms.Widget = forms.TextInput(attrs=_CONTROL)
    if own.kind == FieldKind.NUMBER:
        widget = forms.TextInput(attrs={**_CONTROL, "inputmode": "decimal"})
    elif own.kind == FieldKind.DATE:
        widget = forms.DateInput(attrs={**_CONTROL, "type": "date"}, format="%Y-%m-%d")
    elif options := options_of(own):
        widget = forms.Select(attrs=_SELECT, choices=[("", "–"), *options])
    return forms.CharField(
        label=own.label, max_length=CUSTOM_VALUE_LENGTH, required=False, widget=widget
    )


class OwnFieldForm(forms.Form):
    """A field of the account's own: what it is called and holds."""

    label = forms.CharField(
        label="Name",
        max_length=80,
        widget=forms.TextInput(attrs={**_CONTROL, "placeholder": "Birthday"}),
    )
    kind = forms.ChoiceField(
        label="What it holds", choices=FieldKind.choices, widget=forms.Select(attrs=_SELECT)
    )
    options = forms.CharField(
        label="Options",
        max_length=5000,
        required=False,
        help_text="Only for “One of a list”: one a line.",
        widget=forms.Textarea(attrs={**_CONTROL, "rows": 4, "placeholder": "Small\nMedium\nLarge"}),
    )


class ManyForm(forms.Form):
    """One change to many people: `act` says which, and which of the other fields count.

    Its names have a prefix, since those of the list beside it say who is meant.
    """

    prefix = "do"

    ACTS = ("tag", "untag", "group", "ungroup", "field", "zone", "delete")

    act = forms.ChoiceField(choices=[(act, act) for act in ACTS])
    names = forms.CharField(
        label="Put a tag on them",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={**_CONTROL, "placeholder": "regular", "list": "known-tags"}),
    )
    tag = forms.ModelChoiceField(
        Tag.objects.none(),
        label="Take a tag off",
        required=False,
        empty_label="Choose …",
        widget=forms.Select(attrs=_SELECT),
    )
    group = forms.ModelChoiceField(
        Group.objects.none(),
        label="Put them into a group, or take them out",
        required=False,
        empty_label="Choose …",
        widget=forms.Select(attrs=_SELECT),
    )
    own = forms.ModelChoiceField(
        CustomField.objects.none(),
        label="Set one of your own fields",
        required=False,
        empty_label="Choose …",
        widget=forms.Select(attrs=_SELECT),
    )
    value = forms.CharField(
        label="To this value",
        max_length=CUSTOM_VALUE_LENGTH,
        required=False,
        help_text="Dates like 2026-05-03; yes or no. Empty clears the field.",
        widget=forms.TextInput(attrs=_CONTROL),
    )

    zone = forms.ChoiceField(
        label="Set their time zone",
        choices=_zones,
        required=False,
        help_text="Texts wait for allowed hours there.",
        widget=forms.Select(attrs=_SELECT),
    )

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: dict[str, QuerySet[Any]] = {
            "tag": selectors.tags_named(account=account),
            "group": selectors.groups_static(account=account),
            "own": selectors.custom_fields(account=account),
        }
        for name, found in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = found

    def clean(self) -> dict[str, Any] | None:
        """What the act needs is there."""
        cleaned = super().clean() or {}
        needed = {"tag": "names", "untag": "tag", "group": "group", "ungroup": "group"}
        name = {**needed, "field": "own"}.get(cleaned.get("act", ""), "")
        if name and not cleaned.get(name) and name not in self.errors:
            self.add_error(name, "Say which.")
        return cleaned

    def values(self) -> dict[str, Any]:
        """What the service of the act takes."""
        given = self.cleaned_data
        match given["act"]:
            case "tag":
                return {"names": given["names"].split(",")}
            case "untag":
                return {"tag_id": given["tag"].pk}
            case "field":
                return {"key": given["own"].key, "value": given["value"]}
            case "zone":
                return {"timezone": given["zone"]}
            case "delete":
                return {}
        return {"group_id": given["group"].pk}


class WordingForm(forms.Form):
    """How a person agreed to be texted."""

    wording = forms.CharField(
        label="How did they agree to get texts?",
        max_length=WORDING_LENGTH,
        error_messages={"required": ProofMissing().message},
        widget=forms.TextInput(attrs=_CONTROL),
    )


class GroupForm(forms.Form):
    """A group's name."""

    name = forms.CharField(
        label="Name",
        max_length=80,
        widget=forms.TextInput(attrs={**_CONTROL, "placeholder": "Regulars"}),
    )


class TagForm(forms.Form):
    """A tag's name."""

    name = forms.CharField(
        label="Name",
        max_length=40,
        widget=forms.TextInput(attrs={**_CONTROL, "placeholder": "regular"}),
    )


class UploadForm(forms.Form):
    """The file of an import, and what its people are there for."""

    purpose = forms.ChoiceField(
        label="Who is on this list?",
        choices=ImportPurpose.choices,
        required=False,
        widget=forms.Select(attrs=_SELECT),
    )

    file = forms.FileField(
        label="CSV or Excel file",
        allow_empty_file=True,
        error_messages={"required": "Choose a file first."},
        widget=forms.FileInput(attrs={**_CONTROL, "accept": ".csv,.tsv,.txt,.xlsx,.xlsm,text/csv"}),
    )


class RereadForm(forms.Form):
    """How a file is written, where the guess was wrong: a text, or which sheet of a workbook."""

    encoding = forms.ChoiceField(
        label="Letters", choices=csvfile.ENCODINGS.items(), widget=forms.Select(attrs=_SELECT)
    )
    delimiter = forms.ChoiceField(
        label="Columns are separated by",
        choices=csvfile.DELIMITERS.items(),
        widget=forms.Select(attrs=_SELECT),
    )
    sheet_no = forms.TypedChoiceField(label="Sheet", coerce=int, widget=forms.Select(attrs=_SELECT))
    has_header = forms.BooleanField(
        label="The first row has the names of the columns",
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )

    def __init__(self, *args: Any, sheets: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not sheets:
            del self.fields["sheet_no"]
            return
        del self.fields["encoding"], self.fields["delimiter"]
        field = self.fields["sheet_no"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = list(enumerate(sheets))


class StartForm(ConsentQuestion):
    """Where the people of a file go, and how they agreed to be texted."""

    group = forms.ModelChoiceField(
        Group.objects.none(),
        label="Add everybody to a group",
        required=False,
        empty_label="No group, or a new one",
        widget=forms.Select(attrs=_SELECT),
    )
    group_name = forms.CharField(
        label="Or make a new group",
        max_length=80,
        required=False,
        widget=forms.TextInput(attrs={**_CONTROL, "placeholder": "Spring customers"}),
    )
    tags = forms.CharField(
        label="Tag everybody",
        max_length=500,
        required=False,
        help_text="Several are separated by commas.",
        widget=forms.TextInput(attrs={**_CONTROL, "placeholder": "spring fair"}),
    )
    wording = forms.CharField(
        label="How did these people agree to get texts from you?",
        max_length=WORDING_LENGTH,
        required=False,
        help_text=(
            "For example: ticked “text me offers” at the till, 2024 to 2026. It is kept with each"
            " person as proof. Whoever opted out stays out, whatever you write here."
        ),
        widget=forms.Textarea(attrs={**_CONTROL, "rows": 2}),
    )

    def __init__(
        self, *args: Any, account: Account, contact_import: ContactImport, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._columns = len(contact_import.mapping)
        if contact_import.is_opt_out_list:
            for name in ("group", "group_name", "tags", "unknown"):
                del self.fields[name]
            self.fields["wording"].label = "Where does this list come from?"
            self.fields["wording"].help_text = (
                "For example: unsubscribed at our old provider, exported on 3 May. It is kept with"
                " each number."
            )
            return
        self.ask(account)
        groups = self.fields["group"]
        assert isinstance(groups, forms.ModelChoiceField)
        groups.queryset = selectors.groups_static(account=account)

    def tag_names(self) -> list[str]:
        """The tags as typed; `import_start` checks them."""
        return str(self.cleaned_data.get("tags", "")).split(",")

    def mapping(self) -> list[str]:
        """One target a column, as posted; `import_start` checks them."""
        return [str(self.data.get(f"column_{i}", "")) for i in range(self._columns)]


def targets(
    heading: str, own: Mapping[str, str], *, phone_only: bool = False
) -> list[tuple[str, str]]:
    """What a column may be imported as: fields, the account's own ones, and a new one.

    Args:
        heading: The column's name.
        own: Key and label of the account's own fields.
        phone_only: Of an opt-out list nothing else is taken.
    """
    if phone_only:
        return [("", "Leave out"), ("phone", columns.TARGETS["phone"])]
    known = {CUSTOM_PREFIX + key: label for key, label in own.items()}
    new = CUSTOM_PREFIX + custom_key(heading)
    choices = [("", "Leave out"), *columns.TARGETS.items(), *known.items()]
    if new != CUSTOM_PREFIX and new not in known:
        choices.append((new, f"New field: {columns.label_of(heading)}"))
    return choices
