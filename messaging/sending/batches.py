"""What the engine knows about a batch while it sends: content, links, log-in, rules.

Owns the in-process cache of it. Content and links are frozen at launch and may be kept; what can
change while a batch runs (rules, credentials) is read again for every window.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import connection

from common.clock import now
from common.crypto import decrypt
from messaging.budget import Asked
from messaging.choices import BatchKind, GatewayName
from messaging.content import Content, link_ids
from messaging.gate import Policy, policy
from messaging.gateways.base import Gateway
from messaging.gateways.twilio import TwilioGateway
from messaging.media_links import media_urls
from messaging.models import CarrierAccount
from messaging.pricing import Prices, prices_frozen
from messaging.rendering import compile_body
from tracking.selectors import batch_domain

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class BatchInfo:
    """One batch, sent from one of its numbers, as the engine needs it."""

    id: int
    account_id: int
    is_blast: bool  # somebody can resume it, so it may be paused
    sender_id: int
    our_number: str
    rate_per_s: float
    daily_cap: int | None
    timezone: str
    carrier_account_id: int
    gateway: Gateway
    rules: Policy
    content: Content
    link_ids: tuple[int, ...]
    is_charged: bool
    prices: Prices
    budgets: Asked
    media: str  # the pictures' addresses as the gateway writes them into its requests


def batch_infos(pairs: Collection[tuple[int, int]]) -> dict[tuple[int, int], BatchInfo]:
    """Batches by (id, sender id). One query, and one for the links of batches not seen before.

    Those whose carrier account cannot be read are left out, so that they hold up nobody else's.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT b.id, b.account_id, n.id, n.phone, n.rate_per_s, n.daily_cap, a.timezone,
                   n.carrier_account_id, ca.gateway, ca.external_id, ca.secret_encrypted,
                   ca.api_base_url, ca.is_simulated, b.kind, b.ignores_quiet_hours,
                   a.requires_consent, a.quiet_start, a.quiet_end, b.is_template, b.body,
                   b.credits_reserved > 0, a.cap_texts, a.cap_days, b.expires_at,
                   b.smart_encoding, b.prices::text,
                   a.monthly_budget_credits, b.budget_group, b.budget_credits, b.media_ids,
                   EXISTS (SELECT FROM messaging_sendernumber own
                           WHERE own.account_id = b.account_id AND own.phone = n.phone
                             AND own.carrier_account_id = n.carrier_account_id
                             AND own.released_at IS NULL)
            FROM unnest(%s::bigint[], %s::bigint[]) AS pair(batch_id, sender_id)
            JOIN messaging_batch b ON b.id = pair.batch_id
            JOIN accounts_account a ON a.id = b.account_id
            JOIN messaging_sendernumber n ON n.id = pair.sender_id
            JOIN messaging_carrieraccount ca ON ca.id = n.carrier_account_id
            """,
            [[batch_id for batch_id, _ in pairs], [sender_id for _, sender_id in pairs]],
        )
        rows = cursor.fetchall()
    found = {(row[0], row[2]): _info(*row) for row in rows}
    return {pair: info for pair, info in found.items() if info is not None}


def _info(
    batch_id: int,
    account_id: int,
    sender_id: int,
    our_number: str,
    rate_per_s: float,
    daily_cap: int | None,
    timezone: str,
    carrier_account_id: int,
    gateway_name: str,
    external_id: str,
    secret: memoryview,
    api_base_url: str,
    is_simulated: bool,
    kind: str,
    ignores_quiet_hours: bool,
    requires_consent: bool,
    quiet_start: time,
    quiet_end: time,
    is_template: bool,
    body: str,
    is_charged: bool,
    cap_texts: int,
    cap_days: int,
    expires_at: datetime | None,
    smart_encoding: bool,
    prices: str,
    monthly_budget: int,
    budget_group: int | None,
    budget_credits: int,
    media_ids: list[int],
    has_number: bool,
) -> BatchInfo | None:
    content, link_ids = _content(batch_id, body, is_template, smart_encoding, bool(media_ids))
    carrier = gateway_if_readable(
        carrier_account_id, gateway_name, external_id, bytes(secret), api_base_url
    )
    if carrier is None:
        return None
    return BatchInfo(
        id=batch_id,
        account_id=account_id,
        is_blast=kind == BatchKind.BLAST,
        sender_id=sender_id,
        our_number=our_number,
        rate_per_s=rate_per_s,
        daily_cap=daily_cap,
        timezone=timezone,
        carrier_account_id=carrier_account_id,
        gateway=carrier,
        rules=policy(
            kind=kind,
            ignores_quiet_hours=ignores_quiet_hours,
            requires_consent=requires_consent,
            is_simulated=is_simulated,
            quiet_start=quiet_start,
            quiet_end=quiet_end,
            timezone=timezone,
            cap_texts=cap_texts,
            cap_days=cap_days,
            expires_at=expires_at,
            has_number=has_number,
        ),
        content=content,
        link_ids=link_ids,
        is_charged=is_charged,
        prices=prices_frozen(prices),
        budgets=Asked(
            batch_id,
            account_id,
            monthly_budget if kind == BatchKind.BLAST else 0,
            budget_group,
            budget_credits,
        ),
        media=carrier.encode_media(media_urls(media_ids, at=now())) if media_ids else "",
    )


@lru_cache(maxsize=256)
def _content(
    batch_id: int, body: str, is_template: bool, is_smart: bool, has_media: bool
) -> tuple[Content, tuple[int, ...]]:
    if not is_template:
        return Content(None, body, has_media=has_media), ()
    content = Content(
        compile_body(body),
        domain=batch_domain(batch_id),
        is_smart=is_smart,
        has_media=has_media,
    )
    return content, tuple(link_ids(batch_id))


def gateway_of(carrier: CarrierAccount) -> Gateway:
    """The gateway of a carrier account's row."""
    return gateway(
        carrier.pk,
        carrier.gateway,
        carrier.external_id,
        bytes(carrier.secret_encrypted),
        carrier.api_base_url,
    )


def gateway_if_readable(
    carrier_account_id: int, name: str, external_id: str, secret: bytes, api_base_url: str
) -> Gateway | None:
    """As `gateway`; None, logged, where no key that we have opens the secret."""
    try:
        return gateway(carrier_account_id, name, external_id, secret, api_base_url)
    except InvalidToken:
        log.error(
            "no key of ENCRYPTION_KEYS opens carrier account %s: its texts wait", carrier_account_id
        )
        return None


@lru_cache(maxsize=64)
def gateway(
    carrier_account_id: int, name: str, external_id: str, secret: bytes, api_base_url: str
) -> Gateway:
    """The gateway of a carrier account; a changed secret or address makes a new one.

    Raises:
        ValueError: no gateway has this name.
        InvalidToken: no key opens its secret.
    """
    if name != GatewayName.TWILIO:
        raise ValueError(f"There is no gateway called {name}")
    return TwilioGateway(
        account_sid=external_id,
        auth_token=decrypt(secret),
        api_base_url=api_base_url,
        callback_base=f"{settings.EDGE_URL}/webhooks/twilio/{carrier_account_id}/status/",
    )
