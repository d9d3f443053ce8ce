"""Addresses that work without an account: invitations, choosing an account, the local mailbox."""

from django.urls import path

from accounts.views import invitations, mailbox, tenancy

urlpatterns = [
    path("join/<str:token>/", invitations.invitation_accept, name="invitation_accept"),
    path("accounts/none/", tenancy.account_none, name="account_none"),
    path("accounts/<int:account_id>/switch/", tenancy.account_switch, name="account_switch"),
    path("mailbox/", mailbox.mailbox_page, name="mailbox"),
]
