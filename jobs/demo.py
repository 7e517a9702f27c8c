"""``make demo``: one event's whole life on this machine. ``--once`` ends by itself, 0 if every promise held."""

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, cast

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_SERVE_LOG_TO_STDERR", "0")
os.environ.setdefault("RAY_SERVE_THROUGHPUT_OPTIMIZED", "1")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # a Ray of its own on loopback, gone with this process

import ray
from pydantic import SecretStr

from kolray import local
from kolray.clock import SystemClock
from kolray.connectors.generator import WorldConfig
from kolray.connectors.poll_run import poll_platform
from kolray.demo.run import Demo
from kolray.errors import KolrayError
from kolray.lake.bronze_pipeline import run_bronze
from kolray.lake.gold_pipeline import run_gold
from kolray.lake.silver_pipeline import run_silver
from kolray.local.cluster import on_loopback
from kolray.local.ports import choose_port
from kolray.models.champion_scorer import champion_scorer
from kolray.models.forecast_pipeline import run_forecasts
from kolray.models.registry import ModelRegistry
from kolray.models.sentiment import default_classifier
from kolray.models.trainers import train_on_ray
from kolray.serving.deployments import run_serving
from kolray.settings import Settings
from kolray.stream.actors import run_stream


def _stream(settings: Settings) -> dict[str, int]:
    return run_stream(settings, default_classifier, partial(champion_scorer, settings), until_end=True)


def _lake(day_before: datetime, settings: Settings) -> dict[str, int]:
    """As the nightly runs of two days leave it: with what was known a day before, as scores are compared by the day."""
    counts = run_bronze(settings) | run_silver(settings, default_classifier()) | run_gold(settings, day_before)
    return Counter(counts) + Counter(run_gold(settings))


def _train(settings: Settings, registry: ModelRegistry) -> dict[str, dict[str, float]]:
    done = train_on_ray(("trust", "success"), settings.lake_root, registry)
    trust, success = done["trust"].report, done["success"].report
    return {
        "trust": {"auc": trust["test"]["auc"], "baseline_auc": trust["baseline"]["auc"]},
        "success": {"smape": success["test"]["smape"], "baseline_smape": success["baseline"]["smape"]},
    }


def _serve(settings: Settings) -> str:
    part = settings.serving.model_copy(update={"port": choose_port("serving")})
    return run_serving(settings.model_copy(update={"serving": part}))


class _FakeYoutube:
    """A platform to poll, as a process of its own over HTTP; it ends with its input, so with this process too."""

    def __init__(self, opens_at: datetime) -> None:
        command = [sys.executable, "-m", "kolray.testing.platforms", opens_at.isoformat()]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
        self._tell, self._told = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        self._now = opens_at

    def poll(self, settings: Settings) -> dict[str, int]:
        """Three polls, a minute of the platform's between them; events of each kind."""
        told = json.loads(self._told.readline())
        part = settings.youtube.model_copy(update={"base_url": told["url"], "api_key": SecretStr(told["key"])})
        settings, sent = settings.model_copy(update={"youtube": part}), Counter[str]()
        for _ in range(3):
            sent.update(poll_platform(settings, "youtube", told["accounts"], clock=_At(self._now)))
            self._now += timedelta(minutes=1)
            self._tell.write("1\n")
            self._tell.flush()
            self._told.readline()
        return dict(sent)

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()


class _At(SystemClock):
    """Stands still."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


def _evening(now: datetime) -> datetime:
    """The last 21:00 UTC: the same days of the same world, whatever the hour of the run."""
    evening = now.replace(hour=21, minute=0, second=0, microsecond=0)
    return evening if evening <= now else evening - timedelta(days=1)


def main() -> int:
    """Exit code: 0 all promises held, 1 one did not, 130 interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself instead of serving until Ctrl-C")
    parser.add_argument("--kols", type=int, default=2000)
    parser.add_argument("--hours", type=int, default=96)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--file", type=Path, action="append", default=[], help="an event file of your own")
    args = parser.parse_args()
    home = Path(os.environ.get("KOLRAY_HOME", ".kolray")).absolute() / "demo"
    os.environ["KOLRAY_HOME"] = str(home)
    logging.disable(logging.INFO)  # the stages tell what happens
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    world = WorldConfig(args.kols, args.hours, args.seed, _evening(SystemClock().now()))
    youtube = _FakeYoutube(world.end)
    demo = Demo(
        home, world, args.file,
        poll=youtube.poll, run_stream=_stream,
        run_lake=partial(_lake, world.end - timedelta(days=1)), train=_train, forecast=run_forecasts, serve=_serve,
    )  # fmt: skip
    try:
        settings = demo.start()
        with demo.stage("Ray") as say:
            with on_loopback():
                ray.init(
                    address="local", num_cpus=3, include_dashboard=False, object_store_memory=300 << 20,
                    log_to_driver=False, logging_level="error",
                )  # fmt: skip
            say("local, 3 logical CPUs")
        demo.run(settings)
        held = demo.finish()
        if not args.once:
            print("\nserving until Ctrl-C …")
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        print("\nstopping …")
        return 130
    except KolrayError as error:
        print(f"kolray: {error}", file=sys.stderr)
        return 1
    else:
        return 0 if held else 1
    finally:
        youtube.close()
        if ray.is_initialized():
            ray.shutdown()
        local.down(home)


if __name__ == "__main__":
    sys.exit(main())
