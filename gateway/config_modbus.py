"""What the configuration says of devices on Modbus lines: the port that several share, and which unit each is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from drivers.api import Modbus
from gateway import notation
from gateway.places import ModbusTCP, SerialPort, Unit, Where
from gateway.table import Table, dotted


def read_unit(table: Table, link: Modbus, port: Any) -> Unit | None:
    """The unit that *table* means, on the *port* that was read from it."""
    unit = table.take("unit", number(isinstance(port, ModbusTCP)), link.unit)
    timeout = table.take("timeout", notation.duration, link.timeout)
    return None if port is None else Unit(port, unit, timeout)


def number(tcp: bool) -> Any:
    """Reads the number of a unit.  The standard ends at 247, but there are units beyond it on lines, too: 254 is any
    sensor of one maker.  Unit 0 is a server on the network itself, and on a line nobody."""

    def read(value: Any) -> int:
        if not tcp and value == 0 and not isinstance(value, bool):
            raise ValueError("unit 0 means all of them, and none of them would answer; a unit has a number of 1 to 255")
        return notation.whole(0 if tcp else 1, 255)(value)

    return read


def unlike(places: Iterable[tuple[Table, Where]]) -> Iterator[tuple[Table, str]]:
    """Every device that sees its serial port otherwise than the first one on it, and what to say of that."""
    first: dict[str, tuple[Table, Where]] = {}
    for table, where in places:
        port = where.port if isinstance(where, Unit) else where
        if not isinstance(port, SerialPort):
            continue
        other, there = first.setdefault(port.path, (table, where))
        named = f"{dotted(other.path)} (line {other.line('port')})"
        if isinstance(there, Unit) and isinstance(where, Unit):
            if there.port != port:
                yield (
                    table,
                    f"{spoken(port)} here, but {spoken(there.port)} for {named}: all units of a line have one setting; "
                    f'write it into both, such as `port = {{ path = "{port.path}", baud = {port.line.baud} }}`',
                )
        elif isinstance(there, Unit) != isinstance(where, Unit):
            yield table, f"already used by {named}: a Modbus line takes Modbus devices only"


def spoken(port: Any) -> str:
    line = port.line
    return f"{line.baud} {line.bits}{line.parity}{line.stop_bits}" + (" with rs485" if port.rs485 else "")
