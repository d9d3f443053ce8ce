"""The embedded PostgreSQL and Redis end with their owner and keep what they were given."""

import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg2
from redis import Redis

from smsplatform.local import guardian, secrets, strays
from tests.local.conftest import Supervisor, running, wait_until_none_runs

Supervise = Callable[..., Supervisor]


def _environment(supervisor: Supervisor) -> dict[str, str]:
    """What `services` printed: NAME=value lines, DATABASE_URL and REDIS_URL among them."""
    supervisor.wait_for("DEMO_EMAIL=")
    return dict(line.split("=", 1) for line in supervisor.printed.splitlines() if "=" in line)


def _write(settings: dict[str, str]) -> None:
    connection = psycopg2.connect(settings["DATABASE_URL"])
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (word text)")
        cursor.execute("INSERT INTO kept VALUES ('yesterday')")
    connection.close()
    Redis.from_url(settings["REDIS_URL"]).set("kept", "yesterday")


def _read(settings: dict[str, str]) -> list[tuple[str]]:
    connection = psycopg2.connect(settings["DATABASE_URL"])
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT word FROM kept")
        rows = cursor.fetchall()
    connection.close()
    return rows


def test_data_and_secrets_are_found_again_after_an_orderly_stop(
    supervise: Supervise, folder: Path
) -> None:
    first = supervise("services")
    before = _environment(first)
    _write(before)
    first.send(signal.SIGINT)
    assert first.wait() == 0
    assert running(folder) == []

    again = _environment(supervise("services"))

    assert _read(again) == [("yesterday",)]
    assert Redis.from_url(again["REDIS_URL"]).get("kept") == b"yesterday"
    assert again["ENCRYPTION_KEYS"] == before["ENCRYPTION_KEYS"]


def test_a_killed_owner_takes_its_servers_along_and_loses_no_commit(
    supervise: Supervise, folder: Path
) -> None:
    first = supervise("services")
    _write(_environment(first))

    first.send(signal.SIGKILL)
    first.wait()

    wait_until_none_runs(folder)
    assert _read(_environment(supervise("services"))) == [("yesterday",)]


def test_a_killed_postmaster_and_guardian_are_cleaned_up_by_the_next_start(
    supervise: Supervise, folder: Path
) -> None:
    first = supervise("services")
    _write(_environment(first))
    postmaster = int((folder / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])

    first.send(signal.SIGSTOP)
    guardian.replace(mark=strays.mark_of(folder))
    psutil.Process(postmaster).kill()
    first.send(signal.SIGKILL)
    first.wait()

    assert any("redis-server" in process for process in running(folder))
    second = supervise("services")
    assert _read(_environment(second)) == [("yesterday",)]
    second.send(signal.SIGTERM)
    assert second.wait() == 0
    assert running(folder) == []


def test_a_pid_file_whose_number_belongs_to_another_program_does_not_block(
    supervise: Supervise, folder: Path
) -> None:
    first = supervise("services")
    _environment(first)
    first.send(signal.SIGINT)
    first.wait()
    innocent = psutil.Process()
    (folder / "postgres" / "postmaster.pid").write_text(f"{innocent.pid}\n{folder}\n")

    _environment(supervise("services"))

    assert innocent.is_running()


def test_a_second_start_on_the_same_data_says_who_is_running(supervise: Supervise) -> None:
    first = supervise("services")
    settings = _environment(first)

    second = supervise("services")

    assert second.wait() == 1
    assert f"is already running (process {first.process.pid})" in second.printed
    psycopg2.connect(settings["DATABASE_URL"]).close()


def test_lost_secrets_are_told_and_nothing_is_changed(supervise: Supervise, folder: Path) -> None:
    first = supervise("services")
    _environment(first)
    first.send(signal.SIGINT)
    first.wait()
    kept = (folder / "env").read_text()
    (folder / "env").unlink()

    second = supervise("services")

    assert second.wait() == 1
    assert "was made with other secrets" in second.printed
    (folder / "env").write_text(kept)
    _environment(supervise("services"))


def test_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    made = secrets.kept(tmp_path / "env")

    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600
    assert secrets.kept(tmp_path / "env") == made
    assert made["LINK_KEY"].startswith("1:")
    assert len(bytes.fromhex(made["LINK_KEY"][2:])) == 32


def test_a_secret_of_a_newer_version_is_added_to_the_kept_ones(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("SECRET_KEY=mine\n")

    made = secrets.kept(tmp_path / "env")

    assert made["SECRET_KEY"] == "mine"
    assert secrets.read(tmp_path / "env") == made
    assert "ENCRYPTION_KEYS" in made


def test_a_run_keeps_every_commit_through_a_power_cut(supervise: Supervise) -> None:
    connection = psycopg2.connect(_environment(supervise("services"))["DATABASE_URL"])

    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, setting FROM pg_settings"
            " WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"
        )

        assert dict(cursor.fetchall()) == {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
        }
    connection.close()
