"""What docs/monitoring.md and examples/monitoring say: every metric named is there, and every metric that is there is named."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.core import Metric

from tensorguard.cli.watching import LOG, LOG_FILE
from tensorguard.monitoring.exposition import Metrics
from tensorguard.monitoring.run_metrics import RunMetrics
from tensorguard.monitoring.server_metrics import ServerMetrics, State
from tensorguard.serve.guard import METRICS

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "monitoring"
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
OTHERS = {"up", "node_textfile_mtime_seconds"}
"""Of Prometheus itself and of node_exporter."""


def families() -> dict[str, Metric]:
    run = Metrics()
    RunMetrics(run)
    server = ServerMetrics(lambda: State({"queued": 0}, 1, {"database": 1})).metrics
    return {family.name: family for metrics in (run, server) for family in metrics.collect()}


def samples() -> set[str]:
    return {f"{name}{suffix}" for name, family in families().items() for suffix in SUFFIXES[family.type]}


def expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (value[name] for name in ("expr", "query") if isinstance(value.get(name), str))
        for each in value.values():
            yield from expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from expressions(each)


def used(text: str) -> set[str]:
    return set(re.findall(r"\b((?:tensorguard|node)_\w+|up)\b", text))


def test_rules_and_dashboard_ask_for_metrics_that_are_there() -> None:
    rules = yaml.safe_load((EXAMPLES / "alerts.yml").read_text())
    dashboard = json.loads((EXAMPLES / "dashboard.json").read_text())
    asked = [*expressions(rules), *(text for text in expressions(dashboard) if text != "prometheus")]
    assert len(asked) > 35
    for text in asked:
        assert used(text), text
        assert used(text) <= samples() | OTHERS, text
        assert text.count("(") == text.count(")")
    named = {name for text in asked for name in used(text)}
    assert len(named) > 25


def test_labels_that_are_asked_for_are_there() -> None:
    text = (EXAMPLES / "alerts.yml").read_text() + (EXAMPLES / "dashboard.json").read_text()
    known = {"job", "run", "command", "instance", "le", "alertname"}
    known |= {label for family in families().values() for sample in family.samples for label in sample.labels}
    known |= {"route", "status", "method", "answer", "kind", "task", "unit"}
    asked = set(re.findall(r"[{,]\s*(\w+)=", text)) | {
        label.strip() for found in re.findall(r"\bby \(([^)]*)\)", text) for label in found.split(",")
    }
    assert asked <= known


def test_panels_do_not_lie_on_each_other() -> None:
    dashboard = json.loads((EXAMPLES / "dashboard.json").read_text())
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids) > 15
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken
        assert all(x < 24 for x, _ in cells)
        taken |= cells


def test_the_scrape_configuration_asks_where_metrics_are() -> None:
    jobs = {job["job_name"]: job for job in yaml.safe_load((EXAMPLES / "prometheus.yml").read_text())["scrape_configs"]}
    assert jobs["tensorguard"]["metrics_path"] == METRICS
    assert jobs["tensorguard"]["authorization"]["credentials_file"]
    named = set(re.findall(r'job="([\w-]+)"', (EXAMPLES / "alerts.yml").read_text()))
    assert named <= set(jobs)


def test_the_page_has_every_metric_with_its_labels_and_no_other() -> None:
    told = {
        name: labels.split(",") if labels else [] for name, labels in re.findall(r"`(tensorguard_\w+)(?:\{([\w,]+)\})?`", PAGE)
    }
    names = {f"{name}_total" if family.type == "counter" else name for name, family in families().items()}
    assert set(told) == names
    assert all(f"`{variable}" in PAGE and f"`{option} " in PAGE for option, variable in (LOG, LOG_FILE))
    for name in ("--metrics-port", "--metrics-file", "--metrics-token-file"):
        assert f"`{name}" in PAGE
