"""Addresses of the messaging app that need no log-in."""

from django.urls import path

from messaging.views import subscribe

urlpatterns = [
    path("subscribe/<str:token>/", subscribe.subscribe, name="subscribe"),
]
