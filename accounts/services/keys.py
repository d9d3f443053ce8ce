"""API keys: made once, shown once, kept as a hash, revoked for good."""

from collections.abc import Sequence

from django.db import transaction

from accounts.choices import Scope
from accounts.models import Account, ApiKey, User
from accounts.services.audit import audit_record
from common.clock import now
from common.errors import Invalid, NotFound
from common.ids import secret_hash, secret_token

# Tells people (and scanners of leaked secrets) what the string is.
MARK = "tl_"
PREFIX_LENGTH = 10


@transaction.atomic
def apikey_create(
    *, account: Account, actor: User, name: str, scopes: Sequence[str]
) -> tuple[ApiKey, str]:
    """Make a key. The secret is returned here and nowhere again.

    Returns:
        The key's row, and the secret a program sends as `Authorization: Bearer <secret>`.

    Raises:
        Invalid: no name, no scope, or a scope that does not exist.
    """
    if not name.strip():
        raise Invalid(fields={"name": "Say which program will use the key."})
    if not scopes or not set(scopes) <= set(Scope.values):
        raise Invalid(fields={"scopes": "Choose at least one of: " + ", ".join(Scope.values)})
    secret = MARK + secret_token(30)
    key = ApiKey.objects.create(
        account=account,
        name=name.strip()[:80],
        prefix=secret[:PREFIX_LENGTH],
        key_hash=secret_hash(secret),
        scopes=[scope for scope in Scope.values if scope in scopes],
        created_by=actor,
    )
    audit_record(
        account=account,
        actor=actor,
        action="api_key.created",
        subject=key.name,
        data={"prefix": key.prefix, "scopes": key.scopes},
    )
    return key, secret


@transaction.atomic
def apikey_revoke(*, account: Account, actor: User | None, key_id: int) -> ApiKey:
    """Stop a key from working, at once and for good. Revoking twice is one revocation.

    Raises:
        NotFound: the account has no such key.
    """
    key = ApiKey.objects.select_for_update().filter(account=account, pk=key_id).first()
    if key is None:
        raise NotFound()
    if key.revoked_at is None:
        key.revoked_at = now()
        key.save(update_fields=["revoked_at"])
        audit_record(
            account=account,
            actor=actor,
            action="api_key.revoked",
            subject=key.name,
            data={"prefix": key.prefix},
        )
    return key
