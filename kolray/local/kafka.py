"""A real Apache Kafka, one node, KRaft."""

from __future__ import annotations

import base64
import subprocess
import uuid
from pathlib import Path

from kolray.errors import ServiceUnavailableError
from kolray.local.jars import ensure_jars, java
from kolray.local.ports import LOOPBACK, accepts, choose_port
from kolray.local.servers import Server

VERSION = "4.1.0"
COORDINATES = (f"org.apache.kafka:kafka_2.13:{VERSION}", f"org.apache.kafka:kafka-tools:{VERSION}")
PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


def kafka(home: Path) -> Server:
    """Formats its storage when new. Transactions hold, also for readers."""
    jars, binary = ensure_jars("kafka", COORDINATES), java()
    folder = home / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    port, controller = choose_port("kafka"), choose_port("kafka_controller")
    properties, data = folder / "server.properties", folder / "log"
    properties.write_text(PROPERTIES.format(host=LOOPBACK, port=port, controller=controller, data=data))
    base = [binary, "-Xmx768m", "-Xms256m", "-cp", f"{jars}/*"]
    if not (data / "meta.properties").exists():
        _format(base, properties)
    return Server(
        name="kafka",
        command=[*base, "kafka.Kafka", str(properties)],
        address=f"{LOOPBACK}:{port}",
        settings={"kafka": {"bootstrap": f"{LOOPBACK}:{port}", "transactions": True}},
        answers=lambda: accepts(port),
    )


def _format(base: list[str], properties: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    cluster = "A" + cluster[1:]  # one that begins with a dash would be read as an option
    command = [*base, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceUnavailableError(
            "Kafka", str(properties), f"its storage could not be formatted: {done.stderr[-300:]}"
        )
