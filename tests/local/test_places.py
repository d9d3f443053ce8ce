"""Where data is kept when PostgreSQL's user cannot enter the clone, or no folder can be private."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsplatform.local import places
from smsplatform.local.places import Owner, PlaceError

STRANGER = Owner(uid=65_534, gid=65_534, drop=True)
MYSELF = Owner(uid=os.geteuid(), gid=os.getegid(), drop=False)


@pytest.fixture
def open_clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clone that everybody may enter."""
    clone = Path("/var/tmp") / f"textledger-clone-{os.getpid()}"
    clone.mkdir()
    clone.chmod(0o755)
    yield clone
    shutil.rmtree(clone)


@pytest.fixture
def closed_home(open_clone: Path) -> Path:
    """A clone in a home that only its owner may enter."""
    home = open_clone / "home"
    home.mkdir(mode=0o700)
    clone = home / "clone"
    clone.mkdir(mode=0o755)
    return clone


def _elsewhere(clone: Path) -> Path:
    return Path("/var/tmp") / f"textledger-{places.clone_id(clone)}"


def test_root_keeps_data_in_the_clone_where_its_user_can_reach_it(open_clone: Path) -> None:
    assert places.data_root(local=open_clone / ".local", owner=STRANGER) == open_clone / ".local"
    assert places.can_reach(open_clone / ".local", STRANGER)


def test_a_narrow_umask_does_not_shut_the_user_out(open_clone: Path) -> None:
    before = os.umask(0o077)
    try:
        place = places.data_root(local=open_clone / ".local", owner=STRANGER)
    finally:
        os.umask(before)

    assert place == open_clone / ".local"
    assert places.can_reach(place, STRANGER)


def test_root_keeps_data_under_var_tmp_where_the_clone_is_closed(closed_home: Path) -> None:
    place = places.data_root(local=closed_home / ".local", owner=STRANGER)

    assert place == _elsewhere(closed_home)
    assert places.can_reach(place, STRANGER)
    assert stat.S_IMODE(closed_home.parent.stat().st_mode) == 0o700
    assert not (closed_home / ".local").exists()
    place.rmdir()


def test_a_folder_prepared_by_somebody_else_is_refused(closed_home: Path) -> None:
    prepared = _elsewhere(closed_home)
    prepared.mkdir()
    prepared.chmod(0o777)

    with pytest.raises(PlaceError, match="others may write to it"):
        places.data_root(local=closed_home / ".local", owner=STRANGER)

    assert stat.S_IMODE(prepared.stat().st_mode) == 0o777
    prepared.rmdir()


def test_a_link_in_place_of_the_folder_is_refused(closed_home: Path, tmp_path: Path) -> None:
    _elsewhere(closed_home).symlink_to(tmp_path)

    with pytest.raises(PlaceError):
        places.data_root(local=closed_home / ".local", owner=STRANGER)

    assert list(tmp_path.iterdir()) == []
    _elsewhere(closed_home).unlink()


def test_a_user_keeps_data_in_the_clone(open_clone: Path) -> None:
    assert places.data_root(local=open_clone / ".local", owner=MYSELF) == open_clone / ".local"
    assert list((open_clone / ".local").iterdir()) == []


def test_a_user_whose_clone_cannot_hold_a_folder_uses_the_data_home(
    open_clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (open_clone / ".local").write_text("a file, where a folder cannot be made")

    place = places.data_root(local=open_clone / ".local", owner=MYSELF)

    assert place == tmp_path / "textledger" / places.clone_id(open_clone)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_two_clones_never_share_a_folder(tmp_path: Path) -> None:
    assert places.clone_id(tmp_path / "one") != places.clone_id(tmp_path / "two")
