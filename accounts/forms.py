"""Forms of log-in, sign-up, team and settings."""

from django import forms
from django.http import HttpRequest

from accounts.models import User


class SignupForm(forms.Form):
    """The extra questions of sign-up: your name and your shop's."""

    name = forms.CharField(max_length=120, label="Your name")
    account_name = forms.CharField(max_length=120, label="Your business")

    def signup(self, request: HttpRequest, user: User) -> None:
        """Called by allauth once the user is stored."""
