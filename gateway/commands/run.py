"""The one door between the interfaces and everything behind them: what all sessions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from gateway.audit import Audit
from gateway.commands.access import Who
from gateway.commands.faults import Faults
from gateway.commands.grammar import Answer
from gateway.commands.known import Known
from gateway.commands.past import Forgetful, Past
from gateway.commands.session import Session
from gateway.hub import Hub
from gateway.jobs import Job, Jobs
from gateway.manual import Manual
from gateway.reading import Reading


class Commands:
    """What every session shares.  *time* is for what is to be done later."""

    def __init__(self, hub: Hub, manual: Manual, time: IReactorTime, history: Past | None = None) -> None:
        self.hub, self.manual, self.time = hub, manual, time
        self.history: Past = history or Forgetful()
        self.audit = Audit(self.history, hub.clock.monotonic)
        self.jobs = Jobs(time, hub.clock, self.history, self.carry_out, hub.fail)
        self.known: dict[tuple[str, Callable[[Reading], bytes]], Known] = {}  # by role, and what makes the answers
        self.live: set[Session] = set()
        self.left = 0  # readings dropped by sessions that are closed
        self.facts: dict[str, Any] = {}  # more lines of `status`, from whoever started us
        self.faults: Faults | None = None  # where devices are emulated

    def open(self, who: Who) -> Session:
        session = Session(self, who)
        self.live.add(session)
        return session

    def carry_out(self, job: Job) -> Deferred[str]:
        """Do what is to be done now, with the rights of whoever asked for it, and give the status."""
        session = self.open(Who(job.name, job.role, job.origin, f"job:{job.number}"))

        def told(answer: Answer) -> str:
            session.close()
            return answer.status

        answer = session.perform(job.command)
        return (succeed(answer) if isinstance(answer, Answer) else answer).addCallback(told)

    @property
    def sessions(self) -> int:
        return len(self.live)

    @property
    def dropped(self) -> int:
        """Readings that slow askers never saw, because a newer one came first."""
        return self.left + sum(session.dropped for session in self.live)
