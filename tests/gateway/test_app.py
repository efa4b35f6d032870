"""The composition root where a process of its own would not show it: order, and what never ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from gateway import app, catalog, config
from gateway.listeners import said
from gateway.state import next_boot, state_folder
from gateway.transports.i2c import I2CBus
from gateway.transports.queue import Job

TEXT = '[device.pump]\ndriver = "relay"\nline = "gpio:GPIO17"\n[device.attic]\ndriver = "sht31"\nbus = "i2c:1"\n'


def parsed(text: str) -> config.Config:
    return config.parse(text, "test", catalog.find, catalog.NAMES)


class Reactor(Clock):
    def callFromThread(self, call: Callable[..., object], *args: Any) -> None:
        self.callLater(0, call, *args)


def made(text: str = TEXT, **more: Any) -> tuple[app.Gateway, Reactor]:
    reactor = Reactor()
    gateway = app.make_service(reactor, parsed(text), reactor.seconds, emulate=True, **more)
    gateway.startService()
    reactor.advance(1)
    return gateway, reactor


def written(gateway: app.Gateway, reactor: Reactor) -> None:
    """Let the thread of the history come to its end, and tell of it."""
    gateway.history.worker.thread.join(60)
    reactor.advance(0)


def ended(deferred: Deferred[Any]) -> list[Any]:
    """Holds something once *deferred* has come to its end."""
    found = list[Any]()
    deferred.addBoth(found.append)
    return found


def test_a_listening_address_is_said_as_people_write_it() -> None:
    assert said(UNIXAddress("/run/gateway/tcp")) == "/run/gateway/tcp"
    assert said(IPv4Address("TCP", "127.0.0.1", 7600)) == "127.0.0.1:7600"


def test_stop_goes_listeners_devices_buses(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, reactor = made()
    order = list[str]()
    closing = Deferred[None]()

    def noted(name: str, result: Any) -> Callable[..., Any]:
        def call(*args: object) -> Any:
            order.append(name)
            return result

        return call

    monkeypatch.setattr(gateway.listeners, "close", noted("listeners", closing))
    for name, device in gateway.devices.items():
        monkeypatch.setattr(device, "stopService", noted(name, None))
    monkeypatch.setattr(gateway.hardware, "close", noted("hardware", None))
    stopped = ended(gateway.stopService())
    assert order == ["listeners"] and not stopped
    closing.callback(None)
    assert order == ["listeners", "pump", "attic", "hardware"]
    written(gateway, reactor)
    assert stopped


def test_stop_waits_for_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, reactor = made()
    monkeypatch.setattr(gateway.devices["pump"], "stopService", Deferred[None])
    stopped = ended(gateway.stopService())
    reactor.advance(app.STOP - 0.01)
    assert not stopped
    reactor.advance(0.02)
    written(gateway, reactor)
    assert stopped and app.STOP < 2


def test_devices_that_stay_are_the_same_after_a_reload() -> None:
    texts = [TEXT]
    gateway, reactor = made(load=lambda: parsed(texts[-1]))
    pump, attic = gateway.devices["pump"], gateway.devices["attic"]
    texts.append(TEXT.replace("GPIO17", "GPIO18"))
    gateway.reload()
    reactor.advance(1)
    assert gateway.devices["attic"] is attic and gateway.devices["pump"] is not pump
    assert gateway.commands.facts["loads"] == 2


def test_whoever_follows_a_device_hears_it_after_a_reload_too() -> None:
    texts = [TEXT]
    gateway, reactor = made(load=lambda: parsed(texts[-1]))
    heard: list[bytes] = []
    stop = gateway.hub.devices["attic"].follow(lambda chunk: heard.append(chunk.data))
    for text in TEXT.replace("sht31", "sht4x"), "", TEXT:
        texts.append(text)
        gateway.reload()
        reactor.advance(1)
    gateway.devices["attic"].ring.note("<", b"here again")
    assert heard[-1] == b"here again"
    stop()
    gateway.devices["attic"].ring.note("<", b"and gone")
    assert heard[-1] == b"here again" and not gateway.followers["attic"]


def test_reloads_come_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [TEXT]
    gateway, reactor = made(load=lambda: parsed(texts.pop(0)))
    texts[:] = [TEXT.replace("GPIO17", "GPIO18"), TEXT.replace("GPIO17", "GPIO19")]
    gateway.reload()
    gateway.reload()
    assert len(texts) == 1  # the first waits for its device
    reactor.advance(1)
    reactor.advance(1)
    assert not texts and gateway.devices["pump"].card.where == "gpio:GPIO19"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [("[history]", "[history]\nsize = '1MB'", []), ("", "", []),
     ("[history]", "[history]\npath = '{0}/other.db'", ["{0}/other.db"]),
     ("[history]\npath = '{0}/other.db'", "[history]", ["{0}/history.db"]),
     ("", "[history]", ["{0}/history.db"]), ("[history]", "", ["memory only"])],
)  # fmt: skip
def test_another_place_of_the_history_counts_from_the_next_start_on_and_that_is_said(
    before: str, after: str, told: list[str], tmp_path: Path
) -> None:
    texts = [before.format(tmp_path)]
    gateway, reactor = made(texts[0], folder=tmp_path, load=lambda: parsed(texts[-1]))
    texts.append(after.format(tmp_path))
    with capturedLogs() as logged:
        gateway.reload()
        reactor.advance(1)
    assert [event["where"] for event in logged if "where" in event] == [each.format(tmp_path) for each in told]
    assert gateway.commands.facts["loads"] == 2
    gateway.stopService()
    written(gateway, reactor)


def test_stop_during_a_reload_starts_nothing_anew() -> None:
    texts = [TEXT]
    gateway, reactor = made(load=lambda: parsed(texts[-1]))
    texts.append(TEXT.replace("GPIO17", "GPIO18"))
    gateway.reload()
    stopped = ended(gateway.stopService())
    reactor.advance(1)
    written(gateway, reactor)
    assert stopped and not gateway.devices


def test_watchdog_hears_nothing_while_a_thread_owes_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that never answers, on a bus that nobody declared stuck."""
    told = list[str]()
    monkeypatch.setattr(app, "notify", lambda *states: told.extend(states))
    gateway, reactor = made("")
    del told[:]
    bus = I2CBus(reactor, "/dev/i2c-1")
    gateway.hardware.buses.open["i2c", 1] = bus
    gateway.tell_watchdog()
    gateway.tell_watchdog()
    assert told == ["WATCHDOG=1"] * 2
    job: Any = Job(0x44, (), None, Deferred())  # type: ignore[arg-type]  # never carried out
    bus.running = job
    gateway.tell_watchdog()  # it may have been given to the thread just now
    assert len(told) == 3
    gateway.tell_watchdog()
    assert len(told) == 3
    bus.stuck = True  # known, and visible: no reason to restart all
    gateway.tell_watchdog()
    assert len(told) == 4
    bus.stuck, bus.running = False, None
    gateway.tell_watchdog()
    assert len(told) == 5


def test_device_that_cannot_be_reached_stops_no_other() -> None:
    gateway, reactor = made()
    text = TEXT + '[device.far]\ndriver = "gps"\nport = "carrier-pigeon:loft:3"\n'
    gateway.config, gateway.hardware.emulate = parsed(text), False
    gateway.add(next(device for device in gateway.config.devices if device.name == "far"))
    reactor.advance(1)
    assert "carrier-pigeon" in gateway.devices["far"].status.reason
    assert gateway.devices["far"].status.state == "absent" and gateway.devices["attic"].status.state == "running"


def test_broken_count_of_starts(tmp_path: Any) -> None:
    assert [next_boot(tmp_path) for _ in range(3)] == [1, 2, 3]
    (tmp_path / "boot").write_text("x")
    assert [next_boot(tmp_path) for _ in range(2)] == [1, 2]


def test_folder_of_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/home/x/state")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert str(state_folder()) == "/home/x/state/device-gateway"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/gateway:/var/lib/other")
    assert str(state_folder()) == "/var/lib/gateway"
