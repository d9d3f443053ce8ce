"""Which addresses are pages, and what may stand behind their question marks.

Every entry of the URL table stands in exactly one of the tables here; a new one without a row
fails.
"""

from django.urls import reverse

from tests.contracts import routes
from tests.e2e.shops import Places

# Pages of an account. Those with an id in their address are opened where `Shop.places` has one.
PAGES: dict[str, list[str]] = {
    "overview": ["", "?days=90"],
    "cost_report": ["", "?by=user&days=365"],
    "campaign_list": ["", "?show=archived"],
    "campaign_create": [""],
    "campaign_report": ["", "?clicks=all"],
    "campaign_people": ["", "?clicked=yes&replied=no"],
    "campaign_edit": [""],
    "campaign_again": [""],
    "blast_calendar": ["", "?month=2026-02", "?week=2026-02-03"],
    "approval_list": [""],
    "blast_approval": [""],
    "blast_create": [""],
    "text_list": ["", "?folder=nowhere"],
    "text_create": [""],
    "text_edit": [""],
    "blast_report": ["", "?show=failed", "?clicked=yes&replied=no", "?clicks=all"],
    "blast_edit": [""],
    "contact_list": ["", "?q=nobody"],
    "contact_create": [""],
    "contact_many": ["", "?who=all", "?who=all&q=nobody"],
    "tag_list": [""],
    "tag_edit": [""],
    "field_list": [""],
    "field_edit": [""],
    "contact_detail": ["", "?kind=consent", "?kind=clicked&before=k1"],
    "contact_edit": [""],
    "contact_erase": [""],
    "deleted_list": [""],
    "duplicate_list": ["", "?by=name"],
    "contact_merge": ["", "?q=a"],
    "contact_proof_page": [""],
    "group_list": [""],
    "group_detail": [""],
    "group_smart": [""],
    "group_rules": [""],
    "import_list": [""],
    "review_list": [""],
    "import_create": [""],
    "import_detail": [""],
    "export_list": [""],
    "export_detail": [""],
    "inbox": ["", "?show=all", "?q=nobody"],
    "conversation": [""],
    "link_list": ["", "?q=nothing"],
    "link_report": ["", "?hits=human"],
    "link_settings": [""],
    "message_log": ["", "?state=undelivered", "?q=nothing", "?kind=blast&hour=clicked-3-11"],
    "message_detail": [""],
    "lookup_create": [],
    "lookup_detail": [""],
    "search": ["", "?q=rose", "?q=nothing-is-called-so"],
    "settings": [""],
    "account_settings": [""],
    "profile": [""],
    "audit_log": [""],
    "credits": [""],
    "credit_movements": ["", "?batch=1", "?kind=settle&from=2026-01-01"],
    "credit_buy": ["", "?purchase=1"],
    "team": [""],
    "api_keys": [""],
    "opt_out_drift": ["", "?show=here"],
    "allowed_hours": ["", "?phone=%2B15125550100"],
    "joining": [""],
    "joining_form": [""],
    "keyword_add": [""],
    "keyword_edit": [""],
    "numbers": [""],
    "number_add": [""],
    "number_edit": [""],
    "carrier_add": [""],
    "carrier_edit": [""],
    "verify_confirm": [""],
    "account_email": [""],
    "account_change_password": [""],
    "account_reauthenticate": [""],
    "account_logout": [""],
    "mfa_index": [""],
}

# Pages for people who are not logged in.
PUBLIC: dict[str, list[str]] = {
    "account_login": [""],
    "account_signup": [""],
    "account_inactive": [""],
    "account_email_verification_sent": [""],
    "account_confirm_email": [""],
    "account_reset_password": [""],
    "account_reset_password_done": [""],
    "account_reset_password_from_key_done": [""],
    "invitation_accept": [""],
    "mailbox": [""],
    "subscribe": ["", "?sent"],
}

# Pages that only a certain moment leads to: forms on the same base as the ones above.
MOMENTS = {
    "account_confirm_login_code": "log-in by a mailed code, which is off",
    "account_none": "after leaving the last account",
    "account_reset_password_from_key": "from a mail, once",
    "account_set_password": "for who has none",
    "mfa_activate_totp": "with the password given again",
    "mfa_authenticate": "between the password and the first page",
    "mfa_deactivate_totp": "with two-step log-in",
    "mfa_generate_recovery_codes": "with two-step log-in",
    "mfa_reauthenticate": "with two-step log-in",
    "mfa_view_recovery_codes": "with two-step log-in",
}

# Answer POST alone.
ACTIONS = frozenset(
    {
        "account_switch",
        "api_key_revoke",
        "blast_audience",
        "blast_cancel",
        "blast_copy",
        "blast_count",
        "blast_discard",
        "blast_duplicate",
        "blast_group",
        "blast_move",
        "blast_pause",
        "blast_resume",
        "blast_retry",
        "blast_send",
        "blast_series",
        "blast_test",
        "blast_undo",
        "campaign_archive",
        "campaign_group",
        "contact_delete",
        "contact_group",
        "export_start",
        "contact_tag",
        "contact_untag",
        "tag_delete",
        "field_create",
        "field_delete",
        "message_group",
        "contact_opt_in",
        "contact_restore",
        "contacts_restore",
        "contact_opt_out",
        "conversation_assign",
        "conversation_note",
        "conversation_reply",
        "conversation_start",
        "conversation_status",
        "conversation_unread",
        "group_create",
        "group_delete",
        "group_recount",
        "group_remove",
        "group_rename",
        "import_cancel",
        "import_confirm",
        "import_reopen",
        "import_undo",
        "import_reread",
        "import_start",
        "keyword_delete",
        "media_add",
        "number_default",
        "opt_out_check",
        "opt_out_take",
        "opt_out_take_all",
        "review_keep",
        "review_undo",
        "stripe_webhook",
        "number_practice",
        "number_release",
        "team_invite",
        "text_approve",
        "text_count",
        "text_delete",
        "team_remove",
        "team_role",
        "team_uninvite",
        "verify_remove",
        "verify_request",
    }
)

# Answer GET with something that no window is opened on.
PARTS = {
    "api_docs": "Swagger's page, not ours",
    "api_schema": "a file",
    "batch_report": "leads to the blast's report",
    "blast_export": "a file",
    "campaign_export": "a file",
    "credit_export": "a file",
    "contact_export": "a file",
    "contact_proof": "a file",
    "export_file": "a file",
    "link_export": "a file",
    "media_show": "a file",
    "message_export": "a file",
    "blast_crowds": "part of blast_calendar",
    "blast_launched": "part of blast_report",
    "blast_live": "part of blast_report",
    "conversation_thread": "part of conversation",
    "group_size": "part of group_detail",
    "import_refusals": "a file",
    "inbox_rows": "part of inbox",
    "joining_qr": "a picture, shown on joining",
    "mfa_download_recovery_codes": "a file",
}


def addresses(table: dict[str, list[str]], places: Places) -> list[str]:
    """The paths to open: a page with an id once for each of its `places`.

    The first place is opened with everything that may stand behind the question mark.
    """
    parameters = {route.name: route.parameters for route in (*routes.ALL, *routes.LOG_IN)}
    paths = []
    for name, queries in table.items():
        for place, kwargs in enumerate(places.get(name, [] if parameters[name] else [{}])):
            path = reverse(name, kwargs=kwargs)
            paths += [path + query for query in (queries if place == 0 else queries[:1])]
    return paths
