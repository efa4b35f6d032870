"""What `gateway drivers NAME` says: of every driver a configuration that can be pasted, tables and programs alike."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.api import Driver
from gateway import catalog
from gateway.config import parse
from gateway.driver_page import configuration, page


@pytest.mark.parametrize("row", catalog.shipped().values(), ids=lambda row: row.name)
def test_the_configuration_can_be_pasted(row: Driver[Any]) -> None:
    text = "\n".join(configuration(row)).replace("/by-id/...", "/by-id/usb-x").replace(" = ...", " = 1")
    (device,) = parse(text, "x.toml", catalog.find, catalog.NAMES).devices
    assert (device.name, device.driver.name, device.period) == (f"my_{row.name}", row.name, row.period)


def test_a_page_has_all_there_is_to_know() -> None:
    text = "\n".join(page(catalog.find("sds011")))
    for part in (
        "Nova SDS011",
        "Datasheet: Nova Fitness",
        "Wiring: 5 V, GND",
        "pm10   µg/m³, 0 to 1999.9",
        "baud = 9600",
    ):
        assert part in text
    assert "state_1  on or off, settable" in "\n".join(page(catalog.find("modbusrelay8")))
    assert "status waiting, normal, fault" in " ".join(" ".join(page(catalog.find("growatt"))).split())
