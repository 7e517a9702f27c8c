"""Bronze over a cluster: tasks read topics and write files, the driver commits each table once."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from kolray.clock import Clock, SystemClock
from kolray.events import Columns, Kind
from kolray.lake.bronze import BronzeTask, by_table, grouped, plan_bronze, read_group
from kolray.lake.bronze_files import commit_bronze, held_at_start, write_bronze
from kolray.lake.contract import read_contract
from kolray.lake.overlap import until_undisturbed
from kolray.lake.tables import LakeTables
from kolray.lake.turns import takes_turn
from kolray.observability.runs import recorded
from kolray.schemas.registry import open_registry
from kolray.settings import Settings


@recorded("lake bronze")
@takes_turn
def run_bronze(settings: Settings, clock: Clock | None = None) -> dict[str, int]:
    """Reads every topic to its end; returns rows added to each table.

    Raises:
        SchemaError: a schema registered for a raw topic breaks the contract; nothing was read or written.
    """
    from kolray.lake.spread import spread  # here: it imports Ray

    tables = LakeTables(settings.lake_root)
    added: Counter[str] = Counter()

    def undisturbed() -> bool:
        now = (clock or SystemClock()).now()
        extra = read_contract(open_registry(settings.registry.url), tables)
        tasks = plan_bronze(tables, settings.kafka.partitions)
        groups = grouped(tasks, groups=2)
        written = spread(groups, lambda tasks: _write_bronze(tasks, settings, now, extra), blocks=len(groups))
        files = [row["file"] for row in written]
        counts, all_committed = commit_bronze(tables, files, held_at_start(tasks), by_table("bronze", extra))
        added.update(counts)
        return all_committed

    until_undisturbed("bronze", undisturbed)
    return dict(added)


def _write_bronze(
    tasks: list[BronzeTask], settings: Settings, now: datetime, extra: dict[Kind, Columns]
) -> Iterable[dict[str, Any]]:
    read = read_group(tasks, settings, now, extra)
    for file in write_bronze(LakeTables(settings.lake_root), read, by_table("bronze", extra)):
        yield {"file": file}
