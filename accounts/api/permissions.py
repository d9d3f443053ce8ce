"""Which scope of a key an endpoint needs: `required_scopes = {"GET": "read", "POST": "send"}`.

Where a view names none, safe methods need `read` and the others `write`.
"""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.choices import Scope


class HasScope(BasePermission):
    """Lets a key do what its scopes name."""

    message = "This API key lacks the scope for this."

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the key's scopes include what the view needs for this method or action."""
        key: Any = request.auth
        if key is None:
            return False
        needed = getattr(view, "required_scopes", {}).get(
            getattr(view, "action", None) or request.method
        )
        if needed is None:
            needed = Scope.READ if request.method in SAFE_METHODS else Scope.WRITE
        return needed in key.scopes
