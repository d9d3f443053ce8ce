"""Dashboard addresses of the message log."""

from django.urls import path

from messaging.views import log, media

urlpatterns = [
    path("", log.message_log, name="message_log"),
    path("log.csv", log.message_export, name="message_export"),
    path("group", log.message_group, name="message_group"),
    path("media/", media.media_add, name="media_add"),
    path("media/<int:pk>", media.media_show, name="media_show"),
    path("<int:pk>/", log.message_detail, name="message_detail"),
]
