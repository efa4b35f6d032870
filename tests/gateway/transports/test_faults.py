"""Faults as the gateway meets them, one by one.  What drivers make of them is tested with the drivers."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from drivers import relay, sht31
from drivers.api import GPIO, I2C, SPI, Modbus, NoAnswer, Serial, Sysfs, Transfer
from drivers.codec.crc import crc16_modbus
from drivers.codec.modbus import sealed
from drivers.codec.modbus_slave import Slave, Units
from gateway import catalog
from gateway.transports.emulated import EmulatedI2C, EmulatedSerial
from gateway.transports.faults import KINDS, LATE, UNREADABLE, Faulty, kinds, unfit
from tests.gateway.transports.turning import Ear


class Echo:
    """Says a number each tick, and what it heard in capitals."""

    def __init__(self) -> None:
        self.number = 0

    def receive(self, data: bytes) -> bytes:
        return data.upper()

    def tick(self, seconds: float) -> bytes:
        self.number += 1
        return b"%03d" % self.number


def talker() -> tuple[Clock, Faulty]:
    clock = Clock()
    return clock, Faulty(clock, Serial(9600), Echo)


def chip() -> tuple[Clock, Faulty]:
    clock = Clock()
    return clock, Faulty(clock, I2C((0x44,)), sht31.DRIVER.emulator)


def measured(chip: Faulty) -> bytes:
    chip.transfer(bytes.fromhex("2400"), 0)
    return chip.transfer(b"", 6)


def test_without_a_fault_it_is_the_device_itself() -> None:
    clock, faulty = talker()
    assert faulty.kind == "" and faulty.plugged and faulty.delay == 0
    assert (faulty.receive(b"abc"), faulty.tick(0.1)) == (b"ABC", b"001")
    assert measured(chip()[1]) == measured(chip()[1])


def test_every_link_has_known_faults_and_no_others() -> None:
    for row in catalog.shipped().values():
        assert sorted((*kinds(row.link), *unfit(row.link))) == sorted(KINDS), row.name
    with pytest.raises(ValueError, match="corrupt: nobody listens to an output; .*; there are stuck, unplug$"):
        Faulty(Clock(), relay.DRIVER.link, relay.DRIVER.emulator).begin("corrupt")
    with pytest.raises(ValueError, match="nack: nobody acknowledges on SPI; .*`unplug`; there are drop, "):
        Faulty(Clock(), SPI(0, 1_000_000), sht31.DRIVER.emulator).begin("nack")
    with pytest.raises(ValueError, match="drop, corrupt"):
        talker()[1].begin("fire")


def test_a_fault_ends_by_itself_or_when_told() -> None:
    clock, faulty = talker()
    faulty.begin("nack", 2.0)
    clock.advance(1.9)
    assert faulty.kind == "nack" and faulty.receive(b"abc") == b""
    clock.advance(0.1)
    assert faulty.kind == "" and faulty.receive(b"abc") == b"ABC"
    faulty.begin("nack")
    clock.advance(1e6)
    assert faulty.kind == "nack"
    faulty.begin("")
    assert faulty.receive(b"abc") == b"ABC"


def test_bytes_are_dropped_spoilt_and_held() -> None:
    _, faulty = talker()
    faulty.begin("drop")
    assert {faulty.receive(b"abc") for _ in range(50)} == {b"AB", b"AC", b"BC"}
    faulty.begin("corrupt")
    for _ in range(50):
        wrong = int.from_bytes(faulty.receive(b"abc")) ^ int.from_bytes(b"ABC")
        assert wrong.bit_count() == 1
    faulty.begin("stuck")
    assert faulty.receive(b"abc") == bytes(3)


def test_late_bytes_come_later_and_in_order() -> None:
    clock, faulty = talker()
    faulty.begin("delay")
    assert faulty.receive(b"abc") == b"" == faulty.tick(0.1)
    clock.advance(LATE - 0.1)
    assert faulty.tick(0.1) == b""
    clock.advance(0.1)
    assert faulty.tick(0.1) == b"ABC001"


def test_what_is_stale_was_true_before() -> None:
    _, faulty = talker()
    assert [faulty.tick(0.1), faulty.receive(b"a")] == [b"001", b"A"]
    faulty.begin("stale")
    assert [faulty.tick(0.1), faulty.tick(0.1), faulty.receive(b"a"), faulty.receive(b"b")] == [
        b"001",
        b"001",
        b"A",
        b"B",
    ]
    faulty.begin("")
    assert faulty.tick(0.1) == b"004"


def test_a_stranger_answers_and_the_device_keeps_its_state() -> None:
    _, faulty = talker()
    faulty.begin("wrong")
    assert faulty.receive(b"abc") == b"abc\r\nERROR\r\n" and faulty.tick(1.0) == b"RING\r\n"
    faulty.begin("")
    assert faulty.tick(0.1) == b"002"


def test_transfers_fail_every_other_time_or_each_time() -> None:
    _, faulty = chip()
    faulty.begin("drop")
    seen = []
    for _ in range(4):
        try:
            faulty.transfer(bytes.fromhex("2400"), 0)
            seen.append("good")
        except NoAnswer:
            seen.append("lost")
    assert seen == ["lost", "good", "lost", "good"]
    faulty.begin("nack")
    for _ in range(3):
        with pytest.raises(NoAnswer, match="nack"):
            faulty.transfer(b"", 6)


def test_a_chip_that_was_unplugged_has_forgotten_all() -> None:
    clock, faulty = chip()
    before = faulty.emulator
    faulty.begin("unplug", 1.0)
    with pytest.raises(NoAnswer):
        faulty.transfer(b"", 6)
    clock.advance(1.0)
    assert faulty.plugged and faulty.emulator is not before


def test_where_nobody_acknowledges_a_chip_that_is_gone_reads_ones() -> None:
    faulty = Faulty(Clock(), SPI(0, 1_000_000), sht31.DRIVER.emulator)
    faulty.begin("unplug")
    assert faulty.transfer(b"\x01", 3) == b"\xff\xff\xff"
    faulty.begin("drop")
    assert [faulty.transfer(bytes.fromhex("2400"), 6) == b"\xff" * 6 for _ in range(4)] == [True, False, True, False]


def test_a_bus_delivers_late() -> None:
    clock, faulty = chip()
    bus, answers = EmulatedI2C({0x44: faulty}, clock), list[bytes]()
    bus.at(0x44).perform(Transfer(bytes.fromhex("2400"), 0))
    faulty.begin("delay")
    bus.at(0x44).perform(Transfer(b"", 6)).addCallback(answers.append)
    clock.advance(LATE - 0.1)
    assert not answers
    clock.advance(0.1)
    assert len(answers[0]) == 6


def test_a_port_that_is_unplugged_hangs_up_and_cannot_be_opened() -> None:
    from twisted.internet.protocol import Factory

    clock, faulty = talker()
    endpoint, ear, failed = EmulatedSerial(clock, faulty), Ear(), list[object]()
    endpoint.connect(Factory.forProtocol(lambda: ear))
    clock.advance(0.1)
    assert ear.heard == b"001" and not ear.why
    faulty.begin("unplug", 1.0)
    clock.pump([0.1, 0.1])
    assert ear.why
    again: Deferred[object] = endpoint.connect(Factory.forProtocol(Ear))  # type: ignore[assignment]
    again.addErrback(lambda failure: failed.append(failure.trap(NoAnswer)))
    assert failed == [NoAnswer]
    clock.advance(1.0)
    ear = Ear()
    endpoint.connect(Factory.forProtocol(lambda: ear))
    clock.advance(0.1)
    assert ear.heard == b"001"  # switched on anew


def test_frames_of_a_modbus_unit_come_to_harm_on_the_line_and_those_of_others_do_not() -> None:
    clock = Clock()
    faulty = Faulty(clock, Modbus(), lambda: Slave(holding={0: 7}))
    line = Units({1: faulty, 2: Slave(holding={0: 7})})

    def asked(unit: int) -> bytes:
        return line.receive(sealed(unit, bytes.fromhex("03 0000 0001")))

    whole = sealed(1, bytes.fromhex("03 02 0007"))
    assert asked(1) == whole and asked(2) == sealed(2, bytes.fromhex("03 02 0007"))
    seen = {}
    for kind in kinds(Modbus()):
        faulty.begin(kind)
        seen[kind] = asked(1)
        assert asked(2) == sealed(2, bytes.fromhex("03 02 0007")), kind
    assert seen["wrong"] == sealed(1, bytes.fromhex("83 02"))
    assert [kind for kind, frame in seen.items() if not frame] == ["delay", "nack", "unplug"]
    assert len(seen["drop"]) == len(whole) - 1 and seen["stuck"] == bytes(7)
    assert seen["corrupt"] != whole and crc16_modbus(seen["corrupt"])
    faulty.begin("delay")
    asked(1)
    clock.advance(LATE)
    assert line.tick(LATE) == 2 * whole  # what was late before is still on its way


def test_a_folder_is_gone_or_stays_as_it_was() -> None:
    class Files:
        files = {"temp": "20"}

        def tick(self, seconds: float) -> bytes:
            return b""

    faulty = Faulty(Clock(), Sysfs("class/hwmon/hwmon*", "hwmon"), Files)
    faulty.begin("stale")
    faulty.emulator.files = {"temp": "21"}
    assert faulty.files == {"temp": "20"}
    faulty.begin("unplug")
    assert faulty.files == {}
    faulty.begin("")
    assert faulty.files == {"temp": "20"}  # switched on anew


def test_a_folder_s_files_are_spoilt_and_what_is_written_reaches_the_device() -> None:
    class Files:
        def __init__(self) -> None:
            self.files = {"temp": "2150\n", "enable": "0\n"}

        def tick(self, seconds: float) -> bytes:
            return b""

    faulty = Faulty(Clock(), Sysfs("class/hwmon/hwmon*", "hwmon"), Files)
    faulty.begin("nack")
    assert faulty.files == {"temp": UNREADABLE, "enable": UNREADABLE}
    faulty.begin("wrong")
    assert faulty.files.keys() == {"uevent"}
    faulty.begin("stuck")
    assert faulty.files == {"temp": "0000\n", "enable": "0\n"}
    faulty.begin("drop")
    assert {faulty.files["temp"] for _ in range(50)} == {"", "2150\n"}
    faulty.begin("corrupt")
    for _ in range(50):
        pairs = zip("2150\n", faulty.files["temp"], strict=True)
        assert sorted((ord(one) ^ ord(other)).bit_count() for one, other in pairs) == [0, 0, 0, 0, 1]
    faulty.files["enable"] = "1\n"
    faulty.begin("")
    assert faulty.files == {"temp": "2150\n", "enable": "1\n"}


def test_a_level_that_is_stuck_stays() -> None:
    faulty = Faulty(Clock(), GPIO("in"), relay.DRIVER.emulator)
    assert faulty.levels == {"line": False}
    faulty.begin("stuck")
    faulty.emulator.levels["line"] = True
    assert faulty.levels == {"line": False}
    faulty.begin("")
    assert faulty.levels == {"line": True}


class Flicker:
    """A line that changes each tick."""

    def __init__(self) -> None:
        self.levels = {"line": False}

    def tick(self, seconds: float) -> bytes:
        self.levels["line"] = not self.levels["line"]
        return b""


def test_a_level_that_is_late_is_the_one_from_before() -> None:
    clock = Clock()
    faulty, seen = Faulty(clock, GPIO("in"), Flicker), list[bool]()
    faulty.begin("delay")
    for _ in range(8):
        clock.advance(LATE / 2)
        faulty.tick(LATE / 2)
        seen.append(faulty.levels["line"])
    assert seen == [False, False, True, False, True, False, True, False]
    faulty.begin("")
    assert faulty.levels is faulty.emulator.levels


def test_changes_of_a_line_are_lost_or_bounce() -> None:
    faulty, seen = Faulty(Clock(), GPIO("in"), Flicker), list[bool]()

    def told() -> list[bool]:
        seen.clear()
        for _ in range(4):
            faulty.tick(0.1)
            faulty.edge("line", lambda: seen.append(faulty.levels["line"]))
        return seen

    assert told() == [True, False, True, False]
    faulty.begin("drop")
    assert told() == [True, True]
    faulty.begin("corrupt")
    assert told() == [True, False, True, False, True, False, True, False, True, False, True, False]
