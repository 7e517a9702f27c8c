"""From a trained model to a proven one: validate, let it answer for some KOLs, then promote it or take it back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kolray.clock import Clock, SystemClock
from kolray.errors import InvalidInputError
from kolray.models.audit import Audit
from kolray.models.delivery.attempt import Attempt, Say, await_replicas
from kolray.models.delivery.judgement import Judgement, Outcome, Plan
from kolray.models.delivery.outcomes import HELD_BACK, Gain, gains
from kolray.models.delivery.trial import Trial, end_trial, read_trial
from kolray.models.lifecycle import Kind, complete_hours, judge, register, train
from kolray.models.registry import CHALLENGER, CHAMPION, ModelRegistry
from kolray.models.success.series import HOUR
from kolray.settings import Settings
from kolray.stores.trials import TrialLog


@dataclass(frozen=True)
class Delivery:
    """What came of it; ``outcome``: ``promoted``, ``rolled_back`` or ``refused``. ``switched_s``: seconds from
    the decision until all replicas had left the trial."""

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
    version = _candidate(settings, registry, kind, version, say)
    champion = registry.alias_version(kind, CHAMPION)  # asked for last: training takes minutes
    audit, tags = Audit(registry, kind, version, clock), registry.tags(kind, version)
    kols, gained, switched_s = 0, 0.0, None
    outcome: Outcome = "promoted"
    if champion is None or champion == version:
        reason = judge(kind, version, champion, tags)  # the first; or it says that it is the champion already
        registry.set_alias(kind, version, CHAMPION)
        audit.add(outcome, reason=reason)
    elif tags.get("beats_baseline") != "True":
        outcome, reason = "refused", "it does not beat the trivial baseline on its untouched fold: train on more data"
        audit.add(outcome, reason=reason)
    else:
        judgement = Judgement(plan, _gains(settings, registry, kind, champion, version))
        _refuse_second(registry, kind, clock)  # begun while this one was trained
        audit.add("validated", champion=champion, loss=tags.get("loss"), **asdict(plan))
        trial = Trial(kind, champion, version, plan.percent, audit.begun, clock.now() + timedelta(minutes=plan.minutes))
        attempt = Attempt(registry, TrialLog(settings.redis), trial, judgement, audit, clock, say)
        outcome, reason, switched_s = attempt.run()
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


def stop(settings: Settings, kind: Kind) -> tuple[Trial, float] | None:
    """Takes back the challenger on trial, whoever began it; which one, and seconds until all replicas had left it.

    Raises:
        ServiceUnavailableError: it is taken back, but some replica does not look.
    """
    registry, clock = ModelRegistry.of(settings), SystemClock()
    found = read_trial(registry, kind)
    if found is None:
        return None
    decided = clock.monotonic()
    Audit(registry, kind, found.challenger, clock, found.begun).add("stopped")
    end_trial(registry, found)
    await_replicas(TrialLog(settings.redis), kind, clock, lambda states: found.key not in states)
    return found, clock.monotonic() - decided


def _refuse_second(registry: ModelRegistry, kind: str, clock: Clock) -> None:
    found = read_trial(registry, kind)
    if found is not None and found.until > clock.now():
        raise InvalidInputError(
            f"{kind} {found.challenger} is on trial since {found.begun:%Y-%m-%d %H:%M} UTC: wait for its end, or take "
            f"it back by `kolray deliver {kind} --stop`"
        )


def _gains(settings: Settings, registry: ModelRegistry, kind: Kind, champion: int, challenger: int) -> Gain:
    reference = registry.reference(kind, challenger)
    if reference is None:
        raise InvalidInputError(f"{kind} {challenger} does not say what it learnt from: train it again")
    if kind == "success":
        learnt = datetime.fromisoformat(registry.report(kind, challenger)["origin"]) + HELD_BACK[kind]
        newest: datetime = complete_hours(settings.lake_root)["hour"].max()  # type: ignore[assignment]
        if learnt > newest + HOUR - HELD_BACK[kind]:
            raise InvalidInputError(
                f"success {challenger} learnt the hours up to {learnt:%Y-%m-%d %H:%M} UTC, and a trial judges by "
                "the newest day: deliver it a day later, or let `kolray deliver success` train one"
            )
    models = (registry.load_version(kind, each).model for each in (champion, challenger))
    return gains(kind, settings.lake_root, reference, *models)
