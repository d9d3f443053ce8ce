"""No app imports another's interfaces: views, forms, API, tasks and the like belong to their app.

import-linter holds the direction of imports (pyproject.toml); this holds what may be imported. A
lower app's API serializers may: an object has one shape, wherever the API shows it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from smsplatform.local.places import ROOT

APPS = {"accounts", "campaigns", "common", "contacts", "exports", "inbox", "messaging", "tracking"}
INTERFACES = {
    "admin",
    "api",
    "api_urls",
    "apps",
    "forms",
    "management",
    "migrations",
    "tasks",
    "urls",
    "views",
}


def _imports(path: Path) -> Iterator[str]:
    """Every module, and every name taken from one, that the file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _breaches(app: str) -> Iterator[str]:
    for path in sorted((ROOT / app).rglob("*.py")):
        for name in _imports(path):
            parts = name.split(".")
            if parts[0] not in APPS - {app, "common"} or "migrations" in path.parts:
                continue
            if parts[1:2] and parts[1] in INTERFACES and parts[1:3] != ["api", "serializers"]:
                yield f"{path.relative_to(ROOT)} imports {name}"


def test_no_app_imports_the_interfaces_of_another() -> None:
    assert [breach for app in sorted(APPS) for breach in _breaches(app)] == []
