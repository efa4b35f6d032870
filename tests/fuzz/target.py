"""What must hold for whatever bytes a client sends, in whatever pieces: the answers are those of the protocol, no bug
shows, and little is kept."""

from __future__ import annotations

from gateway.interfaces.query.resp import Resp
from gateway.interfaces.query.resp.wire import BULK, WHOLE
from gateway.interfaces.query.text import LINE, Text
from tests.fuzz import PLENTY
from tests.gateway.commands.house import House, logged
from tests.gateway.interfaces.query.talk import Talk, Wrong, understood


class Target:
    """One house for all inputs; each is a connection."""

    def __init__(self) -> None:
        self.house = House()
        self.house.measure()

    def __call__(self, dialect: str, data: bytes) -> None:
        """The first byte says how the rest is cut."""
        if len(data) < 2:
            return
        size, said = data[0] % 64 or len(data), data[1:PLENTY].lstrip(b"*\x16")
        if dialect == "resp":
            said = b"*" + said
        with logged() as events:
            talk = Talk(self.house)
            for at in range(0, len(said), size):
                if not talk.closed:
                    talk.send(said[at : at + size])
                    self.answer()
                    self.check(talk)
            talk.port.connectionLost()
        assert not [event for event in events if "log_failure" in event], "a bug was logged"
        assert self.house.commands.sessions == 0 and talk.query.connections == 0
        self.house.manual.clear()
        self.house.past.done.clear()

    def answer(self) -> None:
        """Devices are quick here."""
        while self.house.pump.told or self.house.attic.asked or self.house.pump.asked:
            waiting = [done for _, _, done in self.house.pump.told] + self.house.attic.asked + self.house.pump.asked
            for each in (self.house.pump.told, self.house.attic.asked, self.house.pump.asked):
                each.clear()
            for done in waiting:
                done.callback(None)

    def check(self, talk: Talk) -> None:
        talk.turn()
        dialect = talk.port.dialect
        if isinstance(dialect, Resp):
            assert len(dialect.parser.tail) <= BULK + 2 and sum(map(len, dialect.parser.items)) <= WHOLE
            for each in understood(talk.transport.value()):
                assert not (isinstance(each, Wrong) and str(each).startswith("ERR internal"))
        else:
            assert isinstance(dialect, Text) and len(dialect.tail) <= LINE
            told = talk.transport.value().decode()
            assert told[-1:] in ("", "\n") and "ERR internal" not in told
        talk.transport.clear()
