"""Modbus frames: the standard's own, public captures, and everything that is not the answer."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, DeviceError, NoAnswer, Request
from drivers.codec.modbus import RTU, TCP, bits, pdu, sealed


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


# "MODBUS Application Protocol V1.1b3", 6.1 to 6.6, 6.11, 6.12: request, answer, and the data of the answer.
SPECIFIED = [
    (Request(1, 0x13, 19), "01 00 13 00 13", "01 03 CD 6B 05", "CD 6B 05"),
    (Request(2, 0xC4, 22), "02 00 C4 00 16", "02 03 AC DB 35", "AC DB 35"),
    (Request(3, 0x6B, 3), "03 00 6B 00 03", "03 06 02 2B 00 00 00 64", "02 2B 00 00 00 64"),
    (Request(4, 0x08, 1), "04 00 08 00 01", "04 02 00 0A", "00 0A"),
    (Request(5, 0xAC, values=(1,)), "05 00 AC FF 00", "05 00 AC FF 00", ""),
    (Request(6, 0x01, values=(3,)), "06 00 01 00 03", "06 00 01 00 03", ""),
    (Request(15, 0x13, values=(1, 0, 1, 1, 0, 0, 1, 1, 1, 0)), "0F 00 13 00 0A 02 CD 01", "0F 00 13 00 0A", ""),
    (Request(16, 0x01, values=(10, 0x102)), "10 00 01 00 02 04 00 0A 01 02", "10 00 01 00 02", ""),
]
# Whole frames, from the makers' manuals and public captures.
CAPTURED = [
    (1, Request(3, 10, 2), "01 03 00 0A 00 02 E4 09", None, None),  # the standard's way to compute a CRC
    (1, Request(4, 0, 2), "01 04 00 00 00 02 71 CB", "01 04 04 43 66 33 34 1B 38", "43 66 33 34"),  # Eastron: 230.2 V
    (1, Request(5, 0, values=(1,)), "01 05 00 00 FF 00 8C 3A", "01 05 00 00 FF 00 8C 3A", ""),  # Waveshare: relay 1 on
    (1, Request(1, 0, 8), "01 01 00 00 00 08 3D CC", "01 01 01 00 51 88", "00"),  # Waveshare: all relays are off
    (0xF8, Request(4, 0, 10), "F8 04 00 00 00 0A 64 64",  # PZEM-004T: 225.9 V
     "F8 04 14 08 D3 00 23 00 00 00 05 00 00 00 02 00 00 01 F5 00 06 00 00 F8 BE",
     "08 D3 00 23 00 00 00 05 00 00 00 02 00 00 01 F5 00 06 00 00"),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "sent", "came", "data"), SPECIFIED)
def test_the_standards_own_examples(request_: Request, sent: str, came: str, data: str) -> None:
    assert pdu(request_) == hexed(sent)
    rtu, tcp = RTU(), TCP()
    assert rtu.begin(17, request_) == sealed(17, hexed(sent))
    assert rtu.feed(sealed(17, hexed(came))) == hexed(data)
    head = hexed("00 01 00 00")
    assert tcp.begin(17, request_) == head + bytes((0, 1 + len(hexed(sent)), 17)) + hexed(sent)
    assert tcp.feed(head + bytes((0, 1 + len(hexed(came)), 17)) + hexed(came)) == hexed(data)


@pytest.mark.parametrize(("unit", "request_", "sent", "came", "data"), CAPTURED)
def test_frames_that_were_seen(unit: int, request_: Request, sent: str, came: str | None, data: str | None) -> None:
    rtu = RTU()
    assert rtu.begin(unit, request_) == hexed(sent)
    if came is not None and data is not None:
        assert rtu.feed(hexed(came)) == hexed(data)


@pytest.mark.parametrize(
    "request_",
    [
        Request(3, 0, 0),
        Request(3, 0, 126),
        Request(1, 0, 2001),
        Request(16, 0, values=()),
        Request(16, 0, values=(0,) * 124),
        Request(15, 0, values=(0,) * 1969),
        Request(6, 0, values=(1, 2)),
        Request(7, 0, values=(1,)),
    ],
)
def test_what_the_standard_does_not_allow_is_a_bug(request_: Request) -> None:
    pdu(Request(3, 0, 125)), pdu(Request(1, 0, 2000)), pdu(Request(16, 0, values=(0,) * 123))
    with pytest.raises(ValueError):
        pdu(request_)


def test_a_command_of_the_makers_own_is_said_back() -> None:
    """Peacefair "PZEM-004T V3.0 User Manual", 2.6: 42h sets the energy to zero; C2h refuses."""
    reset = Request(0x42, 0)
    rtu, tcp = RTU(), TCP()
    assert rtu.begin(1, reset) == hexed("01 42 80 11")
    assert rtu.feed(hexed("01 42 80")) is None
    assert rtu.feed(hexed("11")) == b""
    rtu.begin(1, reset)
    with pytest.raises(BadValue, match="does not know function 66"):
        rtu.feed(sealed(1, hexed("C2 01")))
    rtu.begin(1, Request(3, 0))
    rtu.feed(hexed("01 03 0000 0001 840A") + sealed(1, hexed("03 02 00 00")))  # an adapter that echoes
    rtu.begin(1, reset)
    assert rtu.feed(hexed("01 42 80 11")) is None
    assert rtu.feed(hexed("01 42 80 11")) == b""
    tcp.begin(1, Request(0x48, 0, values=(1, 2)))
    assert tcp.feed(hexed("0001 0000 0004 01 48 01 02")) == b""


def test_bits_are_packed_first_lowest() -> None:
    assert bits(b"\xcd\x01", 10) == (True, False, True, True, False, False, True, True, True, False)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (1, BadValue, "unit 3 does not know function 4"),
        (2, BadValue, "unit 3 has nothing at address 70 to 75"),
        (3, BadValue, "unit 3 does not take that value or count"),
        (4, NoAnswer, "unit 3 has failed"),
        (6, NoAnswer, "unit 3 is busy"),
        (10, NoAnswer, "unit 3 is not reached: its gateway has no path to it"),
        (11, NoAnswer, "unit 3 is not reached: it does not answer its gateway"),
        (99, NoAnswer, "unit 3 refuses, by an unknown code"),
    ],
)
def test_a_refusal_says_why(code: int, kind: type[DeviceError], words: str) -> None:
    rtu, tcp, request = RTU(), TCP(), Request(4, 70, 6)
    rtu.begin(3, request)
    tcp.begin(3, request)
    with pytest.raises(kind) as on_line:
        rtu.feed(sealed(3, bytes((0x84, code))))
    with pytest.raises(kind) as on_net:
        tcp.feed(bytes((0, 1, 0, 0, 0, 3, 3, 0x84, code)))
    assert str(on_line.value) == str(on_net.value) == f"{words} (exception {code})"


READ = Request(4, 0, 2)
ANSWER = hexed("01 04 04 43 66 33 34 1B 38")
DATA = ANSWER[3:7]


def test_an_answer_may_come_in_any_pieces_and_behind_anything() -> None:
    for before in (b"", b"\x00", b"\xff\x01\x04", hexed("02 04 04 43 66 33 34 5F 38"), ANSWER[:-1], b"\x01" * 40):
        for size in range(1, 12):
            rtu, got = RTU(), list[bytes]()
            rtu.begin(1, READ)
            line = before + ANSWER
            for at in range(0, len(line), size):
                if (data := rtu.feed(line[at : at + size])) is not None:
                    got.append(data)
            assert got == [DATA], (before, size)


def test_no_flipped_bit_and_no_other_answer_is_taken() -> None:
    others = [
        sealed(2, b"\x04\x04" + DATA),  # another unit
        sealed(1, b"\x03\x04" + DATA),  # another function
        sealed(1, b"\x04\x02\x43\x66"),  # another count
        sealed(2, b"\x84\x02"),  # another unit's refusal
        sealed(1, b"\x83\x02"),  # that of another function
        *(flipped(ANSWER, bit) for bit in range(8 * len(ANSWER))),
    ]
    for other in others:
        rtu = RTU()
        rtu.begin(1, READ)
        assert rtu.feed(other) is None
        assert rtu.feed(ANSWER) == DATA, other.hex(" ")


def flipped(data: bytes, bit: int) -> bytes:
    spoilt = bytearray(data)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


@pytest.mark.parametrize("written", [Request(5, 2, values=(1,)), Request(6, 2, values=(7,))])
def test_a_write_is_confirmed_by_its_own_words_only(written: Request) -> None:
    rtu = RTU()
    frame = rtu.begin(1, written)
    other = sealed(1, pdu(Request(written.function, 2, values=(0,))))
    assert rtu.feed(other) is None
    assert rtu.feed(frame) == b""


def test_an_echo_is_passed_over_and_remembered() -> None:
    rtu = RTU()
    for piece in range(1, 9):  # in pieces of any size
        frame = rtu.begin(1, READ)
        line = frame + ANSWER
        got = [rtu.feed(line[at : at + piece]) for at in range(0, len(line), piece)]
        assert [data for data in got if data is not None] == [DATA]
    for function in (5, 16):  # its answer is as the request, or begins as it does
        write = Request(function, 0, values=(1,))
        frame = rtu.begin(1, write)
        assert rtu.feed(frame) is None, "that was our own voice"
        assert rtu.feed(sealed(1, pdu(write)[:5])) == b""
    frame = rtu.begin(1, READ)
    assert rtu.feed(frame) is None
    assert isinstance(rtu.end(), NoAnswer), "an echo is no answer"
    rtu.begin(1, READ)
    assert rtu.feed(ANSWER) == DATA, "there are none any more"
    frame = rtu.begin(1, Request(5, 0, values=(1,)))
    assert rtu.feed(frame) == b""


def test_what_no_answer_was_is_told() -> None:
    rtu = RTU()
    for came, kind, words in (
        (b"", NoAnswer, "unit 1 does not answer"),
        (ANSWER[:-1], BadFrame, "unit 1: 8 bytes came, but its checksum is wrong or it is torn: 01 04 04"),
        (b"\xfe\xfe", BadFrame, "unit 1: 2 bytes came, but none is its answer; is the baud rate right?: fe fe"),
    ):
        rtu.begin(1, READ)
        assert came == b"" or rtu.feed(came) is None
        error = rtu.end()
        assert type(error) is kind and str(error).startswith(words)
        assert rtu.feed(ANSWER) is None, "it is too late"


class TestTCP:
    LATE = hexed("0001 0000 0007 01 04 04 43 66 33 34")

    def test_a_late_answer_is_not_taken_for_the_next_even_when_it_is_torn(self) -> None:
        for torn in range(len(self.LATE) + 1):
            tcp = TCP()
            tcp.begin(1, READ)
            assert tcp.feed(self.LATE[:torn]) is None or torn == len(self.LATE)
            if torn == len(self.LATE):
                continue
            assert isinstance(tcp.end(), NoAnswer)
            tcp.begin(1, READ)
            assert tcp.feed(self.LATE[torn:]) is None
            assert tcp.feed(hexed("0002 0000 0007 01 04 04 00 00 00 01")) == b"\x00\x00\x00\x01"

    def test_numbers_go_round(self) -> None:
        tcp = TCP()
        tcp.number = 0xFFFF
        assert tcp.begin(1, READ)[:2] == b"\x00\x00"

    @pytest.mark.parametrize("answer", ["0001 0000 0007 02 04 04 43 66 33 34", "0001 0000 0005 01 04 02 43 66"])
    def test_something_else_is_a_bad_frame(self, answer: str) -> None:
        tcp = TCP()
        tcp.begin(1, READ)
        with pytest.raises(BadFrame):
            tcp.feed(hexed(answer))

    @pytest.mark.parametrize("junk", [b"HTTP/1.1 400", hexed("0001 0000 0001 01 04"), hexed("0001 0000 0200 01 04")])
    def test_another_protocol_ends_it(self, junk: bytes) -> None:
        tcp = TCP()
        tcp.begin(1, READ)
        with pytest.raises(EOFError):
            tcp.feed(junk)
