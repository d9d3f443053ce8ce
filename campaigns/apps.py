"""Starts the campaigns app: what lower apps ask it about blasts, campaigns and saved texts."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """Campaigns, blasts and their reports."""

    name = "campaigns"

    def ready(self) -> None:
        """Let rules of smart groups name blasts and campaigns; say which pictures are in use."""
        from campaigns.selectors import media_in_use
        from campaigns.targets import BlastTargets
        from contacts.rule_sources import register_targets
        from messaging.media_uses import register_uses

        register_targets(BlastTargets())
        register_uses(media_in_use)
