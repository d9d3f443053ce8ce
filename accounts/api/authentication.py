"""`Authorization: Bearer <key>`: a hashed account API key."""

from datetime import timedelta
from typing import Any

from django.db.models import Q
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiKey, User
from common.clock import now
from common.ids import secret_hash

USED_RESOLUTION = timedelta(minutes=1)


class ApiKeyAuthentication(BaseAuthentication):
    """Sets `request.user` to the key's maker and `request.auth` to the key (with `account`)."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """Find the key of the request; None where no key is given.

        Raises:
            AuthenticationFailed: the key does not exist or was revoked (401).
        """
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() != "bearer":
            return None
        if len(words) != 2:
            raise AuthenticationFailed("Send the key as: Authorization: Bearer <key>.")
        key = (
            ApiKey.objects.filter(key_hash=secret_hash(words[1]), revoked_at__isnull=True)
            .select_related("account", "created_by")
            .first()
        )
        if key is None:
            raise AuthenticationFailed("This API key does not exist or was revoked.")
        moment = now()
        ApiKey.objects.filter(pk=key.pk).filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lt=moment - USED_RESOLUTION)
        ).update(last_used_at=moment)
        return key.created_by, key

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return 'Bearer realm="api"'


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """The same in the OpenAPI document."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """A bearer token, made under Settings, API keys."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of the account, made under Settings, API keys.",
        }
