"""A real Apache Cassandra, one node, on Java 17."""

from __future__ import annotations

from pathlib import Path

from kolray.local.jars import ensure_jars, java
from kolray.local.ports import LOOPBACK, accepts, choose_port
from kolray.local.servers import Server

VERSION = "5.0.5"
COORDINATES = (f"org.apache.cassandra:cassandra-all:{VERSION}",)
KEYSPACE = "kolray"
YAML = """cluster_name: kolray
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
commitlog_sync: periodic
commitlog_sync_period: 10000ms
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: "{host}:{storage}"}}]
listen_address: {host}
rpc_address: {host}
storage_port: {storage}
native_transport_port: {port}
start_native_transport: true
endpoint_snitch: SimpleSnitch
auto_bootstrap: false
unlogged_batch_across_partitions_warn_threshold: 1000
batch_size_warn_threshold: 256KiB
batch_size_fail_threshold: 1024KiB
data_file_directories: [{data}/data]
commitlog_directory: {data}/commitlog
hints_directory: {data}/hints
saved_caches_directory: {data}/saved_caches
cdc_raw_directory: {data}/cdc_raw
"""
LOGBACK = """<configuration><appender name="OUT" class="ch.qos.logback.core.ConsoleAppender"><encoder>
<pattern>%d %-5level %logger{20} %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="OUT"/></root></configuration>"""
EXPORTS = (
    "java.base/jdk.internal.misc", "java.base/jdk.internal.ref", "java.base/sun.nio.ch", "java.base/java.lang.ref",
    "java.base/java.lang.reflect", "java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server", "java.sql/java.sql", "jdk.unsupported/sun.misc", "jdk.compiler/com.sun.tools.javac.file",
)  # fmt: skip
OPENS = (
    *(f"java.base/{package}" for package in (
        "java.lang.module", "jdk.internal.loader", "jdk.internal.ref", "jdk.internal.reflect", "jdk.internal.math",
        "jdk.internal.module", "jdk.internal.util.jar", "sun.nio.ch", "java.io", "java.nio", "java.util",
        "java.util.concurrent", "java.util.concurrent.atomic", "java.lang",
    )),
    "jdk.management/com.sun.management.internal",
)  # fmt: skip


def cassandra(home: Path) -> Server:
    """Data, configuration and log under ``<home>/cassandra``."""
    jars, binary = ensure_jars("cassandra", COORDINATES), java()
    folder = (home / "cassandra").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    port, storage = choose_port("cassandra"), choose_port("cassandra_storage")
    config, logback = folder / "cassandra.yaml", folder / "logback.xml"
    config.write_text(YAML.format(host=LOOPBACK, port=port, storage=storage, data=folder))
    logback.write_text(LOGBACK)
    [agent] = jars.glob("jamm-*.jar")
    command = [
        binary, "-Xms512m", "-Xmx1g", f"-javaagent:{agent}",
        *(f"--add-exports={name}=ALL-UNNAMED" for name in EXPORTS),
        *(f"--add-opens={name}=ALL-UNNAMED" for name in OPENS),
        f"-Dcassandra.config={config.as_uri()}", f"-Dcassandra.storagedir={folder}",
        f"-Dlogback.configurationFile={logback}", "-Dcassandra-foreground=yes", "-Dcassandra.ring_delay_ms=100",
        "-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.superuser_setup_delay_ms=0",
        "-cp", f"{jars}/*", "org.apache.cassandra.service.CassandraDaemon",
    ]  # fmt: skip
    return Server(
        name="cassandra",
        command=command,
        address=f"{LOOPBACK}:{port}",
        settings={"metrics": {"url": f"cassandra://{LOOPBACK}:{port}/{KEYSPACE}"}},
        answers=lambda: accepts(port),
        start_s=120,
    )
