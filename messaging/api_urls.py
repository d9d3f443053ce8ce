"""Addresses of the messaging app under /api/v1/."""

from rest_framework.routers import SimpleRouter

from messaging.api.media import MediaViewSet
from messaging.api.views import MessageViewSet

router = SimpleRouter()
router.register("messages", MessageViewSet, basename="api-message")
router.register("media", MediaViewSet, basename="api-media")

urlpatterns = router.urls
