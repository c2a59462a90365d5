"""Metrics in Prometheus' text format, as its reference parser reads them."""

from prometheus_client.parser import text_string_to_metric_families

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Series:
    """Every sample by name and labels; none comes twice."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
    assert len(found) == len(samples) > 0
    return found


def value(series: Series, name: str, **labels: str) -> float:
    """The value of one sample."""
    return series[name, frozenset(labels.items())]
