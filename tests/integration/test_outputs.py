"""An output from the first call to the last: policies, the longest time, and what is written when."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.daemon import config, running

HIGH, LOW = "output [17] [1]", "output [17] [0]"


def notes(folder: Path) -> list[str]:
    return [note for note in (folder / "board.log").read_text().splitlines() if " " in note]


@pytest.mark.parametrize(
    ("start", "stop", "active", "first", "last"),
    [
        ("off", "off", "high", "setup 17 out 0", LOW),
        ("on", "off", "high", "setup 17 out 1", LOW),
        ("off", "on", "high", "setup 17 out 0", HIGH),
        ("off", "off", "low", "setup 17 out 1", HIGH),
        ("hands-off", "hands-off", "high", "setup 17 out None", "setup 17 out None"),
        ("last", "last", "high", "setup 17 out None", LOW),
    ],
)
def test_policies(tmp_path: Path, start: str, stop: str, active: str, first: str, last: str) -> None:
    pump = {"driver": "relay", "line": "gpio:GPIO17", "start": start, "stop": stop, "active": active}
    with running(tmp_path, config(pump=pump), board=True) as daemon:
        daemon.reaches("pump", "running")
        assert notes(tmp_path)[0] == first  # the level is there with the first call
        seen = notes(tmp_path)
        if start in ("on", "off"):
            assert daemon.value("pump.state") == start
            assert all(note.endswith(first[-1] + "]") for note in seen[1:])  # and no other in between
        daemon.stop()
    assert notes(tmp_path)[-1] == last


def test_what_was_set_stays_when_nobody_says_otherwise(tmp_path: Path) -> None:
    pump = {"driver": "relay", "line": "gpio:GPIO17", "start": "last", "stop": "last"}
    with running(tmp_path, config(pump=pump), board=True) as daemon:
        daemon.reaches("pump", "running")
        daemon.ask("set pump.state on")
        daemon.stop()
    assert notes(tmp_path)[-1] == HIGH


def test_longest_time(tmp_path: Path) -> None:
    pump = {"driver": "relay", "line": "gpio:GPIO17", "max_on": "300ms"}
    with running(tmp_path, config(pump=pump), board=True) as daemon:
        daemon.reaches("pump", "running")
        daemon.ask("set pump.state on")
        assert daemon.value("pump.state") == "on" and notes(tmp_path)[-1] == HIGH
        daemon.until(lambda: daemon.value("pump.state") == "off", "the pump's end")
        assert notes(tmp_path)[-1] == LOW
        daemon.says("pump.state: on for 0.3 s, switched off")


def test_longest_time_holds_from_the_start_on(tmp_path: Path) -> None:
    pump = {"driver": "relay", "line": "gpio:GPIO17", "max_on": "300ms", "start": "on"}
    with running(tmp_path, config(pump=pump), board=True) as daemon:
        daemon.says("pump.state: on for 0.3 s, switched off")
        daemon.until(lambda: daemon.value("pump.state") == "off", "the pump's end")


def test_reload_leaves_an_untouched_output_alone_and_stops_a_removed_one(tmp_path: Path) -> None:
    pump = {"driver": "relay", "line": "gpio:GPIO17"}
    fan = {"driver": "relay", "line": "gpio:GPIO18", "stop": "off"}
    with running(tmp_path, config(pump=pump, fan=fan), board=True) as daemon:
        daemon.reaches("pump", "running"), daemon.reaches("fan", "running")
        daemon.ask("set pump.state on")
        daemon.ask("set fan.state on")
        before = len(notes(tmp_path))
        daemon.configure(config(pump=pump))
        daemon.reload()
        assert notes(tmp_path)[before:] == ["output [18] [0]"]
        assert daemon.value("pump.state") == "on"


def test_board_without_gpio(tmp_path: Path) -> None:
    """What is not there is said; the daemon goes on."""
    devices = config(pump={"driver": "relay", "line": "gpio:GPIO17"}, attic={"driver": "sht31", "bus": "i2c:99"})
    with running(tmp_path, devices) as daemon:
        assert "RPi.GPIO" in daemon.reaches("pump", "absent", "GPIO")
        assert "/dev/i2c-99: no such bus" in daemon.reaches("attic", "absent", "bus")
