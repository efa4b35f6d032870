"""The device's side of Modbus, for emulators: what one remembers, and the line that several hang on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from struct import error as StructError

from drivers.api import ModbusEmulator
from drivers.codec.crc import crc16_modbus
from drivers.codec.modbus import BITS, HEAD, REFUSED, REGISTERS, WRITTEN_BITS, WRITTEN_REGISTERS, bits, packed, sealed

Memory = MutableMapping[int, int]
LONGEST = 264  # bytes that may wait for the rest of a request: the longest and a little


class Slave:
    """Coils and inputs (0 or 1), holding and input registers, each by its address on the wire.  What is not there is
    refused as the standard says, and only coils and holding registers can be written."""

    def __init__(
        self,
        *,
        coils: Memory | None = None,
        inputs: Memory | None = None,
        holding: Memory | None = None,
        registers: Memory | None = None,
    ) -> None:
        self.memories: dict[int, Memory] = {
            function: {} if memory is None else memory
            for function, memory in ((1, coils), (2, inputs), (3, holding), (4, registers))
        }

    def answer(self, pdu: bytes) -> bytes:
        """The answer to the request *pdu*, a refusal if need be."""
        function = pdu[0]
        try:
            if function in (1, 2, 3, 4):
                return self.read(*HEAD.unpack(pdu))
            if function in (5, 6, 15, 16):
                function, address, third = HEAD.unpack(pdu[:5])
                return self.write(function, address, third, pdu[6:])
            code = 1
        except KeyError:
            code = 2
        except (ValueError, StructError):
            code = 3
        return bytes((function | REFUSED, code))

    def tick(self, seconds: float) -> bytes:
        """What it remembers does not change by itself; an emulator's own ``tick`` writes to the memories."""
        return b""

    def read(self, function: int, address: int, count: int) -> bytes:
        if not 1 <= count <= (BITS if function < 3 else REGISTERS):
            raise ValueError("count")
        values = tuple(self.memories[function][at] for at in range(address, address + count))
        data = packed(values) if function < 3 else b"".join(value.to_bytes(2, "big") for value in values)
        return bytes((function, len(data))) + data

    def write(self, function: int, address: int, third: int, data: bytes) -> bytes:
        """*third* is the value (5, 6), or the count (15, 16) of those in *data*."""
        memory = self.memories[1 if function in (5, 15) else 3]
        if function == 5 and third not in (0, 0xFF00):
            raise ValueError("neither on nor off")
        if function in (5, 6):
            values: tuple[int, ...] = (third >> 15 if function == 5 else third,)
        else:
            size = (third + 7) // 8 if function == 15 else 2 * third
            if not 1 <= third <= (WRITTEN_BITS if function == 15 else WRITTEN_REGISTERS) or len(data) != size:
                raise ValueError("count")
            words = (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
            values = bits(data, third) if function == 15 else tuple(words)
        new = {address + at: int(value) for at, value in enumerate(values)}
        if missing := new.keys() - memory.keys():
            raise KeyError(min(missing))
        memory.update(new)
        return HEAD.pack(function, address, third)


class Units:
    """A serial line with *units* on it, each of which answers to its number.  It hears requests cut into pieces;
    one with a wrong checksum, or for somebody who is not there, stays without answer."""

    def __init__(self, units: Mapping[int, ModbusEmulator]) -> None:
        self.units = units
        self.heard = b""

    def receive(self, data: bytes) -> bytes:
        self.heard += data
        answers = b""
        while len(self.heard) >= 4:
            size = length(self.heard)
            request = self.heard[:size]
            if len(request) == size and not crc16_modbus(request):
                self.heard = self.heard[size:]
                answers += self.respond(request[0], request[1:-2])
            elif size > len(self.heard) and len(self.heard) < LONGEST:
                break
            else:
                self.heard = self.heard[1:]
        return answers

    def respond(self, unit: int, pdu: bytes) -> bytes:
        if (emulator := self.units.get(unit)) is None:
            return b""
        frame = sealed(unit, emulator.answer(pdu))
        wire: Callable[[bytes, bytes], bytes] | None = getattr(emulator, "wire", None)  # where frames come to harm
        return frame if wire is None else wire(pdu, frame)

    def tick(self, seconds: float) -> bytes:
        return b"".join(emulator.tick(seconds) for emulator in list(self.units.values()))


def length(heard: bytes) -> int:
    """How long the request is that *heard*, at least four bytes, begins with; of unknown functions, all there is."""
    if heard[1] in (1, 2, 3, 4, 5, 6):
        return 8
    if heard[1] in (15, 16):
        return 9 + heard[6] if len(heard) > 6 else 9
    return len(heard)
