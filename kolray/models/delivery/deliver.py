"""From a trained model to a proven one: validate, let it answer for some KOLs, then promote it or take it back."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kolray.clock import Clock, SystemClock
from kolray.errors import InvalidInputError, ServiceUnavailableError
from kolray.models.delivery.audit import Audit
from kolray.models.delivery.judgement import Judgement, Outcome, Plan
from kolray.models.delivery.outcomes import HELD_BACK, Gain, gains
from kolray.models.delivery.trial import Trial, end_trial, read_trial
from kolray.models.lifecycle import Kind, complete_hours, promote, register, train
from kolray.models.registry import CHALLENGER, CHAMPION, ModelRegistry
from kolray.models.success.series import HOUR
from kolray.settings import Settings
from kolray.stores.trials import BEGIN, TrialLog

LOOK_S = 0.5
TAKEN_S = 30
"""Seconds replicas have to take up a trial."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Delivery:
    """What came of it; ``outcome``: ``promoted``, ``rolled_back`` or ``refused``. ``switched_s``: until all replicas
    had left the trial."""

    kind: str
    version: int
    champion: int | None
    outcome: Outcome
    reason: str
    kols: int = 0
    gain: float = 0.0
    switched_s: float | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)


def deliver(
    settings: Settings, kind: Kind, plan: Plan, version: int | None = None, say: Say = print, clock: Clock | None = None
) -> Delivery:
    """Delivers a version, or what is trained now.

    Raises:
        InvalidInputError: another delivery of this model is under way, or the version learnt what would judge it.
        NotFoundError: no such version.
        ServiceUnavailableError: no replica takes up the trial, or a server is away.
    """
    registry, clock = ModelRegistry.of(settings), clock or SystemClock()
    _refuse_second(registry, kind, clock)
    champion = registry.alias_version(kind, CHAMPION)
    version = _candidate(settings, registry, kind, version, say)
    audit = Audit(registry, kind, version, clock, getpass.getuser())
    tags = registry.tags(kind, version)
    outcome: Outcome = "promoted"
    kols, gained, switched_s = 0, 0.0, None
    if champion is None or champion == version:
        reason = promote(registry, kind, version)  # the first; or it says that it is the champion already
        audit.add(outcome, reason=reason)
    elif tags.get("beats_baseline") != "True":
        outcome, reason = "refused", "it does not beat the trivial baseline on its untouched fold: train on more data"
        audit.add(outcome, reason=reason)
    else:
        audit.add("validated", loss=tags.get("loss"))
        now = clock.now()
        trial = Trial(kind, champion, version, plan.percent, now, now + timedelta(minutes=plan.minutes))
        judgement = Judgement(plan, _gains(settings, registry, trial, kind))
        outcome, reason, switched_s = _tried(TrialLog(settings.redis), registry, trial, judgement, audit, clock, say)
        kols, gained = judgement.test.n, judgement.test.gain
    return Delivery(kind, version, champion, outcome, reason, kols, gained, switched_s, audit.steps)


def _candidate(settings: Settings, registry: ModelRegistry, kind: Kind, version: int | None, say: Say) -> int:
    """The version to deliver, registered; ``@challenger`` names it."""
    if version is None:
        say(f"training {kind}")
        trained = train(kind, settings.lake_root, params=registry.kept_params(kind), hold_back=HELD_BACK[kind])
        return register(registry, kind, trained)
    registry.load_version(kind, version)  # or there is none
    registry.set_alias(kind, version, CHALLENGER)
    return version


def stop(settings: Settings, kind: Kind) -> Trial | None:
    """Takes back the challenger on trial, whoever began it; which one that was."""
    registry = ModelRegistry.of(settings)
    found = read_trial(registry, kind)
    if found is not None:
        end_trial(registry, kind)
        Audit(registry, kind, found.challenger, SystemClock(), getpass.getuser()).add("rolled_back", reason="by hand")
    return found


def _refuse_second(registry: ModelRegistry, kind: str, clock: Clock) -> None:
    found = read_trial(registry, kind)
    if found is not None and found.until > clock.now():
        raise InvalidInputError(
            f"{kind} {found.challenger} is on trial since {found.begun:%Y-%m-%d %H:%M} UTC: wait for its end, or take "
            f"it back by `kolray deliver {kind} --stop`"
        )


def _gains(settings: Settings, registry: ModelRegistry, trial: Trial, kind: Kind) -> Gain:
    reference = registry.reference(kind, CHALLENGER)
    if reference is None:
        raise InvalidInputError(f"{kind} {trial.challenger} does not say what it learnt from: train it again")
    if kind == "success":
        learnt = datetime.fromisoformat(registry.report(kind, trial.challenger)["origin"]) + HELD_BACK[kind]
        newest: datetime = complete_hours(settings.lake_root)["hour"].max()  # type: ignore[assignment]
        if learnt > newest + HOUR - HELD_BACK[kind]:
            raise InvalidInputError(
                f"success {trial.challenger} learnt the hours up to {learnt:%Y-%m-%d %H:%M} UTC, and a trial judges by "
                "the newest day: deliver it a day later, or let `kolray deliver success` train one"
            )
    champion, challenger = (registry.load_version(kind, each).model for each in (trial.champion, trial.challenger))
    return gains(kind, settings.lake_root, reference, champion, challenger)


def _tried(
    log: TrialLog, registry: ModelRegistry, trial: Trial, judgement: Judgement, audit: Audit, clock: Clock, say: Say
) -> tuple[Outcome, str, float]:
    """Outcome, reason, and the seconds until no replica was on trial any more."""
    audit.add("canary", percent=trial.percent, until=trial.until)
    outcome: tuple[Outcome, str] = ("rolled_back", "interrupted")
    trial.note(registry)
    try:
        _await(log, trial.name, lambda states: set(states) == {trial.key})
        outcome = _watched(log, trial, judgement, clock, say)
        if registry.alias_version(trial.name, CHAMPION) != trial.champion:
            outcome = ("rolled_back", "another version became champion meanwhile")
        if outcome[0] == "promoted":
            registry.set_alias(trial.name, trial.challenger, CHAMPION)
    except ServiceUnavailableError as error:
        outcome = ("rolled_back", str(error))
        raise
    finally:
        end_trial(registry, trial.name)
        audit.add(outcome[0], reason=outcome[1], kols=judgement.test.n, gain=judgement.test.gain)
    return *outcome, _await(log, trial.name, lambda states: trial.key not in states)


def _watched(log: TrialLog, trial: Trial, judgement: Judgement, clock: Clock, say: Say) -> tuple[Outcome, str]:
    place = BEGIN
    while judgement.outcome is None:
        if clock.now() >= trial.until:
            return "rolled_back", f"not decided in time: {judgement}"
        place, found = log.read(trial.key, place)
        for evidence in found:
            judgement.see(evidence)
        say(str(judgement))
        time.sleep(0 if found else LOOK_S)
    return judgement.outcome


def _await(log: TrialLog, name: str, holds: Callable[[Sequence[str]], bool]) -> float:
    """Until what all replicas do fits; the seconds it took.

    Raises:
        ServiceUnavailableError: it did not within ``TAKEN_S``.
    """
    began = time.monotonic()
    while not holds(list(log.states(name).values())):
        if time.monotonic() - began > TAKEN_S:
            advice = "is `kolray serve` running, on this registry and this Redis?"
            raise ServiceUnavailableError("Serving", "its replicas did not take up what the registry says", advice)
        time.sleep(LOOK_S)
    return time.monotonic() - began
