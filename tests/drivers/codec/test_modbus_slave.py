"""The emulators' side of Modbus, asked by our own codec; others ask it in tests/integration/test_modbus.py."""

from __future__ import annotations

import pytest

from drivers.api import BadValue, Request
from drivers.codec.modbus import RTU, bits, pdu, sealed
from drivers.codec.modbus_slave import Slave, Units

SLAVE = Slave(
    coils=dict.fromkeys(range(10), 0), inputs={0: 1, 1: 0, 2: 1}, holding={5: 7, 6: 0x1234}, registers={0: 0x4366}
)


def asked(request: Request, unit: int = 3) -> bytes | None:
    rtu, line = RTU(), Units({3: SLAVE})
    return rtu.feed(line.receive(rtu.begin(unit, request)))


def test_what_it_holds_is_read_and_written() -> None:
    assert asked(Request(2, 0, 3)) == b"\x05"
    assert asked(Request(4, 0, 1)) == b"\x43\x66"
    assert asked(Request(3, 5, 2)) == b"\x00\x07\x12\x34"
    assert asked(Request(5, 9, values=(1,))) == b""
    assert asked(Request(15, 0, values=(1, 0, 1))) == b""
    assert bits(asked(Request(1, 0, 10)) or b"", 10) == (True, False, True, *[False] * 6, True)
    assert asked(Request(6, 5, values=(8,))) == b""
    assert asked(Request(16, 5, values=(9, 10))) == b""
    assert asked(Request(3, 5, 2)) == b"\x00\x09\x00\x0a"


@pytest.mark.parametrize(
    ("pdu_", "code"),
    [
        ("2B 0E 01 00", 1),
        ("04 0000 0002", 2),
        ("06 0007 0001", 2),
        ("10 0006 0002 04 0001 0002", 2),
        ("03 0005 0000", 3),
        ("03 0005 007E", 3),
        ("05 0000 5500", 3),
        ("10 0005 0001 04 0001 0002", 3),
        ("03 00", 3),
    ],
)
def test_what_it_has_not_is_refused(pdu_: str, code: int) -> None:
    request = bytes.fromhex(pdu_)
    assert SLAVE.answer(request) == bytes((request[0] | 0x80, code))


def test_a_refusal_reaches_who_asked() -> None:
    with pytest.raises(BadValue, match="unit 3 has nothing at address 1 to 1"):
        asked(Request(4, 1))


def test_others_and_noise_stay_without_answer() -> None:
    line = Units({3: SLAVE})
    request = sealed(3, pdu(Request(4, 0)))
    assert asked(Request(4, 0), unit=4) is None
    assert line.receive(request[:-1] + b"\x00") == b""
    for size in range(1, 9):
        pieces = [request[at : at + size] for at in range(0, len(request), size)]
        assert b"".join(map(line.receive, pieces)) == sealed(3, b"\x04\x02\x43\x66"), size
    assert line.receive(b"\x03\x2b" + b"x" * 400 + request)[-7:] == sealed(3, b"\x04\x02\x43\x66")
    assert line.receive(sealed(3, b"\x2b\x0e\x01\x00")) == sealed(3, b"\xab\x01")
    assert line.tick(1.0) == b""
