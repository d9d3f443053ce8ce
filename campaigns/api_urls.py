"""Addresses of the campaigns app under /api/v1/."""

from rest_framework.routers import SimpleRouter

from campaigns.api.views import BlastViewSet, CampaignViewSet

router = SimpleRouter()
router.register("campaigns", CampaignViewSet, basename="campaign")
router.register("blasts", BlastViewSet, basename="blast")

urlpatterns = router.urls
