"""Tokens: who holds one, what it may do, and when it stops."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from kolray.errors import InvalidInputError, NotFoundError, ServiceUnavailableError
from kolray.serving.tokens import FOLDER, LOOK_S, Tokens
from kolray.settings import Settings
from kolray.stream.objects import FolderObjects
from kolray.testing.clock import FakeClock

READ = ("read",)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(tmp_path: Path, clock: FakeClock) -> Tokens:
    return Tokens(FolderObjects(tmp_path), clock)


def test_a_text_is_shown_once_and_nothing_that_is_kept_or_shown_reveals_it(tokens: Tokens, tmp_path: Path) -> None:
    text = tokens.create("app", READ, 100)
    token = tokens.check(text)
    assert token is not None
    assert (token.name, token.scopes, token.rate_per_minute) == ("app", READ, 100)
    kept = "".join(f"{file.name}{file.read_text()}" for file in (tmp_path / FOLDER).iterdir())
    secret = text.removeprefix("kolray_")
    assert len(secret) >= 43, "256 bits"
    assert secret not in kept + repr(token)
    assert tokens.check(text[:-1]) is None
    assert tokens.check("") is None


def test_scopes_and_names_are_checked(tokens: Tokens) -> None:
    tokens.create("app", READ, 100)
    with pytest.raises(InvalidInputError, match="exists"):
        tokens.create("app", READ, 100)
    with pytest.raises(InvalidInputError, match="unknown scope write"):
        tokens.create("other", ("write",), 100)
    admin = tokens.check(tokens.create("root", ("admin",), 1))
    assert admin is not None
    assert admin.may("score")


def test_another_replica_knows_of_a_revocation_at_its_next_look(
    tokens: Tokens, tmp_path: Path, clock: FakeClock
) -> None:
    replica, far = (Tokens(FolderObjects(tmp_path), clock, near=near) for near in (True, False))
    assert far.check("") is None
    text = tokens.create("app", READ, 100)
    assert replica.check(text), "one on its own disk sees a new one at once"
    assert far.check(text) is None
    clock.advance(LOOK_S)
    assert far.check(text)
    tokens.revoke("app")
    assert tokens.check(text) is None
    clock.advance(LOOK_S)
    assert replica.check(text) is None
    with pytest.raises(NotFoundError, match="no token is named 'app'"):
        tokens.revoke("app")


def test_a_rotated_token_keeps_what_it_may_and_its_old_text_ends(tokens: Tokens, clock: FakeClock) -> None:
    first = tokens.create("app", ("score",), 7)
    second = tokens.rotate("app", overlap=timedelta(hours=1))
    clock.advance(3599)
    assert tokens.check(first)
    found = tokens.check(second)
    assert found is not None
    assert (found.scopes, found.rate_per_minute) == (("score",), 7)
    clock.advance(1)
    assert tokens.check(first) is None
    third = tokens.rotate("app")
    assert tokens.check(second) is None
    assert tokens.check(third)
    assert [token.name for token in tokens.all()] == ["app"]


def test_a_rotation_at_once_ends_also_what_an_earlier_one_left(tokens: Tokens) -> None:
    texts = [tokens.create("app", READ, 1), tokens.rotate("app", timedelta(hours=1)), tokens.rotate("app")]
    assert [tokens.check(text) is not None for text in texts] == [False, False, True]
    tokens.rotate("app", timedelta(hours=1))
    tokens.revoke("app")
    assert tokens.all() == []


def test_a_store_that_is_away_leaves_tokens_as_they_were(
    tokens: Tokens, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tokens.create("app", READ, 100)
    assert tokens.check(text)

    def away(*_: str) -> list[str]:
        raise ServiceUnavailableError("S3", "bucket", "wait")

    monkeypatch.setattr(FolderObjects, "names", away)
    clock.advance(2 * LOOK_S)
    assert tokens.check(text)


def test_a_damaged_token_is_none_and_the_others_hold(tokens: Tokens, tmp_path: Path) -> None:
    text = tokens.create("app", READ, 100)
    (tmp_path / FOLDER / "damaged").write_text(json.dumps({"name": "x"}))
    assert [token.name for token in tokens.all()] == ["app"]
    assert tokens.check(text)


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    Tokens.of(Settings(home=tmp_path)).create("app", READ, 100)
    assert (tmp_path / "access" / FOLDER).stat().st_mode & 0o777 == 0o700
