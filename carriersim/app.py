"""The ASGI application: `granian --interface asgi --workers 1 carriersim.app:app`.

Owns start and stop, the environment, and which side a path belongs to. One process and one event
loop hold all state, so it must run with exactly one worker.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Mapping
from typing import Any

from carriersim.asgi import Receive, Scope, Send, TooLarge, answer_json
from carriersim.control import Control
from carriersim.lookups_api import PREFIX as LOOKUPS
from carriersim.lookups_api import LookupsApi
from carriersim.messages_api import PREFIX, MessagesApi
from carriersim.simulator import Simulator


def read_accounts(text: str) -> dict[str, str]:
    """Auth tokens by sid, from `sid:token,sid:token`."""
    pairs = (one.strip().partition(":") for one in text.split(",") if one.strip())
    return {sid: token for sid, _, token in pairs}


def simulator_from(environment: Mapping[str, str]) -> Simulator:
    """The simulator that the CARRIERSIM_ variables describe."""
    return Simulator(
        accounts=read_accounts(environment.get("CARRIERSIM_ACCOUNTS", "")),
        settings=json.loads(environment.get("CARRIERSIM_SETTINGS") or "{}"),
        data_dir=environment.get("CARRIERSIM_DATA", ""),
    )


class App:
    """Routes requests; the simulator is made when the server starts."""

    def __init__(self) -> None:
        self._api: MessagesApi | None = None
        self._lookups: LookupsApi | None = None
        self._control: Control | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if (
            scope["type"] != "http"
            or self._api is None
            or self._lookups is None
            or self._control is None
        ):
            return
        path: str = scope["path"]
        try:
            if path.startswith(PREFIX):
                await self._api(scope, receive, send)
            elif path.startswith(LOOKUPS):
                await self._lookups(scope, receive, send)
            elif path.startswith("/sim/"):
                await self._control(scope, receive, send)
            else:
                await answer_json(send, 404, {"error": f"Nothing at {path}"})
        except TooLarge:
            await answer_json(send, 413, {"error": "The body is larger than 1 MiB"})

    async def _live(self, receive: Receive, send: Send) -> None:
        message: dict[str, Any] = await receive()
        # Messages stay and make no cycles: looking for garbage every 700 objects cost 6 %.
        gc.set_threshold(100_000, 20, 20)
        simulator = simulator_from(os.environ)
        self._api, self._control = MessagesApi(simulator), Control(simulator)
        self._lookups = LookupsApi(simulator)
        await send({"type": "lifespan.startup.complete"})
        while message["type"] != "lifespan.shutdown":
            message = await receive()
        simulator.close()
        await send({"type": "lifespan.shutdown.complete"})


app = App()
