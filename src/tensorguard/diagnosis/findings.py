"""From figures to sentences: what bounds a fingerprint here, and what to change."""

from collections.abc import Iterator, Mapping

from tensorguard.diagnosis.base import Bound, Card, Disk, Finding, Forecast, Level, Machine, Store, Work
from tensorguard.diagnosis.forecast import BEGINNING

_OLD_KERNELS = frozenset(
    {"prescott", "core2", "nehalem", "penryn", "athlon", "opteron", "opteron_sse3", "barcelona", "bobcat", "generic", "armv8"}
)
"""OpenBLAS's names for processors without AVX, and for those that it knows nothing of."""
_SLOW_PRODUCT = 1e10
_SLOW_DISK, _FAST_DISK = 3e8, 1e9
_LEAST_GIVEN = 0.7
_LITTLE_MEMORY, _LITTLE_ROOM = 10**9, 10**9
_POOR_SCALING = 0.6
WORDS: Mapping[Bound, str] = {
    "disk": "the disk",
    "hash": "the digests (BLAKE3)",
    "product": "the matrix products",
    "decoding": "decoding",
    "rest": "everything but products, digests and decoding: copying, sums, traces",
}
"""What each bound is called."""


def findings(
    machine: Machine,
    work: Work,
    shares: Mapping[Bound, float],
    disk: Disk,
    card: Card,
    forecast: Forecast,
    stores: tuple[Store, ...],
) -> tuple[Finding, ...]:
    """Return what can be said, what bounds a fingerprint first.

    Args:
        machine: What it runs on.
        work: How fast its parts are.
        shares: Their shares of the processors' time.
        disk: How fast files come.
        card: A card, if there is one.
        forecast: Of the model that matters most.
        stores: Folders.
    """
    told = [_bound(machine, work, shares, disk, forecast)]
    told += [*_machine(machine, work), *_disk(disk, forecast), *_card(card, shares, forecast)]
    told += [
        Finding("slow", "registry", each.says, "tensorguard registry index")
        for each in stores
        if "no search index" in each.says
    ]
    return tuple(told)


def _bound(machine: Machine, work: Work, shares: Mapping[Bound, float], disk: Disk, forecast: Forecast) -> Finding:
    if forecast.bytes / forecast.rate < 2 * BEGINNING:
        says = f"its own start, which takes about {BEGINNING:.0f} s whatever the model: this one is small"
        return Finding("good", "what it waits for", says, "")
    speed = f"{forecast.rate / 1e9:.2f} GB/s"
    could = work.sweep.all / 1e9
    if forecast.bound == "disk":
        says = f"the disk: a full fingerprint reads {speed}; the processors could do {could:.2f} GB/s"
        level: Level = "slow" if disk.cold is not None and disk.cold < _FAST_DISK else "good"
        change = "keep models on a faster disk; more processors or a card would not help"
        return Finding(level, "what it waits for", says, change)
    parts = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    says = f"the processors, most of all {WORDS[forecast.bound]}: {speed} ({parts})"
    change = ""
    if disk.cold:
        enough = machine.processors * disk.cold / forecast.rate
        change = f"about {enough:.0f} processors like these would keep up with this disk"
    return Finding("good", "what it waits for", says, change)


def _machine(machine: Machine, work: Work) -> Iterator[Finding]:
    if work.given < _LEAST_GIVEN:
        says = f"this process got {work.given:.0%} of the processors' time that it wanted; forecasts are for when it gets all"
        yield Finding("slow", "other work", says, "see what else runs (top), or give it fewer --workers")
    if machine.processors == 1:
        yield Finding("slow", "processors", "one only: reading and computing take turns", "give it two or more")
    elif machine.processors < machine.installed:
        says = f"{machine.processors} of {machine.installed} may be used"
        yield Finding("slow", "processors", says, "allow more: taskset, the container's cpuset, or the batch system's request")
    if machine.quota is not None and machine.quota < machine.processors:
        says = f"the container may take the time of {machine.quota:g}, and {machine.processors} are to be seen"
        yield Finding("slow", "processors", says, f"raise its limit, or give --workers {max(1, round(machine.quota))}")
    scaling = work.sweep.all / work.sweep.one / machine.processors
    if machine.processors > 1 and scaling < _POOR_SCALING:
        says = f"{machine.processors} processors do {work.sweep.all / work.sweep.one:.1f} times the work of one"
        yield Finding("slow", "scaling", says, "memory is too slow for all of them, or they share cores: try fewer --workers")
    if machine.blas.architecture.lower() in _OLD_KERNELS:
        says = f"{machine.blas.name} uses kernels for {machine.blas.architecture}, without AVX"
        known = f", and this processor has {machine.vectors}" if machine.vectors else ""
        yield Finding("slow", "matrix products", says + known, "unset OPENBLAS_CORETYPE, or pip install --upgrade numpy")
    elif work.product.one < _SLOW_PRODUCT:
        says = f"{work.product.one / 1e9:.1f} GFLOP/s a processor is little"
        yield Finding("slow", "matrix products", says, "pip install --upgrade numpy: its wheels bring a fast BLAS")
    if machine.numpy.startswith("1."):
        yield Finding("slow", "numpy", f"{machine.numpy} brings an older BLAS", "pip install --upgrade numpy")
    if machine.available < _LITTLE_MEMORY:
        says = f"{machine.available / 1e9:.2f} GB can be taken; one model needs up to 0.4 GB, many at a time 0.3 GB each"
        yield Finding("slow", "memory", says, "close something, or raise the container's limit")


def _disk(disk: Disk, forecast: Forecast) -> Iterator[Finding]:
    if disk.notice:
        yield Finding("slow", "disk", disk.notice, "name a folder of models: tensorguard doctor FOLDER")
    if disk.cold and disk.cold < _SLOW_DISK and forecast.bound != "disk":
        yield Finding("slow", "disk", f"{disk.cold / 1e9:.2f} GB/s is slow", "keep models on a local SSD")
    if disk.free < _LITTLE_ROOM:
        yield Finding("slow", "disk", f"{disk.free / 1e9:.2f} GB are free in {disk.folder}", "free some space")


def _card(card: Card, shares: Mapping[Bound, float], forecast: Forecast) -> Iterator[Finding]:
    if "torch is not installed" in card.why and "driver is here" in card.why:
        yield Finding("missing", "card", card.why, "pip install 'tensorguard-llm[gpu]', then --device auto")
    elif card.chosen != "cpu":
        helps = f"of the processors' work {shares['product']:.0%} are products"
        cached = ", which matters only with files in the cache" if forecast.bound == "disk" else ""
        yield Finding("good", "card", f"{card.name}: {card.why}; {helps}{cached}", "--device auto, or --device cuda")
    elif card.there is not None:
        yield Finding("good", "card", f"{card.name}: {card.why}", "stay with --device cpu")
