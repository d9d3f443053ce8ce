"""Starts the campaigns app: tells smart groups what blasts and campaigns are."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """Campaigns, blasts and their reports."""

    name = "campaigns"

    def ready(self) -> None:
        """Let rules of smart groups name blasts and campaigns."""
        from campaigns.targets import BlastTargets
        from contacts.rule_sources import register_targets

        register_targets(BlastTargets())
