"""What platform staff see of contacts: for looking up, not for editing."""

from django.contrib import admin
from django.http import HttpRequest

from contacts.models import ConsentEvent, Contact, ContactImport, OptOut


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows are changed by services only; consent events never."""

    list_select_related = ("account",)
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody changes here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody deletes here."""
        return False


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    """Contacts of all accounts, found by phone."""

    list_display = ("phone", "first_name", "last_name", "account", "consent", "deleted_at")
    search_fields = ("=phone",)


@admin.register(OptOut)
class OptOutAdmin(ReadOnlyAdmin):
    """Opt-outs of all accounts, found by phone."""

    list_display = ("phone", "account", "source", "at")
    search_fields = ("=phone",)


@admin.register(ConsentEvent)
class ConsentEventAdmin(ReadOnlyAdmin):
    """The proof behind opt-ins and opt-outs, found by phone."""

    list_display = ("phone", "account", "kind", "source", "wording", "at")
    search_fields = ("=phone",)


@admin.register(ContactImport)
class ContactImportAdmin(ReadOnlyAdmin):
    """Imports and how they ended."""

    list_display = ("filename", "account", "status", "rows_read", "rows_refused", "created_at")
    list_filter = ("status",)
