"""Addresses that work without an account: invitations, choosing one, the local mailbox, Stripe."""

from django.urls import path

from accounts.views import invitations, mailbox, purchases, tenancy

urlpatterns = [
    path("join/<str:token>/", invitations.invitation_accept, name="invitation_accept"),
    path("accounts/none/", tenancy.account_none, name="account_none"),
    path("accounts/<int:account_id>/switch/", tenancy.account_switch, name="account_switch"),
    path("mailbox/", mailbox.mailbox_page, name="mailbox"),
    path("payments/stripe/", purchases.stripe_webhook, name="stripe_webhook"),
]
