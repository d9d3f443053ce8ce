"""Addresses of the contacts app under /api/v1/."""

from rest_framework.routers import SimpleRouter

from contacts.api.views import ContactViewSet, GroupViewSet

router = SimpleRouter()
router.register("contacts", ContactViewSet, basename="api-contact")
router.register("groups", GroupViewSet, basename="api-group")

urlpatterns = router.urls
