"""What `gateway drivers NAME` says: of every driver its source, its limits, and a configuration that can be pasted,
tables and programs alike; and the pages of all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Driver
from gateway import catalog
from gateway.config import parse
from gateway.driver_page import configuration, listed, markdown, page, write

LIST = Path(__file__).parents[2] / "docs" / "devices.md"


def test_rules_are_offered_to_what_can_be_switched() -> None:
    told = {name: "# start = " in "\n".join(configuration(catalog.find(name))) for name in ("modbusrelay8", "s8")}
    assert told == {"modbusrelay8": True, "s8": False}, "an S8 is set, but `start` is none of its keys"


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


@pytest.mark.parametrize("row", catalog.shipped().values(), ids=lambda row: row.name)
def test_every_page_names_its_source_and_how_it_is_connected(row: Driver[Any]) -> None:
    text = "\n".join(markdown(row))
    assert re.search(r"(?m)^(Datasheets?|Standard|Source|Kernel)[: ]", text), "what is it written after?"
    about, *parts = re.split(r"(?m)^## (.*)\n", text)
    connection, quantities, pasted = parts[1::2]
    assert parts[::2] == ["Connection", "Quantities", "Configuration"] and len(about) > 200 and connection.strip()
    assert quantities.count("\n| `") == len(row.quantities)
    assert "\n".join(configuration(row)) in pasted


def test_pages_of_all_in_a_folder(tmp_path: Path) -> None:
    rows = catalog.shipped()
    assert write(tmp_path / "devices", rows.values()) == len(rows)
    index = (tmp_path / "devices" / "README.md").read_text()
    assert set(re.findall(r"\]\((.*?)\)", index)) == {f"{name}.md" for name in rows}
    assert {path.name for path in (tmp_path / "devices").iterdir()} == {"README.md", *(f"{name}.md" for name in rows)}
    assert "| `temperature` | °C, -40 to 125 |" in (tmp_path / "devices" / "sht31.md").read_text()


def test_the_list_in_the_documentation_is_that_of_the_drivers_there_are() -> None:
    """Wherever it is not, write it anew: make devices."""
    assert LIST.read_text() == "\n".join(listed(catalog.shipped().values())) + "\n"
