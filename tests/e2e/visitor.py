"""A person at the dashboard without a browser: real HTTP, cookies, forms with their CSRF field."""

import re
from html.parser import HTMLParser
from typing import Any

import requests

_TIMEOUT_S = 60


class Visitor:
    """Follows links and fills in forms of the stack's `web` process.

    Attributes:
        url, text: Address and body of the page that stands open.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._session = requests.Session()
        self.url = self.text = ""

    def open(self, path: str) -> str:
        """GET a page; fails on anything but 200."""
        return self._arrive(self._session.get(self._address(path), timeout=_TIMEOUT_S))

    def fetch(self, path: str) -> str:
        """GET a file beside the page that stays open."""
        answer = self._session.get(self._address(path), timeout=_TIMEOUT_S)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.text

    def submit(self, path: str, data: dict[str, Any], files: dict[str, Any] | None = None) -> str:
        """POST a form of the open page and follow where it leads."""
        token = self._session.cookies.get("csrftoken", "")
        return self._arrive(
            self._session.post(
                self._address(path),
                data={"csrfmiddlewaretoken": token, **data},
                files=files,
                headers={"Referer": self.url or self._base_url},
                timeout=_TIMEOUT_S,
            )
        )

    def log_in(self, email: str, password: str) -> None:
        """Through the log-in page."""
        self.open("/auth/login/")
        self.submit("/auth/login/", {"login": email, "password": password})
        assert "/auth/login" not in self.url, self.words

    @property
    def words(self) -> str:
        """The open page's text without markup, white space folded."""
        reader = _Words()
        reader.feed(self.text)
        return re.sub(r"\s+", " ", " ".join(reader.parts)).strip()

    def _address(self, path: str) -> str:
        return path if path.startswith("http") else self._base_url + path

    def _arrive(self, answer: requests.Response) -> str:
        self.url, self.text = answer.url, answer.text
        assert answer.status_code == 200, f"{answer.url}: {answer.status_code}\n{self.words[:2000]}"
        return self.text


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
