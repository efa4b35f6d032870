"""What Prometheus is told, judged by its own tool and by its own parser for Python."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.interfaces.http.metrics import family, number
from tests.gateway.interfaces.http.server import Server

Metrics = dict[str, dict[tuple[str, ...], float]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    server.publish("attic", 21.534, 44.1)
    server.publish("office", 640, keeps=-1.0)
    server.publish("pump", True)
    server.publish("roof", "3d", 9)
    server.do(lambda: server.hub.fail("cellar", ValueError("no such luck")))
    server.order('set note "a\\b"')
    server.order("set target -40.5")
    yield server
    server.close()


def metrics(server: Server) -> Metrics:
    """By family, and by the values of the labels, as the parser understands them."""
    answer = server.ask("/metrics")
    assert answer.status == 200 and answer.fields["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: Metrics = {}
    for each in text_string_to_metric_families(answer.body.decode()):
        assert each.documentation and each.type in ("gauge", "counter")
        for sample in each.samples:
            assert tuple(sample.labels.values()) not in found.setdefault(sample.name, {}), f"{sample.name}: twice"
            found[sample.name][tuple(sample.labels.values())] = sample.value
    return found


def test_promtool_has_nothing_to_say(server: Server) -> None:
    told = server.ask("/metrics").body
    run = ["promtool", "check", "metrics"]
    done = subprocess.run(run, input=told, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
    wrong = told.replace(b"# HELP gateway_sessions", b"# gateway_sessions")  # it would have seen it
    assert subprocess.run(run, input=wrong, capture_output=True, timeout=60).returncode


def test_readings(server: Server) -> None:
    readings = metrics(server)["gateway_reading"]
    assert readings["attic", "temperature", "°C"] == 21.53 and readings["pump", "state", ""] == 1
    assert readings["roof", "satellites", ""] == 9 and readings["manual", "target", ""] == -40.5
    names = {(device, quantity) for device, quantity, _ in readings}
    assert ("office", "co2") not in names, "stale"
    assert ("roof", "mode") not in names and ("manual", "note") not in names, "words"
    server.do(lambda: server.hub.forget("attic"))
    assert "attic" not in {device for device, *_ in metrics(server)["gateway_reading"]}


def test_devices(server: Server) -> None:
    found = metrics(server)
    assert found["gateway_device_up"]["cellar",] == 0 and found["gateway_device_up"]["attic",] == 1
    states = {state: value for (device, state), value in found["gateway_device_state"].items() if device == "cellar"}
    assert states["lost"] == 1 and sum(states.values()) == 1 and len(states) >= 5
    assert found["gateway_device_errors_total"] == {("cellar", "ValueError"): 1}
    assert found["gateway_device_info"]["attic", "sht31", "i2c:1 0x44", "Attic"] == 1


def test_the_gateway_itself(server: Server) -> None:
    found = metrics(server)
    assert found["gateway_readings_total"][()] >= 8 and found["gateway_sessions"][()] == 1  # this request's
    assert found["gateway_time_synced"][()] == 1 and found["gateway_history_on_disk"][()] == 0
    assert found["gateway_history_budget_bytes"][()] == 10**9 and found["gateway_history_commit_interval_seconds"][()]
    assert found["gateway_history_lost_readings_total"][()] == 0
    assert {value for value in found["gateway_build_info"].values()} == {1}
    assert found["process_resident_memory_bytes"][()] > 1e7 and found["process_cpu_seconds_total"][()] > 0
    assert 3 < found["process_open_fds"][()] < found["process_max_fds"][()]
    assert abs(found["process_start_time_seconds"][()] - os.stat(f"/proc/{os.getpid()}").st_ctime) < 600


def test_labels_may_hold_anything() -> None:
    wild = 'a "quoted"\nback\\slash'
    (told,) = text_string_to_metric_families(family("x", False, "What x is.", [({"where": wild}, 1.5)]))
    assert told.samples[0].labels == {"where": wild} and told.samples[0].value == 1.5
    assert family("x", False, "What x is.", []) == ""


def test_numbers_keep_their_digits() -> None:
    for value in (0.0, -0.07, 1e300, 123456789012345678.0, 52.3702157, 1e-9):
        assert float(number(value)) == value


def test_without_the_time_no_start_is_told() -> None:
    server = Server(synced=False)
    try:
        found = metrics(server)
        assert "process_start_time_seconds" not in found and found["gateway_time_synced"][()] == 0
    finally:
        server.close()
