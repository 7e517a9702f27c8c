"""A Ray that outlives the drivers that are killed: ``python -m kolray.benchmarks.lake_chaos.node``.

It says where it is and ends with its standard input, also where whoever holds that was killed.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The command of the module's docstring."""
    from kolray.local.cluster import join_ray, where

    join_ray()
    print(where(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
