"""The tutorial, typed as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy
PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"


def test_a_newcomer_gets_to_an_alert_of_their_own(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    env = {name: value for name, value in os.environ.items() if not name.startswith("KOLRAY_")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    typed = "trap 'kolray down' EXIT\n" + "\n".join(blocks)
    done = subprocess.run(
        ["bash", "-ec", typed], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=900
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    assert "0 differences" in said or "no difference" in said, said
    alerts = said.split("bronze.alerts")[-1]
    assert "silent_crowd" in alerts
    assert {name for name in ("anna", "binh", "chi") if re.search(rf"silent_crowd\W+{name}", alerts)} == {"chi"}
