"""Names, rules, dashboards, runbooks and the files in ``ops`` say the same, and Prometheus takes them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import ValidationError

from kolray.observability.alerts import RULES
from kolray.observability.catalog import CATALOG
from kolray.observability.config import Watched, alert_rules, paced, raises_after_s, rendered, write_config
from kolray.observability.dashboards import DASHBOARDS, RATE
from kolray.observability.grafana import provisioning
from kolray.observability.reference import alerts_table, markdown
from kolray.settings import ObserveSettings

ROOT = Path(__file__).parents[3]
OPS = ROOT / "ops"
RUNBOOKS = ROOT / "docs" / "runbooks"
QUERIES = [query for board in DASHBOARDS for panel in board.panels for query in panel.queries.values()]
KNOWN = {series for metric in CATALOG.values() for series in metric.series}
REWRITE = (
    "write ops anew: `kolray observe config --targets /var/lib/kolray/metrics/targets --prometheus '${PROMETHEUS_URL}'`"
)
promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not here: apt-get install prometheus"
)


def _promtool(*words: str | Path) -> str:
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("expr", [*(rule.expr for rule in RULES), *QUERIES])
def test_queries_use_names_that_are_defined(expr: str) -> None:
    used = set(re.findall(r"kolray_\w+", expr))
    assert used <= KNOWN, used - KNOWN


def test_names_follow_prometheus_conventions() -> None:
    for metric in CATALOG.values():
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        assert (metric.kind == "histogram") == bool(metric.buckets), metric.name
        assert not re.search(r"_(ms|minutes|hours|mb|percentage)\b", metric.name), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets)), metric.name


def test_no_promised_name_goes_or_changes_unless_the_changelog_says_so() -> None:
    """Dashboards and alerts of users ask for them. A new metric gets a line here; that of one that goes stays."""
    promised = Path(__file__).with_name("promised.txt").read_text().splitlines()
    now = [" ".join((metric.name, metric.kind, ",".join(metric.labels))).rstrip() for metric in CATALOG.values()]
    told = (ROOT / "CHANGELOG.md").read_text()
    assert [line for line in promised if line not in now and f"`{line.split()[0]}`" not in told] == []
    assert [line for line in now if line not in promised] == [], "promise it: add the line to promised.txt"


def test_each_definition_makes_a_metric_of_its_name() -> None:
    registry = CollectorRegistry()
    for metric in CATALOG.values():
        {"counter": metric.counter, "gauge": metric.gauge, "histogram": metric.histogram}[metric.kind](registry)
    text = generate_latest(registry).decode()
    assert [name for name in CATALOG if f"# HELP {name} " not in text] == []


def test_the_page_of_metrics_is_the_definitions_themselves() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert page[page.index("## Stream") :] == markdown(), "write it anew by `kolray observe names`"


def test_the_files_in_ops_are_what_the_definitions_render() -> None:
    for name, text in rendered(Watched()):
        assert (OPS / name).read_text() == text, f"{name}: {REWRITE}"


def test_every_alert_has_a_runbook_and_no_runbook_is_left_over() -> None:
    pages = {page.name: page.read_text() for page in RUNBOOKS.glob("Kolray*.md")}
    assert set(pages) == {rule.runbook for rule in RULES}
    for name, text in pages.items():
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert headings == ["What it means", "How to see", "What to do"], name


def test_the_list_of_runbooks_is_the_rules_themselves() -> None:
    page = (RUNBOOKS / "index.md").read_text()
    assert page[page.index("## Stream") :] == alerts_table(), "write it anew by `kolray observe alerts`"


def test_an_alert_leads_to_its_page_wherever_that_is_served() -> None:
    def links(watched: Watched) -> list[str]:
        rules = [rule for group in alert_rules(watched)["groups"] for rule in group["rules"]]
        return [rule["annotations"]["runbook_url"] for rule in rules]

    assert links(Watched()) == [f"http://127.0.0.1:8001/runbooks/{rule.name}/" for rule in RULES]
    elsewhere = ObserveSettings(runbooks="https://git.example/kolray/docs/runbooks/{alert}.md").runbooks
    assert links(Watched(runbooks=elsewhere))[0] == "https://git.example/kolray/docs/runbooks/KolrayStreamDown.md"


@pytest.mark.parametrize("dead", ["docs/runbooks/{alert}.md", "https://git.example/runbooks", "{alert}"])
def test_links_that_lead_nowhere_are_refused(dead: str) -> None:
    with pytest.raises(ValidationError, match="runbooks"):
        ObserveSettings(runbooks=dead)


def test_every_alert_is_shown_to_fire_and_to_be_silent() -> None:
    tests = yaml.safe_load((OPS / "prometheus" / "alerts_test.yml").read_text())["tests"]
    fired = {test["name"] for test in tests if any(at["exp_alerts"] for at in test["alert_rule_test"])}
    silent = {test["name"] for test in tests if not test["alert_rule_test"][0]["exp_alerts"]}
    assert fired == silent == {rule.name for rule in RULES}


def test_ranges_follow_the_pace_but_hold_four_scrapes() -> None:
    drill = Watched(every_s=1, pace=0.05)
    assert paced("increase(a[10m]) > 3", drill) == "increase(a[30s]) > 3"
    assert paced("rate(a[1m])", drill) == "rate(a[4s])"


def test_what_wakes_somebody_up_does_so_within_a_minute() -> None:
    slow = [rule.name for rule in RULES if rule.severity == "critical" and raises_after_s(rule, Watched()) > 60]
    assert slow == []


def _grafana_expands(text: str, env: Mapping[str, str]) -> str:
    """As its provisioning does: what is in the braces is a variable's name, all of it."""
    return re.sub(r"\$\{([^}]+)\}", lambda found: env.get(found[1], ""), text)


def test_grafana_finds_prometheus_under_compose_and_beside_a_home() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    told = (OPS / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text()
    [source] = yaml.safe_load(told)["datasources"]
    url = urlsplit(_grafana_expands(source["url"], services["grafana"]["environment"]))
    assert (url.scheme, url.port) == ("http", 9090)
    assert url.hostname in services
    [source] = provisioning("http://127.0.0.1:9090")["datasources/prometheus.yml"]["datasources"]
    assert _grafana_expands(source["url"], {}) == "http://127.0.0.1:9090"


@promtool
def test_prometheus_takes_the_configuration_and_the_rules(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    write_config(tmp_path, Watched(targets=str(tmp_path / "targets"), every_s=1, pace=0.05))
    for folder in (OPS, tmp_path):
        _promtool("check", "config", "--syntax-only", folder / "prometheus" / "prometheus.yml")
        assert f"{len(RULES)} rules found" in _promtool("check", "rules", folder / "prometheus" / "alerts.yml")


@promtool
def test_the_rules_pass_their_unit_tests() -> None:
    assert "SUCCESS" in _promtool("test", "rules", OPS / "prometheus" / "alerts_test.yml")


@promtool
def test_prometheus_parses_every_query_of_the_dashboards(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}", "expr": q.replace(RATE, "[1m]")} for n, q in enumerate(QUERIES)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(QUERIES)} rules found" in _promtool("check", "rules", file)
