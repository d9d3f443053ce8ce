"""Addresses of the inbox app under /api/v1/."""

from rest_framework.routers import SimpleRouter

from inbox.api.views import ConversationViewSet

router = SimpleRouter()
router.register("conversations", ConversationViewSet, basename="api-conversation")

urlpatterns = router.urls
