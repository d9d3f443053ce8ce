"""A browser window, and everything that is wrong with a page opened in it.

Owns what "whole" means for a page: it answers 200, no script or console error, no request fails, no
wider than the window, one h1, every control has a name, text stands out from what is behind it, no
link leads nowhere. `looking.js` is the part of it that runs in the page.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCRIPT = (Path(__file__).parent / "looking.js").read_text()
# Roles of the accessibility tree that a person acts on.
_CONTROLS = frozenset(
    {
        *("button", "checkbox", "combobox", "ColorWell", "Date", "DateTime", "InputTime", "link"),
        *("listbox", "menuitem", "option", "radio", "searchbox", "slider", "spinbutton", "switch"),
        *("tab", "textbox"),
    }
)
# A chart draws itself in some tenths of a second.
_DRAWN_MS = 1500
# The window itself ends what a page was still asking for when it leaves the page.
_LEFT = "net::ERR_ABORTED"


@dataclass(frozen=True)
class Look:
    """A size of window, and the scheme it is opened in; the other is switched to afterwards."""

    name: str
    width: int
    height: int
    scheme: str

    @property
    def other_scheme(self) -> str:
        """Dark for light, light for dark."""
        return "dark" if self.scheme == "light" else "light"


LOOKS = [Look("desktop", 1440, 900, "light"), Look("phone", 390, 844, "dark")]


def chromium() -> str | None:
    """Where this machine's Chromium lies; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Window:
    """One window of one visitor.

    Attributes:
        links: Every address of the platform that an opened page links to, and one page that does.
    """

    def __init__(self, browser: Any, *, base_url: str, look: Look) -> None:
        self._base_url = base_url
        self._look = look
        self._context = browser.new_context(
            viewport={"width": look.width, "height": look.height},
            color_scheme=look.scheme,
            base_url=base_url,
        )
        self._page = self._context.new_page()
        self._devtools = self._context.new_cdp_session(self._page)
        self._heard: list[str] = []
        self.links: dict[str, str] = {}
        self._listen()

    def _listen(self) -> None:
        def said(message: Any) -> None:
            if message.type in ("error", "warning"):
                self._heard.append(f"console: {message.text}")

        def failed(request: Any) -> None:
            if request.failure != _LEFT:
                self._heard.append(f"no answer: {request.url}: {request.failure}")

        def answered(response: Any) -> None:
            if response.status >= 400:
                self._heard.append(f"{response.status}: {response.url}")

        self._page.on("console", said)
        self._page.on("pageerror", lambda error: self._heard.append(f"script: {error}"))
        self._page.on("requestfailed", failed)
        self._page.on("response", answered)

    def log_in(self, email: str, password: str) -> None:
        """Through the log-in page."""
        self._page.goto("/auth/login/")
        self._page.get_by_label("Email").fill(email)
        self._page.get_by_label("Password").fill(password)
        self._page.get_by_role("button", name="Log in").click()
        self._page.get_by_role("heading", level=1, name="Log in").wait_for(state="detached")

    def close(self) -> None:
        """Close it and forget the log-in."""
        self._context.close()

    def keep(self, campaign: str, blast: str, picture: Path) -> None:
        """Go from the campaigns to a blast's report, and keep what the window shows of it."""
        self._page.goto("/campaigns/")
        for name in (campaign, blast):
            self._page.get_by_role("link", name=name).first.click()
            self._page.get_by_role("heading", level=1, name=name).wait_for()
        self._page.wait_for_load_state("networkidle")
        self._page.wait_for_timeout(_DRAWN_MS)
        self._page.screenshot(path=picture)

    def look_at(self, path: str) -> list[str]:
        """Open a page and say what is wrong with it in either scheme; empty where nothing is."""
        self._heard.clear()
        self._page.emulate_media(color_scheme=self._look.scheme)
        answer = self._page.goto(path)
        wrong = [] if answer.status == 200 else [f"answers {answer.status}"]
        arrived = self._page.url.removeprefix(self._base_url)
        if arrived.partition("?")[0].partition("#")[0] != path.partition("?")[0]:
            wrong.append(f"leads to {arrived}")
        wrong += self._seen(path, self._look.scheme)
        wrong += self._nameless()
        self._page.emulate_media(color_scheme=self._look.other_scheme)
        wrong += self._seen(path, self._look.other_scheme)
        return [f"{path}: {one}" for one in dict.fromkeys([*wrong, *self._heard])]

    def _seen(self, path: str, scheme: str) -> list[str]:
        seen = self._page.evaluate(_SCRIPT, scheme)
        self.links |= {link: path for link in seen["links"] if link not in self.links}
        return list(seen["wrong"])

    def _nameless(self) -> list[str]:
        """Controls that a screen reader could not name."""
        tree = self._devtools.send("Accessibility.getFullAXTree")["nodes"]
        return [
            f"a {node['role']['value']} without a name"
            for node in tree
            if not node["ignored"]
            and node["role"]["value"] in _CONTROLS
            and not node.get("name", {}).get("value", "").strip()
        ]

    def follow(self, known: set[str]) -> list[str]:
        """Ask for every link that is not `known` yet, and note it there.

        Returns:
            What is wrong with them, in sentences.
        """
        wrong = []
        for link in sorted(self.links.keys() - known):
            known.add(link)
            answer = self._context.request.get(link)
            if answer.status >= 400:
                wrong.append(f"{link} answers {answer.status}; linked on {self.links[link]}")
            answer.dispose()
        return wrong
