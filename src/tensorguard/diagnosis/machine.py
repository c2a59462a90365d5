"""Versions, processors and memory, as the system tells them. What it does not tell is left empty; nothing here fails."""

import os
import platform
import re
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from tensorguard.diagnosis.base import Blas, Machine
from tensorguard.engines.sizing import available_memory, processors
from tensorguard.version import __version__

_PROC, _GROUP = Path("/proc"), Path("/sys/fs/cgroup")
_VECTORS = (("avx512f", "avx512"), ("avx2", "avx2"), ("avx", "avx"), ("asimd", "neon"), ("neon", "neon"))
_UNLIMITED = 2**60
"""A version-1 control group without a limit says a number about this large."""


def machine() -> Machine:
    """Describe the machine as this process may use it."""
    cpu, memory = _text(_PROC / "cpuinfo"), _kilobytes(_text(_PROC / "meminfo"))
    flags = set((_field(cpu, "flags") or _field(cpu, "Features")).split())
    limit, left = _memory_limit()
    available = memory.get("MemAvailable", available_memory())
    return Machine(
        tensorguard=__version__,
        python=platform.python_version(),
        numpy=np.__version__,
        system=f"{platform.system()} {platform.machine()}",
        processor=_field(cpu, "model name"),
        vectors=next((name for flag, name in _VECTORS if flag in flags), ""),
        blas=blas(),
        processors=processors(),
        installed=os.cpu_count() or 1,
        quota=_quota(),
        memory=memory.get("MemTotal", 0) or _installed_memory(),
        available=available if left is None else min(available, left),
        limit=limit,
    )


def blas() -> Blas:
    """Return the library of matrix products that numpy loaded, or that it was built with."""
    for found in threadpool_info():
        if found["user_api"] == "blas" and "numpy" in str(found.get("filepath", "")):
            break
    else:
        found = next((each for each in threadpool_info() if each["user_api"] == "blas"), {})
    if found:
        return Blas(str(found["internal_api"]), str(found["version"] or ""), str(found.get("architecture") or ""))
    built = np.show_config(mode="dicts") or {}
    told = built.get("Build Dependencies", {}).get("blas", {})
    return Blas(str(told.get("name", "")), str(told.get("version", "")), "")


def _quota() -> float | None:
    """Return how many processors' time the control group may take."""
    limit, _, period = _text(_GROUP / "cpu.max").strip().partition(" ")
    if not limit:
        limit, period = (_text(_GROUP / f"cpu/cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    return int(limit) / int(period) if limit.isdigit() and period.isdigit() and int(period) else None


def _memory_limit() -> tuple[int | None, int | None]:
    """Return the control group's limit, and what is left of it."""
    for limit, used in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        most, now = _text(_GROUP / limit).strip(), _text(_GROUP / used).strip()
        if most.isdigit() and int(most) < _UNLIMITED:
            return int(most), max(0, int(most) - int(now)) if now.isdigit() else None
    return None, None


def _installed_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


def _kilobytes(text: str) -> dict[str, int]:
    return {name: int(count) * 1024 for name, count in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
