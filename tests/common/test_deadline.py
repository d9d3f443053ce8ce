"""Time limits of statements, one inside another."""

import pytest
from django.db import connection

from accounts.models import Account
from common.deadline import TimeUp, within

pytestmark = pytest.mark.django_db


def limit() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        (found,) = cursor.fetchone()
    return str(found)


def sleep(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


@pytest.mark.parametrize(("inner", "held"), [(1.5, "1500ms"), (9.0, "5s"), (None, "5s")])
def test_inside_another_the_shorter_limit_holds_and_then_the_outer_one_again(
    inner: float | None, held: str
):
    with within(5.0):
        assert limit() == "5s"
        with within(inner):
            assert limit() == held
        assert limit() == "5s"
    assert limit() == "0"


def test_time_up_inside_leaves_the_outer_limit_and_what_was_written(account: Account):
    with within(5.0):
        Account.objects.filter(pk=account.pk).update(name="Alice & Co")
        with pytest.raises(TimeUp), within(0.05):
            sleep(10)
        assert limit() == "5s"
        with pytest.raises(ZeroDivisionError), within(1.0):
            _ = 1 / 0
        assert limit() == "5s"

    account.refresh_from_db()
    assert (account.name, limit()) == ("Alice & Co", "0")


def test_a_longer_limit_inside_does_not_stretch_the_outer_one():
    with pytest.raises(TimeUp), within(0.05), within(60.0):
        sleep(10)
    assert limit() == "0"


def test_the_least_limit_is_no_lack_of_one():
    with pytest.raises(TimeUp), within(0.0001):
        sleep(10)
