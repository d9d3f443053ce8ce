"""Addresses of the contacts app under /api/v1/."""

from rest_framework.routers import SimpleRouter

from contacts.api.groups import GroupViewSet
from contacts.api.imports import ImportViewSet
from contacts.api.views import ContactViewSet

router = SimpleRouter()
router.register("contacts", ContactViewSet, basename="api-contact")
router.register("groups", GroupViewSet, basename="api-group")
router.register("imports", ImportViewSet, basename="api-import")

urlpatterns = router.urls
