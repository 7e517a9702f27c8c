"""The contract of checkpoints, on a folder and on an S3-compatible store."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kolray.errors import CheckpointError, FencedError, ServiceUnavailableError, SettingsError
from kolray.settings import S3Settings, Settings, load_settings
from kolray.stream.checkpoint import KEEP, Checkpoints, RunMark, forget, open_checkpoints
from kolray.stream.objects import FolderObjects, Objects, S3Objects, open_objects
from kolray.stream.snapshot import Snapshot
from tests.s3 import aws_variables

Opens = Callable[[], Objects]


@pytest.fixture(params=["folder", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for checkpoints."""
    return str(tmp_path / "checkpoints") if request.param == "folder" else f"s3://state/{secrets.token_hex(4)}/deep"


@pytest.fixture
def opens(address: str, s3: S3Settings) -> Opens:
    """Opens the same place anew, as another process would."""
    return lambda: open_objects(address, s3)


def snapshot(epoch: int, number: int, partition: int = 0) -> Snapshot:
    return Snapshot(partition, epoch, number, "windows", {"cluster": "c"}, {"social": number, "web": 0}, 7, {}, {})


def test_epochs_rise_for_every_owner_and_count_per_partition(opens: Opens) -> None:
    first, second = Checkpoints(opens()), Checkpoints(opens())
    assert [first.take_epoch(0), second.take_epoch(0), first.take_epoch(0)] == [1, 2, 3]
    assert second.take_epoch(1) == 1


def test_two_that_saw_the_same_epoch_never_get_the_same_one(opens: Opens) -> None:
    """Both looked before either claimed: only the compare-and-set parts them."""
    looked, one, other = opens(), Checkpoints(opens()), opens()
    seen = looked.names("p0000")
    other.names = lambda folder, after="": seen  # type: ignore[method-assign]
    assert one.take_epoch(0) == 1
    assert one.take_epoch(0) == 2
    assert Checkpoints(other).take_epoch(0) == 3


def test_claimants_side_by_side_get_an_epoch_each(tmp_path: Path) -> None:
    taken: list[int] = []
    start = threading.Barrier(8)

    def claim() -> None:
        store = Checkpoints(FolderObjects(tmp_path))
        start.wait()
        taken.append(store.take_epoch(0))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 9))


def test_the_newest_snapshot_comes_back_and_the_newest_three_are_kept(opens: Opens) -> None:
    store = Checkpoints(opens())
    assert store.newest(0) is None
    epoch = store.take_epoch(0)
    for number in range(1, 6):
        store.save(snapshot(epoch, number))
    assert Checkpoints(opens()).newest(0) == snapshot(epoch, 5)
    assert store.newest(1) is None
    assert store.partitions() == [0]
    kept = [name for name in opens().names("p0000") if name.endswith(".ckpt")]
    assert kept == [f"e0000000001-n{number:012d}.ckpt" for number in range(6 - KEEP, 6)]


def test_an_owner_with_an_older_epoch_is_refused_and_never_wins(opens: Opens) -> None:
    store = Checkpoints(opens())
    old, new = store.take_epoch(0), Checkpoints(opens()).take_epoch(0)
    with pytest.raises(FencedError, match="newer owner"):
        store.save(snapshot(old, 99))
    store.save(snapshot(new, 1))
    opens().put("p0000/e0000000001-n000000000099.ckpt", snapshot(old, 99).to_bytes())  # it slipped through
    assert store.newest(0) == snapshot(new, 1)


def test_a_damaged_snapshot_is_named_with_its_place(opens: Opens, address: str) -> None:
    store = Checkpoints(opens())
    epoch = store.take_epoch(0)
    store.save(snapshot(epoch, 1))
    opens().put("p0000/e0000000001-n000000000001.ckpt", b"KOLRAYC1 and then nothing")
    with pytest.raises(CheckpointError, match=f"{address}/p0000/e0000000001-n000000000001.ckpt"):
        store.newest(0)


def test_a_run_sees_that_another_has_begun(opens: Opens) -> None:
    first, second = RunMark(opens(), "one"), RunMark(opens(), "two")
    assert not first.held()
    first.take()
    assert first.held()
    second.take()
    assert (first.held(), second.held()) == (False, True)


@pytest.fixture
def settings(address: str, s3: S3Settings, tmp_path: Path) -> Settings:
    made = load_settings(home=tmp_path)
    return made.model_copy(update={"stream": made.stream.model_copy(update={"checkpoints": address}), "s3": s3})


def test_a_reset_forgets_snapshots_but_epochs_go_on(settings: Settings, opens: Opens) -> None:
    """Row versions and committed numbers count on with the epoch: begun anew, older rows would stand above new ones."""
    store, mark = open_checkpoints(settings), RunMark(opens(), "running")
    mark.take()
    before = store.take_epoch(3)
    store.save(snapshot(before, 5, partition=3))
    forget(settings)
    assert open_checkpoints(settings).newest(3) is None
    assert not mark.held()
    after = open_checkpoints(settings).take_epoch(3)
    assert after == before + 1
    with pytest.raises(FencedError):
        store.save(replace(snapshot(before, 6), partition=3))
    forget(settings)
    forget(settings)


def test_keys_and_endpoint_may_come_from_the_usual_variables(s3: S3Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_variables(s3).items():
        monkeypatch.setenv(name, value)
    objects = S3Objects(f"s3://state/{secrets.token_hex(4)}", S3Settings())
    objects.put("run", b"1")
    assert objects.get("run") == b"1"


def test_a_store_that_is_away_and_a_missing_bucket_say_which(s3: S3Settings) -> None:
    away = S3Objects("s3://state/x", s3.model_copy(update={"endpoint": "http://127.0.0.1:9"}))
    for act in (lambda: away.put("run", b""), lambda: away.create("e"), lambda: away.names("p0000")):
        with pytest.raises(ServiceUnavailableError, match=r"127\.0\.0\.1:9"):
            act()
    with pytest.raises(ServiceUnavailableError, match="s3://nowhere/x"):
        S3Objects("s3://nowhere/x", s3).put("run", b"")


@pytest.mark.parametrize("address", ["s3:///prefix", "gs://bucket/x"])
def test_an_address_that_is_no_bucket_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="s3://BUCKET/PREFIX"):
        open_objects(address, S3Settings())


def test_keys_are_not_shown(s3: S3Settings) -> None:
    assert "secret" not in repr(s3).replace("secret_access_key", "")
