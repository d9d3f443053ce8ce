"""Dashboard addresses of the inbox."""

from django.urls import path

from inbox import views

urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("rows/", views.inbox_rows, name="inbox_rows"),
    path("with/<int:contact_pk>/", views.conversation_start, name="conversation_start"),
    path("<int:pk>/", views.conversation, name="conversation"),
    path("<int:pk>/thread/", views.conversation_thread, name="conversation_thread"),
    path("<int:pk>/reply/", views.conversation_reply, name="conversation_reply"),
    path("<int:pk>/note/", views.conversation_note, name="conversation_note"),
    path("<int:pk>/assign/", views.conversation_assign, name="conversation_assign"),
    path("<int:pk>/status/", views.conversation_status, name="conversation_status"),
    path("<int:pk>/unread/", views.conversation_unread, name="conversation_unread"),
]
