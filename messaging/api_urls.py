"""Addresses of the messaging app under /api/v1/."""

from rest_framework.routers import SimpleRouter

from messaging.api.views import MessageViewSet

router = SimpleRouter()
router.register("messages", MessageViewSet, basename="api-message")

urlpatterns = router.urls
