"""Fake servers of the three platforms over real HTTP, all showing one world that grows with a clock of the test's.

>>> from kolray.testing.clock import FakeClock
>>> from kolray.testing.platforms import FakeWorld, fake_weibo
>>> world = FakeWorld(seed=1, clock=FakeClock())
>>> with fake_weibo(world) as url:
...     url.startswith("http://127.0.0.1:")
True
"""

from kolray.testing.platforms.faults import Faults
from kolray.testing.platforms.tiktok import fake_tiktok
from kolray.testing.platforms.weibo import fake_weibo
from kolray.testing.platforms.world import FakeAccount, FakePost, FakeWorld
from kolray.testing.platforms.youtube import fake_youtube

__all__ = ["FakeAccount", "FakePost", "FakeWorld", "Faults", "fake_tiktok", "fake_weibo", "fake_youtube"]
