"""Dashboard addresses of the message log."""

from django.urls import path

from messaging.views import log

urlpatterns = [
    path("", log.message_log, name="message_log"),
    path("<int:pk>/", log.message_detail, name="message_detail"),
]
