"""The Grafana dashboard of all stages, and the list of the metrics, made from metrics.py:

    python -m evolray.cluster.grafana conf/grafana

writes evolray.json and README.md there. Prometheus scrapes Ray's nodes; processes come and go, so sums over a range
take what each of them last said.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evolray.cluster import metrics
from evolray.cluster.metrics import METRICS, TRAIN, Metric

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS, HEIGHT = 24, 8


class Query(NamedTuple):
    expression: str
    legend: str


class Panel(NamedTuple):
    """`unit` is one of Grafana's."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 8
    kind: str = "timeseries"
    stacked: bool = False


def _name(metric: Metric) -> str:
    return f'{metric.exported}{{run=~"$run"}}'


def _rate(metric: Metric, by: str) -> Query:
    return Query(f"sum by ({by}) (rate({_name(metric)}[$__rate_interval]))", f"{{{{{by}}}}}")


def _sum(metric: Metric, by: str) -> Query:
    """Over the range that is shown, of processes that have ended, too; what has the label `by`."""
    labelled = _name(metric).replace("}", f', {by}!=""}}')
    return Query(f"sum by ({by}) (max_over_time({labelled}[$__range]))", f"{{{{{by}}}}}")


def _now(metric: Metric, by: str = "run", legend: str = "") -> Query:
    return Query(f"max by ({by}) ({_name(metric)})", legend or " ".join(f"{{{{{one}}}}}" for one in by.split(", ")))


def _share(part: str, metric: Metric, by: str) -> Query:
    """Of what was counted, how much has the label `part`."""
    name, labelled = _name(metric), _name(metric).replace("}", f", {part}}}")
    return Query(
        f"sum by ({by}) (max_over_time({labelled}[$__range])) / sum by ({by}) (max_over_time({name}[$__range]))",
        f"{{{{{by}}}}}",
    )


ROWS: dict[str, tuple[Panel, ...]] = {
    "Campaign": (
        Panel("Score by round", (_now(metrics.CAMPAIGN_SCORE, "run, round"),), "percent", 10),
        Panel("Latest round", (_now(metrics.CAMPAIGN_ROUND),), "none", 4, "stat"),
        Panel("Steps", (_now(metrics.STEPS, "run, state"),), "none", 10),
    ),
    "Evolve, and all that asks endpoints": (
        Panel("Calls per second", (_rate(metrics.CALLS, "purpose"),), "reqps", stacked=True),
        Panel(
            "Calls in flight",
            (
                _now(metrics.CALLS_IN_FLIGHT, "run, endpoint"),
                _now(metrics.CALLS_IN_FLIGHT_LIMIT, "run, endpoint", "limit {{endpoint}}"),
            ),
        ),
        Panel("Refused calls per second", (_rate(metrics.REFUSED_CALLS, "endpoint"),), "reqps"),
        Panel("Tokens per second", (_rate(metrics.TOKENS, "side"),), stacked=True),
        Panel("Cost", (_sum(metrics.COST, "run"),), "currencyUSD", 4, "stat"),
        Panel("Calls", (_sum(metrics.CALLS, "purpose"),), "short", 4, "stat"),
        Panel("Share kept, by operator", (_share('fate="kept"', metrics.OUTCOMES, "operator"),), "percentunit"),
        Panel("Outcomes", (_sum(metrics.OUTCOMES, "fate"),), "short", 8, "stat"),
        Panel("Eliminated and failed, by reason", (_sum(metrics.OUTCOMES, "reason"),), width=8),
        Panel("By generation", (_sum(metrics.OUTCOMES, "generation"),), width=8),
    ),
    "Refine": (Panel("Finished shards, by step", (_sum(metrics.REFINED_SHARDS, "step"),), width=24),),
    "Train": (
        Panel("Loss", (_now(TRAIN["loss"]), _now(TRAIN["held_out_loss"], "run", "held out, {{run}}"))),
        Panel("Tokens per second", (_now(TRAIN["tokens_per_second"]),)),
        Panel(
            "Progress",
            (Query(f"max by (run) ({_name(TRAIN['step'])}) / max by (run) ({_name(TRAIN['steps'])})", "{{run}}"),),
            "percentunit",
        ),
        Panel("Learning rate", (_now(TRAIN["learning_rate"]),), "sci"),
        Panel("Gradient norm", (_now(TRAIN["gradient_norm"]),)),
        Panel("Time left", (_now(TRAIN["seconds_left"]),), "s"),
        Panel("Model FLOPs utilisation", (_now(TRAIN["mfu"]),), "percentunit"),
        Panel("FLOPs per second", (_now(TRAIN["flops_per_second"]),), "flops"),
        Panel("Memory", (_now(TRAIN["memory_bytes"]),), "bytes"),
        Panel("Padding", (_now(TRAIN["padding"]),), "percentunit"),
        Panel("Examples", (_now(TRAIN["examples"]),)),
        Panel("Tokens", (_now(TRAIN["tokens"]),)),
        Panel("Epoch", (_now(TRAIN["epoch"]),), "none", 24),
    ),
    "Evaluate": (
        Panel("Samples of checkpoints", (_now(metrics.SAMPLES, "run, fate"),)),
        Panel("Their tokens", (_now(metrics.SAMPLE_TOKENS, "run, side"),)),
        Panel("Graded samples", (_sum(metrics.GRADED, "outcome"),), width=8, kind="stat"),
        Panel("Share passed", (_share('outcome="passed"', metrics.GRADED, "run"),), "percentunit", 24),
    ),
}


