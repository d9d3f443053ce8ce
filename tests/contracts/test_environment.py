"""Every setting is described, everything described is read, and no secret has a default."""

import ast
import itertools
import re
from pathlib import Path

import pytest

from smsplatform.local import secrets
from smsplatform.local.places import ROOT

SETTINGS = ROOT / "smsplatform" / "settings.py"
EXAMPLE = ROOT / ".env.example"
APPS = ("accounts", "campaigns", "common", "contacts", "exports", "inbox", "messaging", "tracking")


def _reads() -> dict[str, ast.Call]:
    """Variable name to the call that reads it in settings.py (`env.str("X", ...)`)."""
    reads = {}
    for node in ast.walk(ast.parse(SETTINGS.read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env")),
                args=[ast.Constant(value=str(name)), *_],
            ):
                reads[name] = node
    return reads


def _example() -> dict[str, str]:
    return secrets.read(EXAMPLE)


def _compose_reads() -> set[str]:
    """Variables that docker-compose.yml takes out of `.env` itself."""
    return set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))


def test_every_variable_the_settings_read_is_described() -> None:
    assert set(_reads()) - set(_example()) == set()


def test_every_described_variable_is_read() -> None:
    assert set(_example()) - set(_reads()) - _compose_reads() == set()


def test_every_variable_has_a_line_of_explanation_above_it() -> None:
    lines = EXAMPLE.read_text().splitlines()

    bare = [
        line
        for above, line in itertools.pairwise(lines)
        if re.match(r"[A-Z]", line) and not re.match(r"# \w", above)
    ]

    assert bare == []


@pytest.mark.parametrize("name", ["SECRET_KEY", "ENCRYPTION_KEYS", "LINK_KEY", "DATABASE_URL"])
def test_secrets_have_no_default(name: str) -> None:
    assert _example()[name] == ""
    assert _reads()[name].keywords == []


def test_apps_read_settings_and_never_the_environment() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if _reads_environment(path)
    ]

    assert offenders == []


def _reads_environment(path: Path) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
        for node in ast.walk(ast.parse(path.read_text()))
    )
