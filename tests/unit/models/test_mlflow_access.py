"""Who we are at an MLflow server, as its client is told."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from kolray.errors import SettingsError
from kolray.models.mlflow_access import identity
from kolray.settings import MlflowSettings


def test_what_the_settings_say_becomes_mlflows_own_variables() -> None:
    told = identity(MlflowSettings(username="ann", password=SecretStr("p"), token=SecretStr("t")))
    assert told == {
        "MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "p", "MLFLOW_TRACKING_TOKEN": "t"
    }  # fmt: skip
    assert identity(MlflowSettings()) == {}


@pytest.mark.parametrize("half", [{"username": "ann"}, {"password": SecretStr("p")}])
def test_half_a_user_is_none(half: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="set both or neither"):
        identity(MlflowSettings.model_validate(half))
