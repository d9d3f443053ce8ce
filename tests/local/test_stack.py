"""The processes that other tests stand on are real, share the test's data, and can be killed."""

import urllib.request

from django.db import connection

from accounts.models import Account
from tests.stack import Stack


def _sessions(name: str) -> int:
    """How many database sessions the process `name` has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = %s AND datname = current_database()",
            [name],
        )
        return int(cursor.fetchone()[0])


def test_all_processes_run_over_the_test_database(stack: Stack, account: Account) -> None:
    assert sorted(stack.running()) == ["beat", "carriersim", "edge", "sender", "web", "worker"]
    assert urllib.request.urlopen(f"{stack.edge_url}/healthz").status == 200
    assert urllib.request.urlopen(f"{stack.web_url}/auth/login/").status == 200
    assert stack.carriersim.summary()["accepted"] == 0

    stack.wait_until(lambda: _sessions("worker") > 0, what="A sweep of the worker")


def test_a_killed_process_is_gone_and_can_be_started_again(stack: Stack) -> None:
    stack.wait_until(lambda: _sessions("worker") > 0, what="A sweep of the worker")

    stack.kill("worker", "edge")

    assert sorted(stack.running()) == ["beat", "carriersim", "sender", "web"]
    stack.wait_until(lambda: _sessions("worker") == 0, what="The end of its sessions")
    stack.start("edge", "worker")
    stack.wait_until(lambda: _sessions("worker") > 0, what="A sweep of the new worker")


def test_each_test_begins_with_every_process_and_no_rows_of_the_last(stack: Stack) -> None:
    assert Account.objects.count() == 0
    assert len(stack.running()) == 6
