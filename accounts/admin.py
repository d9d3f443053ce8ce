"""Staff pages of the accounts app: approve, suspend, give credits. All through services.

Rows are looked at, not edited: the ledger and the trail are append-only, and roles have rules.
"""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import CharField, ChoiceField, HiddenInput, IntegerField, NumberInput
from django.http import HttpRequest

from accounts import services
from accounts.choices import AccountStatus, CreditKind
from accounts.models import (
    Account,
    AuditEvent,
    CreditEntry,
    Membership,
    Package,
    Purchase,
    User,
)
from common.ids import secret_token

# Staff log in where everybody does: with limits on attempts, and the second step.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_header = "Textledger staff"
admin.site.site_title = "Textledger staff"
admin.site.index_title = "Accounts and people"
admin.site.unregister(Group)


class ReadOnly:
    """Rows that only services write."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, *_: Any) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, *_: Any) -> bool:
        """Nobody."""
        return False


class MembershipInline(ReadOnly, admin.TabularInline):
    """Who is in the account."""

    model = Membership
    extra = 0
    fields = ("user", "role", "created_at")


# More at once is a typing error, and a few of them would be more than a column holds.
GRANT_LIMIT = 1_000_000_000


class CreditsForm(ActionForm):
    """What the act "give credits" needs."""

    # Its bounds are the act's to say: of a form that is not valid the admin says only that nothing
    # was selected.
    credits = IntegerField(
        required=False, label="Credits", widget=NumberInput(attrs={"min": 1, "max": GRANT_LIMIT})
    )
    note = CharField(required=False, max_length=200, label="Why")
    # Sent once a page: a form that is posted twice gives once.
    once = CharField(required=False, initial=secret_token, widget=HiddenInput)


@admin.register(Account)
class AccountAdmin(ReadOnly, admin.ModelAdmin):
    """Accounts, with the acts that staff may do."""

    list_display = ("name", "status", "credit_balance", "credit_held", "credit_owed", "created_at")
    list_filter = ("status",)
    search_fields = ("name", "memberships__user__email")
    ordering = ("-id",)
    inlines = (MembershipInline,)
    actions = ("approve", "suspend", "give_credits")
    action_form = CreditsForm

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Staff who may change accounts; the form itself stays read-only."""
        user = request.user
        return bool(user.is_active and user.is_staff and user.has_perm("accounts.change_account"))

    @admin.action(description="Approve: active, may text everybody", permissions=["act"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        """Trial or suspended accounts become active."""
        self._status(request, queryset, AccountStatus.ACTIVE)

    @admin.action(description="Suspend: nothing is sent", permissions=["act"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        """Stop everything of the account that is not sent yet."""
        self._status(request, queryset, AccountStatus.SUSPENDED)

    def _status(
        self, request: HttpRequest, queryset: QuerySet[Account], status: AccountStatus
    ) -> None:
        assert isinstance(request.user, User)
        for account in queryset:
            services.account_status_set(account=account, actor=request.user, status=status)
        self.message_user(request, f"{len(queryset)} now {status.label.lower()}.")

    @admin.action(description="Give credits (number and reason beside)", permissions=["act"])
    def give_credits(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        """Grant the same number to each chosen account."""
        assert isinstance(request.user, User)
        form = CreditsForm(request.POST)
        action = form.fields["action"]
        assert isinstance(action, ChoiceField)
        action.choices = [("give_credits", "")]
        credits = form.cleaned_data.get("credits") if form.is_valid() else None
        if credits is None or not 1 <= credits <= GRANT_LIMIT:
            words = f"Say how many credits, 1 to {GRANT_LIMIT:,}."
            self.message_user(request, words, messages.ERROR)
            return
        for account in queryset:
            services.credits_grant(
                account=account,
                credits=credits,
                kind=CreditKind.GRANT,
                key=f"staff:{form.cleaned_data['once'] or secret_token()}",
                actor=request.user,
                note=form.cleaned_data["note"],
            )
        self.message_user(request, f"{credits:,} credits given to {len(queryset)}.")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """People: look up, switch off, make staff."""

    list_display = ("email", "name", "is_staff", "is_active", "last_login", "date_joined")
    list_filter = ("is_staff", "is_active")
    search_fields = ("email", "name")
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "user_permissions")}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ("user_permissions",)
    add_fieldsets = ((None, {"fields": ("email", "name", "password1", "password2")}),)

    def has_delete_permission(self, request: HttpRequest, *_: Any) -> bool:
        """Nobody: what a person did keeps their name. Switch the log-in off instead."""
        return False


@admin.register(CreditEntry)
class CreditEntryAdmin(ReadOnly, admin.ModelAdmin):
    """The ledger, to look at."""

    list_display = (
        "created_at", "account", "kind", "available", "held", "owed", "balance_after", "note",
    )  # fmt: skip
    list_filter = ("kind",)
    search_fields = ("account__name", "idempotency_key")
    list_select_related = ("account",)
    show_full_result_count = False


@admin.register(Package)
class PackageAdmin(admin.ModelAdmin):
    """What credits are sold for. Purchases keep what they were begun with."""

    list_display = ("name", "credits", "price", "is_offered")
    list_filter = ("is_offered", "currency")
    exclude = ("created_at",)


@admin.register(Purchase)
class PurchaseAdmin(ReadOnly, admin.ModelAdmin):
    """Purchases, to look at; money goes back at Stripe, and its webhook takes the credits."""

    list_display = ("created_at", "account", "name", "credits", "price", "paid_at", "back_credits")
    search_fields = ("account__name", "reference", "session_id")
    list_select_related = ("account",)
    show_full_result_count = False
    ordering = ("-id",)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly, admin.ModelAdmin):
    """The trail, to look at."""

    list_display = ("at", "account", "actor", "action", "subject")
    search_fields = ("account__name", "action", "subject")
    list_select_related = ("account", "actor")
    show_full_result_count = False
    ordering = ("-id",)
