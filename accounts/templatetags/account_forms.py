"""Gives form controls their look, also those of forms that are not ours (allauth's)."""

from django import forms, template
from django.forms import BoundField

PASSWORD_HINT = "At least 8 characters; not only digits, and nothing easily guessed."

register = template.Library()


@register.filter
def styled(field: BoundField) -> BoundField:
    """The same field, its control classed as `_parts/_form_field.html` expects."""
    widget = field.field.widget
    if isinstance(widget, forms.CheckboxSelectMultiple | forms.RadioSelect | forms.CheckboxInput):
        name = "form-check-input"
    elif isinstance(widget, forms.Select):
        name = "form-select"
    else:
        name = "form-control"
        # Labels stand above the controls; allauth repeats them inside.
        if widget.attrs.get("placeholder") in (field.label, "Email address"):
            del widget.attrs["placeholder"]
        # allauth lists the rules of passwords one by one; they fit in a sentence.
        if field.help_text and widget.attrs.get("autocomplete") == "new-password":
            field.help_text = PASSWORD_HINT
        # allauth writes titles; every other label is a sentence.
        if isinstance(widget, forms.PasswordInput):
            field.label = str(field.label).capitalize()
    given = widget.attrs.get("class", "").split()
    widget.attrs["class"] = " ".join([*given, name] if name not in given else given)
    return field