def dashboard() -> dict[str, Any]:
    """As Grafana loads it from a file."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS.items():
        place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "gridPos": place, "panels": []})
        x, y = 0, y + 1
        for panel in row:
            if x + panel.width > COLUMNS:
                x, y = 0, y + HEIGHT
            panels.append(_panel(panel, len(panels) + 1, {"h": HEIGHT, "w": panel.width, "x": x, "y": y}))
            x += panel.width
        y += HEIGHT
    return {
        "title": "evolray",
        "uid": "evolray",
        "description": "All stages of evolray. Made by python -m evolray.cluster.grafana.",
        "tags": ["evolray", "ray"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_datasource(), _runs()]},
        "panels": panels,
    }


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    is_stat = panel.kind == "stat"
    custom = {"stacking": {"mode": "normal"}, "fillOpacity": 20} if panel.stacked else {"fillOpacity": 0}
    targets = [
        {
            "datasource": DATASOURCE, "refId": chr(ord("A") + index), "expr": query.expression,
            "legendFormat": query.legend, "range": not is_stat, "instant": is_stat,
        }
        for index, query in enumerate(panel.queries)
    ]  # fmt: skip
    options: dict[str, Any] = (
        {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "value_and_name"}
        if is_stat
        else {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    )
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": {} if is_stat else custom}, "overrides": []},
        "options": options,
        "targets": targets,
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "hide": 2, "refresh": 1}


def _runs() -> dict[str, Any]:
    """The run directories of all that was ever seen; `.*/rounds/.*` and the like can be typed."""
    query = 'label_values({__name__=~"ray_evolray_.+"}, run)'
    return {
        "name": "run", "label": "Run", "type": "query", "datasource": DATASOURCE, "definition": query,
        "query": {"query": query, "refId": "runs"}, "refresh": 2, "sort": 1, "multi": True, "includeAll": True,
        "allValue": ".*", "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


README = """# Monitoring

<!-- Made by python -m evolray.cluster.grafana conf/grafana; a test compares. -->

Every stage exports metrics by Ray, which has an endpoint for [Prometheus](https://prometheus.io) on each node.
`evolray.json` is a [Grafana](https://grafana.com) dashboard of them. Ray writes settings for both; see
[its guide](https://docs.ray.io/en/latest/cluster/metrics.html) for installing them. Of the dashboards that Grafana
shows, Ray's own and those beside them, one setting says where they are. On the head node, before Ray starts:

```sh
mkdir -p ~/dashboards
cp conf/grafana/evolray.json ~/dashboards/
RAY_METRICS_GRAFANA_DASHBOARD_OUTPUT_DIR=~/dashboards ray start --head
prometheus --config.file=/tmp/ray/session_latest/metrics/prometheus/prometheus.yml &
grafana server --homepath /usr/share/grafana \\
    --config /tmp/ray/session_latest/metrics/grafana/grafana.ini web
```

Ray puts its own dashboards into the same folder and leaves others' alone. With a Ray that runs already, copy the file
to `/tmp/ray/session_latest/metrics/grafana/dashboards/`; it is gone with the session. With a Grafana of your own,
import the file (Dashboards, New, Import) and choose its Prometheus. Ray's dashboard embeds its own dashboards alone;
this one is at `http://HEAD:3000/d/evolray`.

Where the endpoints are is in `/tmp/ray/session_latest/prom_metrics_service_discovery.json`. They need no token and hold
run directories, endpoints' roles and benchmarks, no texts and no keys: leave them inside the cluster's network.

A run that brings its own Ray, as `evolray evolve` on a laptop does, exports while it runs; its folder is the session
that `/tmp/ray/session_latest` points to. A campaign's own figures are exported where the campaign itself runs on a node
of the cluster (`ray job submit ... -- python jobs/campaign.py ...`), those of its steps wherever it was started.

## Metrics

{tables}
"""


def readme() -> str:
    tables = []
    for stage, some in METRICS.items():
        rows = "\n".join(f"| `{one.exported}` | {one.kind} | {', '.join(one.labels)} | {one.meaning} |" for one in some)
        tables.append(
            f"### {stage}\n\n| name in Prometheus | type | labels | what it is |\n| --- | --- | --- | --- |\n{rows}"
        )
    about = (metrics.__doc__ or "").split("\n\n", 1)[1].strip()
    return README.format(tables="\n\n".join([about, *tables]))


def main(arguments: Sequence[str]) -> None:
    (folder,) = map(Path, arguments)
    (folder / "evolray.json").write_text(json.dumps(dashboard(), indent=1) + "\n")
    (folder / "README.md").write_text(readme())


if __name__ == "__main__":
    main(sys.argv[1:])
