"""Commands about what is to be done later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from gateway.clock import iso
from gateway.commands.grammar import Answer, CommandError, Row, number, parse
from gateway.commands.setting import LATER
from gateway.commands.times import duration
from gateway.commands.usage import COMMANDS
from gateway.jobs import JOBS, Job

if TYPE_CHECKING:
    from gateway.commands.session import Session

LONGEST = 366 * 86400.0  # seconds that a job may wait


def do_after(me: Session, time: str, command: str) -> Deferred[Answer]:
    seconds = duration(time)
    if seconds > LONGEST:
        raise CommandError("limit", f"{time} is too long to wait; 366d at most")
    word, arguments = parse(command)
    if (check := LATER.get(word)) is None:
        raise CommandError("denied", f"`{word}` cannot be done later; only {', '.join(LATER)} can")
    me.who.need(COMMANDS[word].role, word)
    check(me, *arguments)  # a slip is told now, to somebody who is there
    jobs, who = me.commands.jobs, me.who
    if not jobs.ready:
        raise CommandError("limit", "the jobs on disk are not read yet; try again in a moment")
    if jobs.full:
        raise CommandError("limit", f"there are {JOBS} jobs already; cancel some")
    line = " ".join((word, *arguments))
    made = jobs.add(seconds, line, who.name, who.role, who.origin)
    return made.addCallback(lambda job: Answer(status=f"OK job {job.number}"))


def do_jobs(me: Session) -> Answer:
    rows = tuple(row(me, job) for job in me.commands.jobs.all())
    return Answer(rows, f"OK {len(rows)}")


def row(me: Session, job: Job) -> Row:
    wall = me.commands.jobs.when(job)
    when = None if wall is None else iso(wall)
    said = when or (f"+{job.due:.3f}" if job.boot == me.hub.clock.boot else "-")
    text = f"{job.number} {said} {job.state} {job.name} {job.command}"
    return Row(
        f"{text}: {job.result}" if job.state == "failed" else text,
        {"job": job.number, "time": when, "state": job.state, "who": job.name, "origin": job.origin, "role": job.role,
         "command": job.command, "result": job.result},
    )  # fmt: skip


def do_cancel(me: Session, text: str) -> Deferred[Answer]:
    done = me.commands.jobs.cancel(number(text, 1, 10**9))
    if done is None:
        raise CommandError("unknown", f"{text}: no such job; see `jobs`")
    return done.addCallback(lambda _: Answer())
