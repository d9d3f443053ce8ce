"""Dashboard addresses of the links."""

from django.urls import path

from tracking import views

urlpatterns = [
    path("", views.link_list, name="link_list"),
    path("settings/", views.link_settings, name="link_settings"),
    path("<int:pk>/", views.link_report, name="link_report"),
    path("<int:pk>/hits.csv", views.link_export, name="link_export"),
]
