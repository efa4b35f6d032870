"""``/metrics``: the newest readings, how devices are, and what the gateway costs, for Prometheus.

Text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/; names as in
https://prometheus.io/docs/practices/naming/.  Nothing is kept between two scrapes."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.commands import Answer, Session
from gateway.commands.looking import release
from gateway.reading import Reading

if TYPE_CHECKING:
    from gateway.interfaces.http.request import Request

KIND = b"text/plain; version=0.0.4; charset=utf-8"
STATES = ("absent", "opening", "running", "lost", "refused")  # of a device (docs/device-life.md)
Sample = tuple[Mapping[str, str], float]
# What `status` says: the name, whether it only grows, what it is, and the fact.
FACTS = (
    ("gateway_boot", False, "Number of this start of the gateway.", "boot"),
    ("gateway_uptime_seconds", False, "Seconds since the gateway was started.", "uptime"),
    ("gateway_time_synced", False, "Whether the gateway knows what time it is.", "synced"),
    ("gateway_readings_total", True, "Readings that devices gave since the start.", "readings"),
    ("gateway_sessions", False, "Clients that are connected, of all interfaces.", "sessions"),
    ("gateway_dropped_readings_total", True, "Readings that slow clients never saw.", "dropped"),
    ("gateway_jobs", False, "Commands that wait for their time.", "jobs"),
    ("gateway_history_written_bytes", False, "Bytes written to the disk in the last day.", "history_written"),
    ("gateway_history_budget_bytes", False, "Bytes that may be written to the disk in a day.", "history_budget"),
    ("gateway_history_size_bytes", False, "Size of the history.", "history_size"),
    ("gateway_history_commit_interval_seconds", False, "Seconds between two commits.", "history_commit"),
    ("gateway_history_thinned_readings_total", True, "Readings left out to keep to the budget.", "history_thinned"),
    ("gateway_history_lost_readings_total", True, "Readings that could not be kept.", "history_lost"),
    ("gateway_history_damaged_blocks_total", True, "Blocks of the history that cannot be read.", "history_damaged"),
)  # fmt: skip


def metrics(request: Request) -> None:
    request.parameters()
    request.answer("".join(families(request.session)).encode(errors="replace"), 200, KIND)


def families(session: Session) -> Iterator[str]:
    status = session.perform("status")
    assert isinstance(status, Answer)
    facts = status.facts
    yield family("gateway_build_info", False, "What runs here; the value is always 1.", [(build(), 1)])
    yield from devices(session)
    yield family("gateway_reading", False, "The newest reading; a flag is 1 or 0, and what is stale is not there.",
                 map(sample, filter(shown, session.readings())))  # fmt: skip
    for name, grows, about, fact in FACTS:
        if fact in facts:
            yield family(name, grows, about, [({}, float(facts[fact]))])
    if history := str(facts.get("history", "")):
        yield family("gateway_history_on_disk", False, "Whether what is kept outlives the gateway; 0: it is in memory.",
                     [({}, history.startswith("on ") and ": " not in history)])  # fmt: skip
    yield from process(session.now(), facts["uptime"])


def devices(session: Session) -> Iterator[str]:
    known = session.devices()
    yield family("gateway_device_info", False, "A device that is configured; the value is always 1.",
                 [({"device": card.name, "driver": card.driver, "where": card.where, "label": card.label}, 1)
                  for card, _ in known])  # fmt: skip
    yield family("gateway_device_up", False, "Whether the device runs.",
                 [({"device": card.name}, status.state == "running") for card, status in known])  # fmt: skip
    yield family("gateway_device_state", False, "1 for the state that the device is in, 0 for the others.",
                 [({"device": card.name, "state": state}, state == status.state)
                  for card, status in known for state in dict.fromkeys((*STATES, status.state))])  # fmt: skip
    yield family("gateway_device_errors_total", True, "What went wrong with a device, by the class of the error.",
                 [({"device": card.name, "cause": cause}, count)
                  for card, _ in known for cause, (count, _) in session.errors(card.name).items()])  # fmt: skip


def shown(reading: Reading) -> bool:
    return reading.quantity.kind in ("float", "int", "flag") and not reading.stale()


def sample(reading: Reading) -> Sample:
    device, _, quantity = reading.name.rpartition(".")
    labels = {"device": device, "quantity": quantity, "unit": reading.quantity.unit}
    value = reading.value
    return labels, round(value, reading.quantity.digits) + 0.0 if isinstance(value, float) else float(value)


def build() -> dict[str, str]:
    return {"version": release("device-gateway"), "python": platform.python_version(), "twisted": release("twisted"),
            "machine": platform.machine()}  # fmt: skip


def process(now: float | None, uptime: float) -> Iterator[str]:
    """What every Prometheus client says of its process: https://prometheus.io/docs/instrumenting/writing_clientlibs/
    (process metrics).  Its start is told once the time is known."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    pages = Path("/proc/self/statm").read_text().split()
    page = os.sysconf("SC_PAGE_SIZE")
    yield family("process_cpu_seconds_total", True, "User and system CPU time in seconds.",
                 [({}, used.ru_utime + used.ru_stime)])  # fmt: skip
    yield family("process_resident_memory_bytes", False, "Resident memory.", [({}, int(pages[1]) * page)])
    yield family("process_virtual_memory_bytes", False, "Virtual memory.", [({}, int(pages[0]) * page)])
    yield family("process_open_fds", False, "Open file descriptors.", [({}, len(os.listdir("/proc/self/fd")))])
    yield family("process_max_fds", False, "Most open file descriptors.",
                 [({}, resource.getrlimit(resource.RLIMIT_NOFILE)[0])])  # fmt: skip
    if now is not None:
        yield family("process_start_time_seconds", False, "Unix time of the gateway's start.", [({}, now - uptime)])


def family(name: str, grows: bool, about: str, samples: Iterable[Sample]) -> str:
    """HELP, TYPE and the samples of one name; nothing where there are none."""
    lines = [f"{name}{labelled(labels)} {number(value)}\n" for labels, value in samples]
    kind = "counter" if grows else "gauge"
    return f"# HELP {name} {about}\n# TYPE {name} {kind}\n{''.join(lines)}" if lines else ""


def labelled(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{escaped(text)}"' for name, text in labels.items()) + "}" if labels else ""


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)
