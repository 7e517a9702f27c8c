"""The tree of errors: documented as it is, and whole after a trip between processes."""

from __future__ import annotations

import inspect
import pickle

import pytest

from kolray import errors

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.KolrayError)]
ARGUMENTS: dict[type[errors.KolrayError], tuple[str, ...]] = {
    errors.ServiceUnavailableError: ("Kafka", "127.0.0.1:9092", "start it with `kolray up`")
}


def _documented() -> dict[str, str]:
    """name → parent, as the docstring's tree draws them."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        branch, dashes, rest = line.partition("── ")
        if line == "KolrayError":
            above = [line]
        elif dashes:
            depth, name = len(branch) // 4 + 1, rest.split()[0]
            parents[name] = above[depth - 1]
            above = [*above[:depth], name]
    return parents


def test_the_docstring_draws_every_error_under_its_parent() -> None:
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES if kind is not errors.KolrayError}
    assert _documented() == real


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickle_with_its_message(kind: type[errors.KolrayError]) -> None:
    error = kind(*ARGUMENTS.get(kind, ("what happened, why, and what to do",)))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert kind.__doc__


def test_an_absent_server_is_named_with_its_address_and_advice() -> None:
    error = errors.ServiceUnavailableError("Redis", "127.0.0.1:6379", "start it with `kolray up`")
    assert str(error) == "Redis does not answer at 127.0.0.1:6379: start it with `kolray up`"
    assert (error.service, error.address, error.advice) == error.args
