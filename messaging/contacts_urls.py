"""Addresses of the messaging app below /contacts/: look-ups of line types."""

from django.urls import path

from messaging.views import lookups

urlpatterns = [
    path("line-types/", lookups.lookup_create, name="lookup_create"),
    path("line-types/<int:pk>/", lookups.lookup_detail, name="lookup_detail"),
]
