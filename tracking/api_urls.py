"""Addresses of the tracking app under /api/v1/."""

from rest_framework.routers import SimpleRouter

from tracking.api.views import LinkViewSet

router = SimpleRouter()
router.register("links", LinkViewSet, basename="api-link")

urlpatterns = router.urls
