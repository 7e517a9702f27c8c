"""Ray shell of the layers that read files and topics: Ray Data spreads work over the cluster. [ray]"""

import logging
import pickle
from collections.abc import Callable, Iterable
from typing import Any

import ray

from kolray.local.cluster import join_ray

Row = dict[str, Any]


def spread(work: list[Any], do: Callable[[Any], Iterable[Row]], blocks: int) -> list[Row]:
    """Runs ``do`` on every item by Ray Data and gathers the rows it yields."""
    if not work:
        return []
    join_ray()
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)

    held = ray.put(work)

    def batch(items: Row) -> Row:
        everything = ray.get(held)
        return {"row": [pickle.dumps(row) for index in items["item"] for row in do(everything[index])]}

    numbered = ray.data.from_items([{"item": i} for i in range(len(work))], override_num_blocks=min(blocks, len(work)))
    done = numbered.map_batches(batch, batch_format="numpy", batch_size=None).take_all()
    return [pickle.loads(row["row"]) for row in done]  # noqa: S301 - our own tasks wrote them
