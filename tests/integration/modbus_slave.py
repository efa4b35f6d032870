"""pymodbus as a Modbus slave, unit 1: ``python modbus_slave.py rtu PORT``, ``tcp NUMBER`` or ``rtu-tcp NUMBER``.

It has the registers of an SDM120 that shows 230.2 V and 50 Hz, eight coils, eight inputs, and holding registers
0 to 9 that hold 100 to 109.  Whoever asks for another unit hears nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


def shown(address: int, value: float) -> SimData:
    return SimData(address, values=value, datatype=DataType.FLOAT32)


def zeros(address: int, count: int) -> SimData:
    return SimData(address, count=count, values=0, datatype=DataType.REGISTERS)


UNIT = SimDevice(
    1,
    (
        [SimData(0, values=[False] * 8, datatype=DataType.BITS)],
        [SimData(0, values=[True, False, True, False, False, False, False, True], datatype=DataType.BITS)],
        [SimData(0, values=list(range(100, 110)), datatype=DataType.REGISTERS)],
        [
            shown(0, 230.2),
            zeros(2, 68),
            shown(70, 50.0),
            shown(72, 1.5),
            zeros(74, 22),
            zeros(258, 8),
            shown(342, 1.5),
            zeros(344, 2),
        ],
    ),
)


def ours(at: int) -> Callable[[bool, bytes], bytes]:
    """Lets out what is from us alone; the unit's number is byte *at* of an answer.  For others pymodbus would answer
    that they have failed."""
    return lambda sending, data: b"" if sending and data[at] != UNIT.id else data


async def main(kind: str, place: str) -> None:
    server: ModbusSerialServer | ModbusTcpServer
    if kind == "rtu":
        server = ModbusSerialServer(UNIT, port=place, baudrate=9600, trace_packet=ours(0))
    elif kind == "rtu-tcp":
        server = ModbusTcpServer(UNIT, framer=FramerType.RTU, address=("127.0.0.1", int(place)), trace_packet=ours(0))
    else:
        server = ModbusTcpServer(UNIT, address=("127.0.0.1", int(place)), trace_packet=ours(6))
    await server.serve_forever(background=True)
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
