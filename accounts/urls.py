"""Dashboard addresses of the accounts app, below /settings/."""

from django.urls import path

from accounts.views import audit, keys, purchases, settings, team

urlpatterns = [
    path("", settings.settings_index, name="settings"),
    path("account/", settings.account_settings, name="account_settings"),
    path("profile/", settings.profile, name="profile"),
    path("audit/", audit.audit_log, name="audit_log"),
    path("audit.csv", audit.audit_export, name="audit_export"),
    path("credits/buy/", purchases.credit_buy, name="credit_buy"),
    path("team/", team.team, name="team"),
    path("team/invite/", team.team_invite, name="team_invite"),
    path("team/<int:membership_id>/role/", team.team_role, name="team_role"),
    path("team/<int:membership_id>/remove/", team.team_remove, name="team_remove"),
    path("team/invitations/<int:invitation_id>/revoke/", team.team_uninvite, name="team_uninvite"),
    path("api-keys/", keys.api_keys, name="api_keys"),
    path("api-keys/<int:key_id>/revoke/", keys.api_key_revoke, name="api_key_revoke"),
]
