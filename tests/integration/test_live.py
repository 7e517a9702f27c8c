"""The live figures on real servers under a few seconds of load: complete and plausible, whatever their speed."""

from __future__ import annotations

import pytest

from kolray.benchmarks.live.finals import finals
from kolray.benchmarks.live.latency import latency
from kolray.benchmarks.live.recovery import recovery
from kolray.errors import SettingsError
from kolray.settings import Settings
from kolray.stream.status import StatusFile


@pytest.mark.local
def test_every_event_becomes_readable_and_its_delay_is_known(local_servers: Settings) -> None:
    found = latency(local_servers, seconds=4, rate=1000, n_kols=200, warm_up_s=1)
    assert (found.events_sent, found.events_seen) == (4000, 4000)
    assert 0 < found.probed < found.events_sent
    assert 0 < found.p50_s <= found.p99_s <= found.max_s < 19  # below: none was missed by every poll
    assert found.shards_cpu_s > 0


@pytest.mark.local
def test_every_event_is_in_a_final_row_after_its_watermark(local_servers: Settings) -> None:
    found = finals(local_servers.kafka, local_servers.registry.url, seconds=3, rate=1000, n_kols=100)
    assert (found.events_sent, found.events_counted) == (3000, 3000)
    assert 1 <= found.windows <= 2
    assert found.rows <= 100 * found.windows
    assert 0 < found.final_p50_s <= found.final_p99_s <= found.final_max_s


@pytest.mark.embedded
def test_live_figures_need_servers_of_their_own(embedded: Settings) -> None:
    with pytest.raises(SettingsError, match="need their own"):
        latency(embedded)


@pytest.mark.local
def test_a_killed_shard_comes_back_with_its_state(own_local: Settings) -> None:
    found = recovery(own_local, n_kols=500, events_per_kol=4, rate=200)
    assert found.events == 2000
    assert found.recovery_s > 0
    assert found.state_mb > 0
    assert found.shards_pss_mb > found.state_mb
    assert StatusFile(own_local.home).read()["restarts"] == 1  # type: ignore[index]
