"""Says in plain words why a device's file may not be opened, and the command that helps."""

from __future__ import annotations

import grp
import os
import pwd
import stat


def refused(path: str) -> str:
    """Why this process may not read and write *path*, and what to do.  It never raises: the file may be gone."""
    try:
        status = os.stat(path)
    except OSError as error:
        return f"{path}: {(error.strerror or str(error)).lower()}"
    mine = status.st_gid in {os.getegid(), *os.getgroups()}
    if mine or not status.st_mode & stat.S_IRGRP or not status.st_mode & stat.S_IWGRP or not status.st_gid:
        return f"{path}: permission denied; it is {owner(status)}: let udev give it to a group that {user()} is in"
    group = named(status)
    return f"{path}: permission denied; it is group {group}'s: run `sudo usermod -aG {group} {user()}` and start again"


def user() -> str:
    """Who we are."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def owner(status: os.stat_result) -> str:
    return f"{status.st_uid}:{named(status)} {stat.filemode(status.st_mode)[1:]}"


def named(status: os.stat_result) -> str:
    try:
        return grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        return str(status.st_gid)
