"""docker-compose.yml keeps to the compose specification and starts what the design names."""

import json
import shlex
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml

from smsplatform.local.places import ROOT
from smsplatform.local.postgres import SETTINGS


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_it_keeps_to_the_specification(compose: dict[str, Any]) -> None:
    schemas = files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text())

    errors = list(jsonschema.validators.validator_for(schema)(schema).iter_errors(compose))

    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_it_starts_every_process_of_the_design(compose: dict[str, Any]) -> None:
    always = {name for name, service in compose["services"].items() if "profiles" not in service}

    assert always == {"postgres", "redis", "migrate", "web", "edge", "sender", "worker", "beat"}


def test_the_stand_in_carrier_is_only_in_the_demo(compose: dict[str, Any]) -> None:
    assert compose["services"]["carriersim"]["profiles"] == ["demo"]


def test_edge_needs_neither_web_nor_redis(compose: dict[str, Any]) -> None:
    assert set(compose["services"]["edge"]["depends_on"]) == {"migrate"}


def test_its_database_makes_the_plans_that_are_tested_and_measured(
    compose: dict[str, Any],
) -> None:
    words = shlex.split(compose["services"]["postgres"]["command"])
    given = dict(word.split("=") for word in words if "=" in word)
    own = {"listen_addresses", "unix_socket_directories", "shared_buffers"}

    assert given == {name: value for name, value in SETTINGS.items() if name not in own}


@pytest.mark.parametrize("name", ["postgres", "redis", "web", "edge", "worker"])
def test_what_answers_has_a_health_check(compose: dict[str, Any], name: str) -> None:
    assert compose["services"][name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_no_port_is_open_to_the_network(compose: dict[str, Any]) -> None:
    published = [
        port for service in compose["services"].values() for port in service.get("ports", [])
    ]

    assert len(published) == 3
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()

    assert text.count("${POSTGRES_PASSWORD:?") == text.count("${POSTGRES_PASSWORD") == 2
    assert compose["services"]["web"]["env_file"] == ".env"
