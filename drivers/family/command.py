"""How a quantity of a binary device is set: by a frame with its value in it, and a checksum behind if it wants one.

A5 03 10 {value} {check} 5A        3 in one byte is sent as A5 03 10 03 13 5A where the checksum is a sum from byte 1 on
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drivers.api import Ask, BadValue, Quantity, Sample, Talk, Value
from drivers.codec.framing import anything, fixed, nothing
from drivers.family import Problems, Table
from drivers.family.framed import Asked, Check, Emulator, Shape, Talker
from drivers.family.layout import Field, Layout
from drivers.family.opening import PAUSE, Step, opened
from drivers.family.proof import hexed

SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Command:
    """The bytes before the value, between it and the checksum, and at the end; and the answer, if one comes."""

    field: Field
    before: bytes
    between: bytes
    check: Check | None
    end: bytes
    done: bytes

    def frame(self, value: Value) -> bytes:
        assert self.field.coding
        return self.sealed(self.before + self.field.raw(value, bytes(self.field.coding.size)) + self.between)

    def sealed(self, body: bytes) -> bytes:
        return (
            body
            + (self.check.kind.bytes_of(body[self.check.first :], self.check.order) if self.check else b"")
            + self.end
        )

    def heard(self, data: bytes) -> tuple[bytes, int] | None:
        """The value's bytes and where the command ends, if *data* holds it."""
        assert self.field.coding
        at, size = data.find(self.before), self.field.coding.size
        raw = data[at + len(self.before) :][:size]
        whole = self.sealed(self.before + raw + self.between)
        return (raw, at + len(whole)) if at >= 0 and len(raw) == size and data.startswith(whole, at) else None

    def written(self, value: Value, timeout: float, talks: bool) -> Talk[Sample]:
        """Say it, and give what is true then.  What a device that *talks* says meanwhile is heard as ever."""
        assert self.field.quantity
        frame = self.frame(value)
        if self.done:
            ask = Ask(frame, fixed(len(self.done), self.done), timeout)
        else:
            ask = Ask(frame, nothing, PAUSE) if talks else Ask(frame, anything(), PAUSE, PAUSE / 2)
        yield from opened((Step(ask, self.done, 0),))
        return {self.field.quantity: value}


def read_commands(said: Table, layout: Layout, check: Check | None, problems: Problems) -> Mapping[Quantity, Command]:
    """The commands of the quantities that say ``set``."""
    commands = {}
    for field in layout.fields:
        spec: Any = said.get(field.name) if field.quantity and isinstance(said, dict) else None
        if not isinstance(spec, dict) or field.quantity is None:
            continue
        text, done = spec.get("set"), spec.get("done")
        where = f"quantity.{field.name}.set"
        if done and not text:
            problems.append((f"quantity.{field.name}.done", "belongs to `set`, the command that it answers"))
        if not isinstance(text, str) or not text or field.coding is None:
            continue
        slots, parts = SLOT.findall(text), SLOT.split(text)[::2]
        if slots not in (["value"], ["value", "check"]):
            problems.append(
                (where, 'holds {value} once, and behind it {check} or not, such as "A5 03 10 {value} {check}"')
            )
            continue
        if "check" in slots and (check is None or check.first < 0):
            problems.append((where, "has a {check}, and [frame] says none that begins at a byte from its start"))
            continue
        pieces = [hexed(part, where, problems) for part in parts]
        between, end = (pieces[1], pieces[2]) if "check" in slots else (b"", pieces[1])
        if not pieces[0]:
            problems.append((where, "has nothing before {value}: nothing would tell it from another command"))
        answer = hexed(done or "", f"quantity.{field.name}.done", problems)
        commands[field.quantity] = Command(field, pieces[0], between, check if "check" in slots else None, end, answer)
    return commands


class Obeys:
    """A device that has something to set, beside what else it does."""

    def __init__(self, commands: Mapping[Quantity, Command], timeout: float, talks: bool) -> None:
        self.commands, self.timeout, self.talks = commands, timeout, talks

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        command = self.commands.get(quantity)
        if command is None:
            raise BadValue(f"{quantity.name} cannot be set")
        return (yield from command.written(value, self.timeout, self.talks))


class TalkingOutputs(Talker, Obeys):
    def __init__(
        self,
        shape: Shape,
        layout: Layout,
        init: tuple[Step, ...],
        commands: Mapping[Quantity, Command],
        timeout: float,
    ) -> None:
        Talker.__init__(self, shape, layout, init)
        Obeys.__init__(self, commands, timeout, talks=True)


class AskedOutputs(Asked, Obeys):
    def __init__(
        self,
        shape: Shape,
        layout: Layout,
        init: tuple[Step, ...],
        asks: Iterable[bytes],
        timeout: float,
        commands: Mapping[Quantity, Command],
    ) -> None:
        Asked.__init__(self, shape, layout, init, asks, timeout)
        Obeys.__init__(self, commands, timeout, talks=False)


class Obeying(Emulator):
    """The device's side of the wire: it shows from then on what was set."""

    def __init__(
        self,
        shape: Shape,
        layout: Layout,
        init: tuple[Step, ...],
        bases: Mapping[bytes, bytes],
        start: Mapping[str, Any],
        period: float,
        commands: tuple[Command, ...],
    ) -> None:
        super().__init__(shape, layout, init, bases, start, period)
        self.commands = commands

    def receive(self, data: bytes) -> bytes:
        whole = self.heard + data
        for command in self.commands:
            if found := command.heard(whole):
                raw, end = found
                self.heard = whole[end:]
                self.swaying.start[command.field] = command.field.value(command.field.number(raw))
                return command.done
        return super().receive(data)
