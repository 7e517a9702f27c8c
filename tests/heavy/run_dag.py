"""Loads Airflow's folder of DAGs and runs one, in Airflow's own Python: ``python run_dag.py DAG DAY``.

Prints one JSON object: import errors, the tasks in order, and the states that they ended in.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from airflow.configuration import conf
from airflow.dag_processing.dagbag import DagBag


def main(name: str, day: str) -> None:
    bag = DagBag(conf.get("core", "dags_folder"))
    told = {"errors": bag.import_errors, "dags": sorted(bag.dags)}
    if not bag.import_errors:
        dag = bag.dags[name]
        told["tasks"] = [task.task_id for task in dag.topological_sort()]
        run = dag.test(logical_date=datetime.fromisoformat(day).replace(tzinfo=UTC))
        told["state"] = str(run.state)
        told["states"] = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
