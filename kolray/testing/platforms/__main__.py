"""A fake YouTube as a process of its own: ``python -m kolray.testing.platforms TIME``.

Its first line of output tells, as JSON, ``url, key, accounts``. Its world begins at ``TIME`` (ISO 8601); each line of
input is a number of minutes that pass there, answered by an empty line. It ends with its input.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta

from kolray.testing.clock import FakeClock
from kolray.testing.platforms import FakeWorld, fake_youtube
from kolray.testing.platforms.youtube import KEY, channel_id


def main() -> None:
    """Serves until its input ends."""
    clock = FakeClock(datetime.fromisoformat(sys.argv[1]))
    world = FakeWorld(seed=1, clock=clock, n_accounts=5)
    with fake_youtube(world) as url:
        accounts = [channel_id(account.number) for account in world.accounts]
        sys.stdout.write(json.dumps({"url": url, "key": KEY, "accounts": accounts}) + "\n")
        sys.stdout.flush()
        for minutes in sys.stdin:
            clock.advance(timedelta(minutes=float(minutes)).total_seconds())
            sys.stdout.write("\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
