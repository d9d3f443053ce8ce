"""Forms of the links: they parse, services decide."""

from django import forms

from tracking.models import LinkSettings


class LinkSettingsForm(forms.ModelForm):
    """How links look and how long they live."""

    domain = forms.CharField(
        max_length=253,
        required=False,
        label="Your own link domain",
        help_text="Short links begin with it instead of ours. First let it point to this "
        "platform and ask its operator for a certificate; links made before keep their address.",
        widget=forms.TextInput(attrs={"placeholder": "go.your-shop.com"}),
    )
    # Addresses are judged by the service, in sentences that say what is wrong with them.
    fallback_url = forms.CharField(
        max_length=2000,
        required=False,
        label="Where ended links lead",
        help_text="Empty: a small page that says the link has ended.",
        widget=forms.TextInput(attrs={"placeholder": "https://your-shop.com", "inputmode": "url"}),
    )

    class Meta:
        model = LinkSettings
        fields = ("domain", "expires_after_days", "fallback_url", "utm_source", "utm_medium")
        labels = {
            "expires_after_days": "Links end after (days)",
            "utm_source": "Source (utm_source)",
            "utm_medium": "Medium (utm_medium)",
        }
        help_texts = {
            "expires_after_days": "Counted from the launch, for blasts from now on. "
            "Empty: links never end.",
            "utm_source": "For example textledger. Empty: nothing is added to your links.",
            "utm_medium": "For example sms.",
        }

    def _post_clean(self) -> None:
        """Nothing is set on the row here: the service does that, under its lock."""
