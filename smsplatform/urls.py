"""Addresses of the `web` process: dashboard, log-in, staff admin and REST API.

Carrier webhooks and short links are served by the `edge` process (smsplatform.edge), not here.
"""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from common.unknown import NoSuchAddress
from smsplatform.search import search

api: list[URLPattern | URLResolver] = [
    path("", include("contacts.api_urls")),
    path("", include("tracking.api_urls")),
    path("", include("messaging.api_urls")),
    path("", include("campaigns.api_urls")),
    path("", include("inbox.api_urls")),
    path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api_schema"), name="api_docs"),
    re_path(r"^.*$", NoSuchAddress.as_view(), name="api_unknown"),
]

urlpatterns = [
    path("", include("campaigns.urls")),
    path("inbox/", include("inbox.urls")),
    path("contacts/", include("contacts.urls")),
    path("contacts/", include("messaging.contacts_urls")),
    path("links/", include("tracking.urls")),
    path("messages/", include("messaging.urls")),
    path("exports/", include("exports.urls")),
    path("settings/", include("accounts.urls")),
    path("settings/", include("messaging.settings_urls")),
    path("search/", search, name="search"),
    path("", include("accounts.public_urls")),
    path("", include("messaging.public_urls")),
    path("auth/", include("allauth.urls")),
    path("api/v1/", include(api)),
    path("staff/", admin.site.urls),
]
