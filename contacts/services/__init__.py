"""Writes of the contacts app: one module a matter, all reachable from here."""

from contacts.services.bulk import (
    contacts_field_set,
    contacts_group,
    contacts_tag,
    contacts_timezone_set,
    contacts_ungroup,
    contacts_untag,
)
from contacts.services.consent import consent_grant, way_back
from contacts.services.deleting import (
    contact_delete,
    contact_restore,
    contacts_delete,
    contacts_restore,
)
from contacts.services.erasing import erasing_held_off, number_returns, person_erase
from contacts.services.groups import (
    contact_groups_set,
    group_add,
    group_change,
    group_create,
    group_delete,
    group_from,
    group_remove,
    group_rename,
)
from contacts.services.imports import (
    import_cancel,
    import_confirm,
    import_reopen,
    import_start,
    import_sweep,
    import_take,
)
from contacts.services.leaving import consent_revoke, people_lock
from contacts.services.lines import LineTold, line_types_keep
from contacts.services.optins import (
    optin_accept,
    optin_ask,
    optin_confirm,
    optin_form_save,
    optin_keyword_delete,
    optin_keyword_save,
    optin_pending_expire,
)
from contacts.services.own_fields import (
    custom_field_change,
    custom_field_create,
    custom_field_delete,
)
from contacts.services.people import (
    RowResult,
    contact_update,
    contact_upsert,
    contacts_upsert_many,
)
from contacts.services.reviews import optout_keep, optout_take_back
from contacts.services.running import import_run
from contacts.services.smart import (
    group_count,
    group_count_ask,
    group_look,
    group_rules_set,
    rules_count,
)
from contacts.services.tags import (
    contact_tag_remove,
    contact_tags_add,
    contact_tags_set,
    tag_delete,
    tag_rename,
)
from contacts.services.undoing import import_undo, import_undo_run, is_undoable, undo_sweep
from contacts.services.uniting import contacts_unite
from contacts.services.uploads import (
    import_create,
    import_preview,
    import_reread,
    import_sheets,
)

__all__ = [
    "LineTold",
    "RowResult",
    "consent_grant",
    "consent_revoke",
    "contact_delete",
    "contact_groups_set",
    "contact_restore",
    "contact_tag_remove",
    "contact_tags_add",
    "contact_tags_set",
    "contact_update",
    "contact_upsert",
    "contacts_delete",
    "contacts_field_set",
    "contacts_group",
    "contacts_restore",
    "contacts_tag",
    "contacts_timezone_set",
    "contacts_ungroup",
    "contacts_unite",
    "contacts_untag",
    "contacts_upsert_many",
    "custom_field_change",
    "custom_field_create",
    "custom_field_delete",
    "erasing_held_off",
    "group_add",
    "group_change",
    "group_count",
    "group_count_ask",
    "group_create",
    "group_delete",
    "group_from",
    "group_look",
    "group_remove",
    "group_rename",
    "group_rules_set",
    "import_cancel",
    "import_confirm",
    "import_create",
    "import_preview",
    "import_reopen",
    "import_reread",
    "import_run",
    "import_sheets",
    "import_start",
    "import_sweep",
    "import_take",
    "import_undo",
    "import_undo_run",
    "is_undoable",
    "line_types_keep",
    "number_returns",
    "optin_accept",
    "optin_ask",
    "optin_confirm",
    "optin_form_save",
    "optin_keyword_delete",
    "optin_keyword_save",
    "optin_pending_expire",
    "optout_keep",
    "optout_take_back",
    "people_lock",
    "person_erase",
    "rules_count",
    "tag_delete",
    "tag_rename",
    "undo_sweep",
    "way_back",
]
