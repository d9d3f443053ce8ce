"""Background work is asked for by name; every name that is used must be a registered task."""

import ast
from pathlib import Path

from django.conf import settings

from smsplatform.celery import app
from smsplatform.local.places import ROOT

APPS = (
    "accounts",
    "exports",
    "contacts",
    "tracking",
    "messaging",
    "campaigns",
    "inbox",
    "smsplatform",
)


def enqueued_names() -> dict[str, Path]:
    """First arguments of `enqueue(...)`, where they are written out, and where they stand."""
    names: dict[str, Path] = {}
    for folder in APPS:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", getattr(node.func, "attr", "")) == "enqueue"
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                    and isinstance(node.args[0].value, str)
                ):
                    names[node.args[0].value] = path
    return names


def test_every_enqueued_name_is_a_registered_task():
    app.loader.import_default_modules()

    names = enqueued_names()

    assert names, "nothing is enqueued by name: this test looks in the wrong place"
    assert {name: path for name, path in names.items() if name not in app.tasks} == {}


def test_every_beat_entry_is_a_registered_task():
    app.loader.import_default_modules()

    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    assert scheduled - set(app.tasks) == set()
