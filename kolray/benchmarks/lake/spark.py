"""Apache Spark on the same rows in the same session, from a prepared folder of the published comparison."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kolray.benchmarks.prepared import check_prepared
from kolray.benchmarks.stream.meter import measure
from kolray.errors import KolrayError

NEEDED = ("check.py", "run_spark_medallion.py", "jars/spark", "venv/spark/bin/python", "venv/tools/bin/python")


@dataclass(frozen=True)
class Spark:
    """Figures of the second round in one JVM, as the comparison's warm round has it."""

    spark_wall_s: float
    spark_cpu_s: float
    spark_peak_rss_mb: int


def spark(folder: Path, raw: Path) -> Spark:
    """Runs it over a folder of raw Parquet files.

    Raises:
        SettingsError: the folder is not prepared.
        KolrayError: it failed, or its tables are not what the comparison expects.
    """
    check_prepared(folder, NEEDED)
    with tempfile.TemporaryDirectory(prefix="kolray-peers-") as lake:
        engine = [str(folder / "venv/spark/bin/python"), str(folder / "run_spark_medallion.py")]
        given = ["--jars", str(folder / "jars/spark"), "--parquet", str(raw), "--lake", lake, "--rounds", "2"]
        with (Path(lake) / "log").open("w+") as log:  # it warns of much that is not ours
            try:
                measured = measure([*engine, *given], errors=log)
            except KolrayError as error:
                log.seek(0)
                raise KolrayError(f"Spark failed: {log.read()[-2000:]}") from error
        check = [str(folder / "venv/tools/bin/python"), str(folder / "check.py"), "medallion", "--lake", lake]
        told = subprocess.run([*check, "--parquet", str(raw)], capture_output=True, text=True, check=False)
    if "AGREES" not in told.stdout:
        raise KolrayError(f"Spark's tables are not what the comparison expects: {told.stdout}{told.stderr}")
    wall_s, cpu_s = measured.between("@job_start")
    return Spark(round(wall_s, 2), round(cpu_s, 2), round(measured.meter.peak_pss_mb))


def raw_of(folder: Path, n_events: int, target: Path) -> list[Path]:
    """The comparison's own rows, made by its own tool."""
    check_prepared(folder, NEEDED)
    tool = [str(folder / "venv/tools/bin/python"), str(folder / "make_events.py"), "bronze"]
    subprocess.run([*tool, "--n", str(n_events), "--parquet", str(target)], check=True, stdout=subprocess.DEVNULL)
    return sorted(target.glob("*.parquet"))
