"""Twilio's Lookup v2: GET /v2/PhoneNumbers/{number}?Fields=line_type_intelligence.

Each look-up that is answered, also badly, is counted by number: it would have been paid for.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote

from carriersim.asgi import Receive, Scope, Send, answer, header
from carriersim.behaviours import REFUSED_FAULTS, Plan, script_of
from carriersim.errors import CarrierError
from carriersim.login import Logins
from carriersim.messages_api import FAULT_CODES, answer_badly
from carriersim.settings import Settings
from carriersim.simulator import Simulator

PREFIX = "/v2/PhoneNumbers/"
_PHONE = re.compile(r"\+[1-9]\d{6,14}").fullmatch
_FIELD = "line_type_intelligence"
# Refused as no mobile, or not delivered to: what a number like this one is.
_NO_MOBILE = 21614
_INVALID = 21211


class LookupsApi:
    """Answers everything below /v2/PhoneNumbers/."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self._logins = Logins(sim.store)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; refusals become Twilio's error bodies."""
        try:
            await self._look_up(scope, receive, send)
        except CarrierError as error:
            await answer(send, error.status, error.body)

    async def _look_up(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._logins.read(header(scope, b"authorization"))
        if scope["method"] != "GET":
            raise CarrierError(20004)
        phone = unquote(scope["path"][len(PREFIX) :])
        if not _PHONE(phone):
            raise CarrierError(20404, scope["path"])
        sim = self._sim
        plan = script_of(sim.settings, phone) or Plan()
        key = hash(("look-up", phone))
        tries = sim.tries.get(key, 0)
        if plan.fault in REFUSED_FAULTS and not 0 < plan.fault_times <= tries:
            sim.tries[key] = tries + 1
            sim.stats.faults[plan.fault] += 1
            raise CarrierError(FAULT_CODES[plan.fault])
        sim.lookups[phone] += 1
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("Fields", [""])[0]
        body = json.dumps(_found(sim.settings, phone, plan, has_type=_FIELD in asked)).encode()
        if plan.answer:
            sim.stats.faults[plan.answer] += 1
            await answer_badly(plan.answer, 200, body, sim.settings, receive, send)
        else:
            await answer(send, 200, body)


def _found(settings: Settings, phone: str, plan: Plan, *, has_type: bool) -> dict[str, Any]:
    is_valid = plan.refusal != _INVALID
    line = {
        "carrier_name": "Simulated Wireless",
        "error_code": None,
        "mobile_country_code": None,
        "mobile_network_code": None,
        "type": _type_of(settings, phone, plan),
    }
    return {
        "calling_country_code": phone[1:2] if phone[1] == "1" else None,
        "country_code": None,
        "phone_number": phone,
        "national_format": phone,
        "valid": is_valid,
        "validation_errors": [] if is_valid else ["INVALID_BUT_POSSIBLE"],
        _FIELD: line if has_type and is_valid else None,
        "url": f"https://lookups.twilio.com/v2/PhoneNumbers/{phone}",
    }


def _type_of(settings: Settings, phone: str, plan: Plan) -> str:
    for start in range(len(phone)):
        known = settings.line_types.get(phone[start:])
        if known is not None:
            return known
    is_landline = plan.outcome.name == "landline" or plan.refusal == _NO_MOBILE
    return "landline" if is_landline else "mobile"
