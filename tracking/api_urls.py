"""Addresses of the tracking app under /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from tracking.api.views import LinkSettingsViewSet, LinkViewSet

router = SimpleRouter()
router.register("links", LinkViewSet, basename="api-link")

urlpatterns = [
    path(
        "link-settings/",
        LinkSettingsViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="api-link-settings",
    ),
    *router.urls,
]
