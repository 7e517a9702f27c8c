"""The night as an Airflow DAG: one Ray job a step, submitted by Ray's own command. Copy it into the dags folder.

Airflow needs no kolray, only the ``ray`` command in the cluster's version. A step that is tried again goes on where the
night's record (``ops.steps``) says; a task that is killed stops its Ray job. Airflow variables, all with defaults:

``kolray_ray_address`` where the cluster takes jobs; ``kolray_ray`` the command that submits; ``kolray_command`` kolray
on the cluster's nodes, where it is installed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, chain

STEPS = (
    "bronze", "silver", "gold", "scores", "features", "maintain", "drift",
    "retrain trust", "retrain success", "forecasts",
)  # fmt: skip
SUBMIT = """
ray="{{ var.value.get('kolray_ray', 'ray') }}"
address="{{ var.value.get('kolray_ray_address', 'http://127.0.0.1:8265') }}"
job="kolray-{{ task.task_id }}-$(date +%s)-$$"
trap '"$ray" job stop --address "$address" "$job"' TERM INT
"$ray" job submit --address "$address" --submission-id "$job" -- \
  {{ var.value.get('kolray_command', 'kolray') }} lake nightly --json \
  --night {{ (dag_run.logical_date or dag_run.run_after) | ds }} --step '{{ params.step }}' &
wait $!
"""

with DAG(
    "kolray_nightly",
    description="kolray: bronze to training, one Ray job a step",
    schedule="30 0 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # a night is one process at a time
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
) as dag:
    chain(
        *(
            BashOperator(task_id=step.replace(" ", "_"), bash_command=SUBMIT, params={"step": step}, do_xcom_push=False)
            for step in STEPS
        )
    )
