"""Modbus: requests and answers as they go over a serial line (RTU) and over TCP.

Standard: "MODBUS Application Protocol Specification V1.1b3", "MODBUS over Serial Line V1.02" and "MODBUS Messaging
on TCP/IP V1.0b", modbus.org.  The protocol data unit is the same on both:

    RTU   unit | function | data | CRC-16, low byte first                 01 03 000A 0002 E409
    TCP   transaction, 0, length (words) | unit | function | data    0001 0000 0006 01 03 000A 0002

A refusal has bit 7 of the function set and one byte, the exception code.  On a serial line nothing in an answer
says to which request it belongs, but for unit, function and length; so who asks must let a late one pass by.
"""

from __future__ import annotations

from struct import Struct

from drivers.api import BadFrame, BadValue, DeviceError, NoAnswer, Request
from drivers.codec.crc import crc16_modbus

BITS, REGISTERS, WRITTEN_BITS, WRITTEN_REGISTERS = 2000, 125, 1968, 123  # the most of one request
OWN = frozenset((*range(65, 73), *range(100, 111)))  # functions that are each maker's own
REFUSED = 0x80
HEAD = Struct(">BHH")  # function, address, and count or value
MBAP = Struct(">HHHB")  # transaction, protocol, length from the unit on, unit
LONGEST = 4096  # bytes on a serial line that may come in vain
REFUSALS: dict[int, tuple[type[DeviceError], str]] = {
    1: (BadValue, "does not know function {function}"),
    2: (BadValue, "has nothing at address {address} to {last}"),
    3: (BadValue, "does not take that value or count"),
    4: (NoAnswer, "has failed"),
    5: (NoAnswer, "needs longer than an answer may take"),
    6: (NoAnswer, "is busy"),
    10: (NoAnswer, "is not reached: its gateway has no path to it"),
    11: (NoAnswer, "is not reached: it does not answer its gateway"),
}


def pdu(request: Request) -> bytes:
    """The request from function code to data.  ValueError for one that cannot be."""
    function, address, count, values = request.function, request.address, request.count, request.values
    if function in (1, 2, 3, 4) and not 1 <= count <= (BITS if function < 3 else REGISTERS):
        raise ValueError(f"{request}: too many or none to read")
    if function in (1, 2, 3, 4):
        return HEAD.pack(function, address, count)
    if function in OWN:
        return bytes((function, *values))
    if function in (5, 6):
        (value,) = values
        return HEAD.pack(function, address, value if function == 6 else 0xFF00 if value else 0)
    if function not in (15, 16):
        raise ValueError(f"{request}: no such function")
    if not 1 <= len(values) <= (WRITTEN_BITS if function == 15 else WRITTEN_REGISTERS):
        raise ValueError(f"{request}: too many or none to write")
    data = packed(values) if function == 15 else b"".join(value.to_bytes(2, "big") for value in values)
    return HEAD.pack(function, address, len(values)) + bytes((len(data),)) + data


