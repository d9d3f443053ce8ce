"""Dashboard addresses of exports."""

from django.urls import path

from exports import views

urlpatterns = [
    path("", views.export_list, name="export_list"),
    path("start", views.export_start, name="export_start"),
    path("<int:pk>/", views.export_detail, name="export_detail"),
    path("<int:pk>/file.csv", views.export_file, name="export_file"),
]
