"""The tutorial, typed as it stands: a newcomer's way from a clone to data, a model and an alert of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from kolray import local
from kolray.models.registry import ModelRegistry
from kolray.models.trust.accounts import MODEL
from kolray.settings import load_settings
from tests.documented.pages import ROOT, said
from tests.documented.session import Session

pytestmark = pytest.mark.documented
PAGE = ROOT / "docs" / "tutorial.md"
SMALL = "--kols 400 --hours 74"
"""The demo's world, by make's ``ARGS``; its promises hold in it."""
LIMIT_S = 1200
"""What a statement may take on a machine on which other tests run."""
NOT_A_NEWCOMERS = ("KOLRAY_", "PYTEST_", "MAKE", "MFLAGS", "VIRTUAL_ENV")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tutorial") / "kolray"


@pytest.fixture(scope="module")
def told(clone: Path) -> Iterator[dict[str, str]]:
    """What each statement of the page wrote, typed in its order; all have to end with 0."""
    path = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if folder != _programs())
    env = {name: value for name, value in os.environ.items() if not name.startswith(NOT_A_NEWCOMERS)}
    session = Session(clone.parent, env | {"PATH": path, "ARGS": SMALL}, clone.with_name("tutorial.log"))
    wrote: dict[str, str] = {}
    try:
        for command in said(PAGE):
            if command.block:
                code, wrote[command.text] = session.type(command.script.replace("URL", str(ROOT)), LIMIT_S)
                assert code == 0, f"{command.script}\nended with {code}:\n{wrote[command.text][-4000:]}"
            if command.text.startswith("git clone"):
                _lend_installed(clone)
        yield wrote
    finally:
        local.down(clone / ".kolray")
        session.close()


def _programs() -> str:
    return str(Path(sys.executable).parent)


def _lend_installed(clone: Path) -> None:
    """What ``make install`` makes, of this environment's packages but with the clone's kolray, without the network."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clone / ".venv"], check=True)
    programs = clone / ".venv" / "bin"
    purelib = sysconfig.get_path("purelib", vars={"base": str(clone / ".venv")})
    base = sysconfig.get_path("purelib")
    (Path(purelib) / "lent.pth").write_text(f"{clone}\nimport site; site.addsitedir({base!r})\n")
    for name in ("kolray", "ray", "serve"):
        text = (Path(_programs()) / name).read_text()
        (programs / name).write_text(text.replace(sys.executable, str(programs / "python"), 1))
        (programs / name).chmod(0o755)
    for warm in re.findall(r'-c "(from kolray.*warm_up\(\))"', (clone / "Makefile").read_text()):
        subprocess.run([programs / "python", "-c", warm], check=True, cwd=clone)
    (clone / ".venv" / ".installed").touch()


def _of(told: dict[str, str], words: str) -> str:
    """What the one statement wrote that has these words."""
    [wrote] = [wrote for command, wrote in told.items() if words in command]
    return wrote


def test_the_page_begins_with_a_clone_which_is_then_what_runs(told: dict[str, str], clone: Path) -> None:
    assert next(iter(told)) == "git clone URL kolray"
    python = clone / ".venv" / "bin" / "python"
    asked = [python, "-c", "import kolray; print(kolray.__file__)"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=clone.parent)
    assert Path(found.stdout.strip()).is_relative_to(clone)


def test_the_demo_holds_what_it_promises(told: dict[str, str]) -> None:
    assert "0 differences" in _of(told, "make demo")


def test_own_events_are_counted_as_the_lake_has_them(told: dict[str, str]) -> None:
    likes = dict(re.findall(r"(anna|binh|chi)\W+(\d+)", _of(told, "sum(likes)")))
    assert likes == {"anna": str(288 * 40), "binh": str(288 * 25), "chi": "0"}
    assert re.match(r"0 differences in [1-9]", _of(told, "kolray verify"))


def test_the_own_model_is_champion_and_tells_fake_accounts(told: dict[str, str], clone: Path) -> None:
    assert "is champion" in _of(told, "kolray models train")
    assert ModelRegistry.of(load_settings(home=clone / ".kolray")).alias_version(MODEL) == 1
    answered = json.loads((clone / "scores.json").read_text())
    assert answered["model"] == f"{MODEL}:1"
    fake = {row["account_id"]: row["fake"] for row in answered["scores"]}
    assert fake.keys() == {f"a{n}" for n in range(400)}
    assert sum(fake[f"a{n}"] == (n % 4 == 0) for n in range(400)) > 380


def test_the_own_alert_is_raised_by_whom_it_is_meant_for_alone(told: dict[str, str]) -> None:
    raised = re.findall(r"(\w+)\W+(anna|binh|chi)\b", _of(told, "bronze.alerts"))
    assert raised == [("silent_crowd", "chi")]
