"""Takes the picture of the README anew, from the demo that `make run` filled.

`.venv/bin/python -m tests.e2e.picture ADDRESS EMAIL PASSWORD`, as `make run` prints them.
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.e2e.looking import LOOKS, Window, chromium

PICTURE = Path(__file__).parents[2] / "docs/images/message-report.png"
CAMPAIGN, BLAST = "Mother's Day", "3 of 4: Last call for flowers"


def main(address: str, email: str, password: str) -> None:
    """Log in at `address`, open the report, and keep what a desktop window shows of it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        window = Window(browser, base_url=address, look=LOOKS[0])
        window.log_in(email, password)
        window.keep(CAMPAIGN, BLAST, PICTURE)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
