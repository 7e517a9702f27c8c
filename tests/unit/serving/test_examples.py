"""What ``/docs`` shows is what the API takes and gives."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from kolray.serving import campaign_contracts, contracts
from kolray.serving.examples import EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_valid(name: str) -> None:
    model = getattr(contracts, name, None) or getattr(campaign_contracts, name)
    made = model.model_validate(EXAMPLES[name])
    assert set(EXAMPLES[name]) <= set(made.model_dump()), "nothing beyond the contract"


def test_every_request_and_answer_of_the_contract_has_one() -> None:
    models = [
        name for name, found in vars(contracts).items() if isinstance(found, type) and issubclass(found, BaseModel)
    ]
    wanted = {name for name in models if name.endswith(("Request", "Answer")) and name not in PARTS}
    assert wanted <= set(EXAMPLES)


PARTS = {"FakeShareAnswer", "CalibrationAnswer", "CounterfactualAnswer"}
"""Answers within answers."""
