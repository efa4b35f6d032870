"""Commands about the raw bytes of a device: those that were, and those that come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gateway.clock import Clock, iso
from gateway.commands.grammar import Answer, CommandError, Row, number
from gateway.handle import Chunk

if TYPE_CHECKING:
    from gateway.commands.session import Session

ROWS, MOST = 20, 8000  # that ``log`` shows, and shows at most: more than a ring has
WIDTH = 16  # bytes in a row
FOLLOWED = 10  # devices, by one session


def do_log(me: Session, device: str, what: str = str(ROWS)) -> Answer:
    handle = me.handle(device)
    if what.lower() != "live":
        most = number(what, 1, MOST)
        rows = [row for chunk in handle.raw() for row in lines(device, chunk, me.hub.clock)][-most:]
        return Answer(tuple(rows), f"OK {len(rows)}")
    if me.pour is None:
        raise CommandError("denied", f"nothing can be pushed to you here; try `log {device}`")
    if device not in me.taps:
        if len(me.taps) >= FOLLOWED:
            raise CommandError("limit", f"{FOLLOWED} devices at most")
        me.taps[device] = handle.follow(Tap(device, me.hub.clock, me.pour).take)
    return Answer()


def do_unlog(me: Session, device: str = "") -> Answer:
    me.settle()
    for name in [device] if device else list(me.taps):
        if (stop := me.taps.pop(name, None)) is not None:
            stop()
    return Answer(status=f"OK {len(me.taps)}")


class Tap:
    """Passes on what goes over one device's wire.  Rows that the asker does not take are lost, counted, and told."""

    def __init__(self, device: str, clock: Clock, pour: Callable[[tuple[Row, ...]], bool]) -> None:
        self.device, self.clock, self.pour = device, clock, pour
        self.lost = 0

    def take(self, chunk: Chunk) -> None:
        rows = tuple(lines(self.device, chunk, self.clock, label=f"{self.device} "))
        first = (gap(self.device, chunk, self.clock, self.lost),) if self.lost else ()
        if self.pour(first + rows):
            self.lost = 0
        else:
            self.lost += len(rows)


def lines(device: str, chunk: Chunk, clock: Clock, label: str = "") -> Iterator[Row]:
    """Time, direction, up to sixteen bytes in hexadecimal, and the same as text; *label* in front.  ``monotonic`` tells
    an answer from its question: a bus needs less than a millisecond."""
    wall = clock.wall(clock.boot, chunk.at)
    when = clock.written(chunk.at)
    for at in range(0, len(chunk.data), WIDTH):
        part = chunk.data[at : at + WIDTH]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield Row(
            f"{label}{when} {chunk.way} {part.hex(' '):{WIDTH * 3 - 1}}  {text}",
            {"device": device, "time": None if wall is None else iso(wall), "monotonic": round(chunk.at, 6),
             "way": chunk.way, "hex": part.hex(), "text": text, "opening": chunk.opening},
        )  # fmt: skip


def gap(device: str, chunk: Chunk, clock: Clock, lost: int) -> Row:
    wall = clock.wall(clock.boot, chunk.at)
    return Row(
        f"{device} {clock.written(chunk.at)} ! {lost} lines before this were lost: you read too slowly",
        {"device": device, "time": None if wall is None else iso(wall), "monotonic": round(chunk.at, 6), "lost": lost},
    )
