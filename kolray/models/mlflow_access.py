"""How an MLflow server is reached, and who we are there: its client takes that from its own variables alone."""

from __future__ import annotations

import os
from collections.abc import Mapping

from kolray.errors import ServiceUnavailableError, SettingsError
from kolray.settings import MlflowSettings

USER, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
ANSWER_S = 10
REFUSED = (401, 403)


def identity(mlflow: MlflowSettings) -> dict[str, str]:
    """MLflow's variables as the settings have them; none where they say nothing.

    Raises:
        SettingsError: a user without a password, or the other way round.
    """
    if (mlflow.username is None) != (mlflow.password is None):
        raise SettingsError("KOLRAY_MLFLOW__USERNAME and KOLRAY_MLFLOW__PASSWORD belong together: set both or neither")
    given = {TOKEN: mlflow.token.get_secret_value() if mlflow.token else None, USER: mlflow.username}
    given[PASSWORD] = mlflow.password.get_secret_value() if mlflow.password else None
    return {name: value for name, value in given.items() if value is not None}


def reach(uri: str, own: Mapping[str, str]) -> None:
    """Asks a server once with a short timeout, as MLflow's own retries would take minutes; its client is then ours.

    Args:
        own: what ``identity`` gave; what it leaves open, the environment says.

    Raises:
        ServiceUnavailableError: it does not answer, or does not let us in.
    """
    import httpx  # here, so that the command line stays quick

    os.environ.update(own)
    said = os.environ
    auth = (said[USER], said.get(PASSWORD, "")) if USER in said else None
    headers = {"Authorization": f"Bearer {said[TOKEN]}"} if TOKEN in said and auth is None else {}
    url = f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/search"
    try:
        answer = httpx.get(url, params={"max_results": 1}, auth=auth, headers=headers, timeout=ANSWER_S)
        if answer.status_code in REFUSED:
            advice = "it refuses us: set KOLRAY_MLFLOW__USERNAME and KOLRAY_MLFLOW__PASSWORD, or KOLRAY_MLFLOW__TOKEN"
            raise ServiceUnavailableError("MLflow", uri, advice)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        advice = "start it, or set KOLRAY_MLFLOW__TRACKING_URI to sqlite:///PATH"
        raise ServiceUnavailableError("MLflow", uri, advice) from error
