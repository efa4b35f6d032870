"""RS-485 switched by the kernel.  No driver that can do it is at hand, so its part is a stand-in for two ioctls; that
one which cannot says so is shown on a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import tty
from collections.abc import Iterator
from typing import Any, cast

import pytest
from twisted.internet.protocol import Factory

from drivers.api import NoAnswer, Serial
from gateway.reactor import Reactor
from gateway.transports.serial import SerialEndpoint
from tests.gateway.transports.turning import Ear, reactor, turn

__all__ = ["reactor"]


@pytest.fixture
def path() -> Iterator[str]:
    far, near = pty.openpty()
    tty.setraw(near)
    yield os.ttyname(near)
    os.close(near)
    os.close(far)


class Kernel:
    """Notes what it is asked to do with RS-485; *flags* is what of it the driver keeps."""

    def __init__(self, flags: int) -> None:
        self.flags, self.asked = flags, list[tuple[int, ...]]()
        self.ioctl = fcntl.ioctl

    def __call__(self, fd: int, request: int, argument: Any = 0, mutate: bool = True) -> Any:
        if request == 0x542F:  # TIOCSRS485, of linux/asm-generic/ioctls.h
            self.asked.append(struct.unpack("8I", argument))
            return argument
        if request == 0x542E:  # TIOCGRS485
            return struct.pack("8I", self.flags, *[0] * 7)
        return self.ioctl(fd, request, argument, mutate)


def connect(reactor: Reactor, path: str, rs485: bool) -> tuple[Ear, list[Any]]:
    ear, failed = Ear(), list[Any]()
    endpoint = SerialEndpoint(cast(Any, reactor), path, Serial(9600), rs485=rs485)
    endpoint.connect(cast(Any, Factory.forProtocol(lambda: ear))).addErrback(failed.append)
    return ear, failed


def opens(reactor: Reactor, path: str, rs485: bool) -> bool:
    ear, failed = connect(reactor, path, rs485)
    if not failed:
        cast(Any, ear.transport).abortConnection()
        turn(reactor, lambda: ear.why)
    return not failed


def test_a_driver_that_switches_is_asked_to(reactor: Reactor, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(flags=3)
    monkeypatch.setattr(fcntl, "ioctl", kernel)
    assert opens(reactor, path, rs485=False) and kernel.asked == []
    assert opens(reactor, path, rs485=True) and kernel.asked == [(3, 0, 0, 0, 0, 0, 0, 0)]


@pytest.mark.parametrize("silently", [False, True])
def test_one_that_does_not_is_told(
    silently: bool, reactor: Reactor, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if silently:  # it takes the request, and keeps nothing of it
        monkeypatch.setattr(fcntl, "ioctl", Kernel(flags=0))
    _, failed = connect(reactor, path, rs485=True)
    assert failed[0].check(NoAnswer)
    assert str(failed[0].value) == f"{path}: its driver does not switch RS-485 (no TIOCSRS485); leave out `rs485` " + (
        "where the adapter does so by itself"
    )
    assert opens(reactor, path, rs485=False), "it was left as it was found"