def packed(bits: tuple[int, ...]) -> bytes:
    """Eight to a byte, the first one lowest."""
    return sum(bool(bit) << at for at, bit in enumerate(bits)).to_bytes((len(bits) + 7) // 8, "little")


def bits(data: bytes, count: int) -> tuple[bool, ...]:
    """The first *count* bits of *data*."""
    number = int.from_bytes(data, "little")
    return tuple(bool(number >> at & 1) for at in range(count))


def expected(request: Request, sent: bytes) -> tuple[bytes, int]:
    """How a good answer to *request*, *sent* as these bytes, begins, and how long it is."""
    if request.function in OWN:
        return sent, len(sent)  # it is said back
    if request.function > 4:
        return sent[:5], 5  # the address, and the value or the count, are said back
    size = 2 * request.count if request.function > 2 else (request.count + 7) // 8
    return bytes((request.function, size)), 2 + size


def refusal(unit: int, request: Request, code: int) -> DeviceError:
    """What a unit's exception *code* means."""
    kind, words = REFUSALS.get(code, (NoAnswer, "refuses, by an unknown code"))
    count = len(request.values) if request.function > 4 else request.count
    words = words.format(function=request.function, address=request.address, last=request.address + count - 1)
    return kind(f"unit {unit} {words} (exception {code})")


class Exchange:
    """One request to *unit*, and what an answer to it looks like."""

    def __init__(self, unit: int, request: Request) -> None:
        self.unit, self.request = unit, request
        self.pdu = pdu(request)
        self.head, self.size = expected(request, self.pdu)
        self.mirrored = self.head == self.pdu  # a good answer looks like the request

    def data(self, answer: bytes) -> bytes:
        """What the protocol data unit *answer* holds; raises what the unit refused, or BadFrame."""
        if answer[0] == self.request.function | REFUSED and len(answer) == 2:
            raise refusal(self.unit, self.request, answer[1])
        if len(answer) != self.size or not answer.startswith(self.head):
            raise BadFrame(f"unit {self.unit} answers something else: {answer.hex(' ')}")
        return answer[2:] if self.request.function < 5 else b""


class RTU:
    """The gateway's end of a serial line: ``begin`` gives the bytes to send, ``feed`` takes those that come.

    An adapter may echo what is sent.  The echo of a read is plain to see; that of a request which is said
    back looks like the answer, and is passed over where the last read showed that there are echoes."""

    late = True  # an answer that comes too late may pass for one to the next request

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self.frame = self.buffer = b""
        self.echoes = False
        self.size = 0  # bytes of a good answer

    def begin(self, unit: int, request: Request) -> bytes:
        exchange = self.exchange = Exchange(unit, request)
        self.frame = sealed(unit, exchange.pdu)
        self.head, self.size = bytes((unit,)) + exchange.head, exchange.size + 3
        self.refused = bytes((unit, request.function | REFUSED))
        self.buffer = b""
        return self.frame

    def feed(self, data: bytes) -> bytes | None:
        """The data of the answer, or None for "more".  What comes while nobody asks is thrown away."""
        exchange = self.exchange
        if exchange is None:
            return None
        self.buffer = buffer = (self.buffer + data)[-LONGEST:]
        at = self.echoed(exchange)
        while (at := buffer.find(self.frame[0], at)) >= 0:
            size = self.size if buffer.startswith(self.head, at) else 5 if buffer.startswith(self.refused, at) else 0
            if size and len(buffer) >= at + size and not crc16_modbus(buffer[at : at + size]):
                self.exchange = None
                if not exchange.mirrored:
                    self.echoes = buffer.startswith(self.frame)
                return exchange.data(buffer[at + 1 : at + size - 2])
            at += 1
        return None

    def echoed(self, exchange: Exchange) -> int:
        """Where, behind the echo of what was sent, the answer may begin."""
        if exchange.mirrored and not self.echoes:
            return 0
        if self.buffer.startswith(self.frame):
            self.echoes = True
            return len(self.frame)
        return len(self.buffer) if self.frame.startswith(self.buffer) else 0

    def end(self) -> DeviceError:
        """The time is over: say what it is that no answer came."""
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        came = self.buffer.removeprefix(self.frame) if self.echoes else self.buffer
        if not came:
            return NoAnswer(f"unit {exchange.unit} does not answer")
        right = came.startswith((self.head, self.refused))
        why = "but its checksum is wrong or it is torn" if right else "but none is its answer; is the baud rate right?"
        return BadFrame(f"unit {exchange.unit}: {len(came)} bytes came, {why}: {came[:32].hex(' ')}")


class TCP:
    """The gateway's end of a connection to a Modbus server.  Answers carry the number of their request."""

    late = False

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self.buffer = b""
        self.number = self.size = 0

    def begin(self, unit: int, request: Request) -> bytes:
        exchange = self.exchange = Exchange(unit, request)
        self.number = self.number + 1 & 0xFFFF
        self.size = MBAP.size + exchange.size
        return MBAP.pack(self.number, 0, 1 + len(exchange.pdu), unit) + exchange.pdu

    def feed(self, data: bytes) -> bytes | None:
        """As of ``RTU``.  EOFError when what comes is not Modbus, and nothing behind it can be understood."""
        self.buffer += data
        while len(self.buffer) > MBAP.size:
            number, protocol, length, unit = MBAP.unpack_from(self.buffer)
            if protocol or not 3 <= length <= 254:
                raise EOFError(f"no Modbus TCP: {self.buffer[:16].hex(' ')}")
            if len(self.buffer) < 6 + length:
                break
            answer, self.buffer = self.buffer[MBAP.size : 6 + length], self.buffer[6 + length :]
            if self.exchange is not None and number == self.number:
                exchange, self.exchange = self.exchange, None
                if unit != exchange.unit:
                    raise BadFrame(f"unit {unit} answers for unit {exchange.unit}")
                return exchange.data(answer)
        return None

    def end(self) -> DeviceError:
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        return NoAnswer(f"unit {exchange.unit} does not answer")


def sealed(unit: int, body: bytes) -> bytes:
    """A frame on a serial line: *body* between unit and checksum."""
    frame = bytes((unit,)) + body
    return frame + crc16_modbus(frame).to_bytes(2, "little")
