"""Policies for after the gateway's end that a kernel does not keep: warned of by `check`, refused by `run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from drivers import relay
from gateway import config, kept
from gateway.hardware import Hardware
from gateway.plan import planned
from gateway.ring import Ring
from gateway.transports.gpio import Backend, Board
from gateway.transports.gpiochip import GPIOChips
from gateway.transports.rpi import RPi
from tests.gateway.transports.kernel import Kernel

ROWS = {"relay": relay.DRIVER}


class Reactor(Clock):
    def addReader(self, reader: Any) -> None: ...


class Chips(Board):
    """A Raspberry Pi's, and one more."""

    def __init__(self, folder: Path, persist: str | None) -> None:
        super().__init__(Reactor())
        self.kernel = Kernel(folder)
        self.kernel.plug("gpiochip0", "pinctrl-bcm2835", "ID_SDA", "GPIO1")
        self.kernel.plug("gpiochip1", "expander", "FAN")
        if persist is not None:
            parameter = folder / "module/pinctrl_bcm2835/parameters/persist_gpio_outputs"
            parameter.parent.mkdir(parents=True)
            parameter.write_text(f"{persist}\n")
        self.folder = folder

    def gpiod(self) -> Backend:
        return GPIOChips(self.reactor, dev=str(self.folder), module=self.kernel, sys=str(self.folder))


def configured(stop: str, line: str = "GPIO1", **more: str) -> config.Config:
    lines = [f'{key} = "{value}"' for key, value in more.items()]
    text = "\n".join(["[device.pump]", 'driver = "relay"', f'line = "gpio:{line}"', f'stop = "{stop}"', *lines])
    return config.parse(text, "g.toml", ROWS.__getitem__, ROWS)


@pytest.mark.parametrize(
    ("persist", "line", "keeps"),
    [("Y", "GPIO1", True), ("N", "GPIO1", False), (None, "GPIO1", None), ("Y", "FAN", None), ("N", "FAN", None)],
)
def test_what_a_kernel_keeps(tmp_path: Path, persist: str | None, line: str, keeps: bool | None) -> None:
    assert Chips(tmp_path, persist).keeps(f"gpio:{line}") is keeps


def test_rpi_gpio_goes_past_the_kernel_and_rpi_lgpio_does_not() -> None:
    class Module:
        BCM = 11

        def setwarnings(self, on: bool) -> None: ...

        def setmode(self, mode: int) -> None: ...

    class Other(Module):
        lgpio: Any = None

    assert RPi(None, module=Module()).keeps("gpio:GPIO1") is True
    assert RPi(None, module=Other()).keeps("gpio:GPIO1") is None


@pytest.mark.parametrize("stop", ["on", "last"])
@pytest.mark.parametrize(
    ("persist", "line", "told"),
    [
        ("N", "GPIO1", ["cannot be kept: when the gateway ends, this kernel makes an input of gpio:GPIO1"]),
        ("Y", "GPIO1", []),
        ("Y", "FAN", ["nobody knows whether this chip keeps"]),
        ("N", "GONE", []),
    ],
)
def test_check_warns(
    tmp_path: Path, stop: str, persist: str, line: str, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "Board", lambda reactor, wanted: Chips(tmp_path, persist))
    warnings = list(kept.warnings(configured(stop, line)))
    assert len(warnings) == len(told) and all(words in warning for words, warning in zip(told, warnings, strict=True))
    assert all(warning.startswith("device.pump.stop: ") and f'stop = "{stop}"' in warning for warning in warnings)


@pytest.mark.parametrize("stop", ["off", "hands-off"])
def test_what_asks_for_nothing_is_not_warned_of(tmp_path: Path, stop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "Board", lambda reactor, wanted: Chips(tmp_path, "N"))
    assert list(kept.warnings(configured(stop))) == []


@pytest.mark.parametrize(
    ("stop", "persist", "state"), [("on", "N", "refused"), ("on", "Y", "set"), ("off", "N", "set")]
)
def test_run_refuses_that_output_and_touches_nothing(tmp_path: Path, stop: str, persist: str, state: str) -> None:
    (device,) = configured(stop).devices
    hardware, failures = Hardware(Clock(), False), list[Any]()
    chips = hardware.board = Chips(tmp_path, persist)
    open = hardware.open(device, planned(device), Ring(float), lambda: {"line": False})
    open(lambda data: None, lambda reason: None).addErrback(failures.append)
    assert [failure.type.__name__ for failure in failures] == (["WrongDevice"] if state == "refused" else [])
    (chip, _) = chips.kernel.chips.values()
    assert bool(chip.calls) == (state == "set")
