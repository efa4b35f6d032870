"""What can be said, and how it is explained: the table of commands, and the topics of ``help``."""

from __future__ import annotations

from dataclasses import dataclass

ANY = 1000


@dataclass(frozen=True, slots=True)
class Usage:
    """One command: its arguments, what it does in a line, the role it takes, and what ``help COMMAND`` adds."""

    arguments: str
    about: str
    role: str = "viewer"
    least: int = 0
    most: int = 0
    more: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


GROUPS: dict[str, dict[str, Usage]] = {
    "Looking": {
        "get": Usage(
            "NAME|PATTERN...",
            "newest readings: name, value, unit, time, quality",
            least=1,
            most=ANY,
            more=("A value that is too old, or of a device that is not running, is `stale`.",),
            examples=("get attic.temperature", "get attic.* pump.state"),
        ),
        "items": Usage(
            "[PATTERN...]", "list every name, also those without a value", most=ANY, examples=("items", "items *.state")
        ),
        "count": Usage(
            "[PATTERN...]", "count the names that have a value", most=ANY, examples=("count *.temperature",)
        ),
        "devices": Usage(
            "[PATTERN...]",
            "list devices: name, state, driver, place, reason",
            most=ANY,
            more=("The reason says why a device is not running.",),
            examples=("devices", "devices attic*"),
        ),
        "status": Usage("", "how the gateway is"),
        "version": Usage("", "say what runs here"),
    },
    "The past": {
        "range": Usage(
            "NAME|PATTERN FROM [TO] [STEP] [AGGREGATE]",
            "readings of the past: time and value",
            least=2,
            most=6,
            more=(
                "FROM and TO as in `help times`; TO is now when left out. What is not good has its quality.",
                "With STEP, one value for each 10m, 1h, ...: mean, twa (time-weighted mean), min, max, first, last,",
                "count, sum, delta and rate (of a counter), or extremes (lowest and highest). A pattern puts the name",
                "in front of each line. after=NAME@BOOT-MILLISECONDS-SEQ as the last word goes on behind that reading.",
            ),
            examples=(
                "range attic.temperature -1h",
                "range attic.temperature 2026-11-20 2026-11-21 10m max",
                "range attic.* -7d now 1h",
            ),
        ),
        "log": Usage(
            "DEVICE [N|live]",
            "the last bytes on a device's wire, or live",
            "operator",
            1,
            2,
            more=(
                "`<` came from the device, `>` went to it; hexadecimal, then as text. `log DEVICE live` goes on",
                "with those that come, in lines that start with `* `, until `unlog`.",
            ),
            examples=("log attic", "log attic 100", "log attic live"),
        ),
        "unlog": Usage("[DEVICE]", "stop `log DEVICE live`, or all", "operator", most=1),
        "audit": Usage(
            "[N]",
            "the last writes: who set what",
            "operator",
            most=1,
            more=("Time, name, old and new value, who, from where, through what, and how it ended.",),
            examples=("audit", "audit 100"),
        ),
        "backup": Usage("", "copy the history into a file beside it", "operator"),
    },
    "Being told": {
        "watch": Usage(
            "[PATTERN...] [changed] [every DURATION] [band NUMBER]",
            "get new readings as they come",
            most=ANY,
            more=(
                "They come in lines that start with `* `. Three words say that not every reading is worth telling:",
                "changed: what differs from what you were told last; every 10s: one in so long at most, the newest;",
                "band 0.5: what differs by so much. Where a name fits several patterns, the last one counts.",
            ),
            examples=("watch attic.*", "watch pump.state changed", "watch *.power every 10s band 5"),
        ),
        "unwatch": Usage("[PATTERN...]", "stop watching these patterns, or all", most=ANY),
    },
    "Doing": {
        "set": Usage(
            "NAME VALUE [UNIT]",
            "set a quantity, or a key of `manual`",
            "operator",
            2,
            2,
            more=(
                "on or off, a number, one of its words, or a text to the end of the line. A unit is checked, and",
                "converted where it measures the same: see `help units`. A name without a dot is a key of `manual`.",
            ),
            examples=("set pump.state on", "set pump.speed 20 Hz", "set target 21.5", "set note back at five"),
        ),
        "read": Usage(
            "NAME|DEVICE",
            "measure now, and give the readings",
            "operator",
            1,
            1,
            examples=("read attic.temperature", "read attic"),
        ),
        "delete": Usage(
            "KEY|PATTERN...", "delete keys of `manual`", "operator", 1, ANY, examples=("delete note", "delete room*")
        ),
        "clear": Usage("", "delete all keys of `manual`", "operator"),
        "after": Usage(
            "DURATION COMMAND",
            "do a set, read, delete or clear later",
            "operator",
            2,
            2,
            more=(
                "Whether you are still there or not: the job is kept on disk, and has your rights. One whose time",
                "comes while the gateway is off is not made up for: `jobs` says `missed`.",
            ),
            examples=("after 10s set pump.state off", "after 1h30m clear"),
        ),
        "jobs": Usage("", "list what is to be done later", more=("Number, time, state, who, command.",)),
        "cancel": Usage("JOB", "cancel a job, or strike one that was missed", "operator", 1, 1, examples=("cancel 7",)),
    },
    "Emulated devices": {
        "fault": Usage(
            "[DEVICE [KIND|off [DURATION]]]",
            "have something go wrong with an emulated device",
            "operator",
            most=3,
            more=(
                "`fault` says what is wrong now, `fault DEVICE` which kinds it can have; without DURATION one lasts",
                "until `fault DEVICE off`.",
            ),
            examples=("fault attic", "fault attic nack 20s", "fault attic off"),
        ),
    },
    "This connection": {
        "json": Usage(
            "[on|off]",
            "turn data lines into JSON objects",
            most=1,
            more=(
                "Each data line is an object then, behind `* ` too. The status line stays as it is.",
                "A reading has name, value, unit, time, quality, boot, seq, monotonic; (boot, seq) is its identity,",
                "monotonic are seconds since the start of that boot, and time is null while it is not known.",
            ),
            examples=("json on",),
        ),
        "help": Usage(
            "[COMMAND|TOPIC]", "list the commands, or explain one", most=1, examples=("help range", "help names")
        ),
        "quit": Usage("", "say goodbye"),
    },
}
COMMANDS: dict[str, Usage] = {name: usage for group in GROUPS.values() for name, usage in group.items()}

TOPICS = {
    "answers": (
        "An answer is any number of data lines and one status line: OK, mostly with a count, or ERR CODE MESSAGE.",
        "A reading is five columns: name, value, unit, time, quality. None is `-`, a text is a JSON string.",
        "The quality is good, unsynced (its time is not known yet), suspect (beyond its limits) or stale (too old).",
    ),
    "names": (
        "device.quantity, as in attic.temperature; a device's own name may hold dots, so the last one splits.",
        "A name without a dot is a key of the built-in device `manual`: target is manual.target.",
        "Where it says PATTERN: * is anything, ? one character, [abc] one of these. Capitals matter.",
        "`items` lists all names, `devices` all devices.",
    ),
    "times": (
        "now, or before now: -90s, -10m, -1h30m, -2d, -1w",
        "2026-11-20, 2026-11-20T16:00, 2026-11-20T16:00:00.5Z, 2026-11-20T17:00+01:00: UTC where there is no zone",
        "1795194000: Unix time; +12.345: seconds since the gateway's start, as readings have it while the time is",
        "not known. Until it is, -1h and now count in these seconds, too.",
        "A duration is 500ms, 10s, 10m, 1h30m, 2d, 1w, or a number of seconds.",
    ),
    "units": (
        "`set` takes a unit behind the number: it must be that of the quantity (see `get`), or measure the same, as",
        "mV, V and kV do, °C, °F and K, m/s and km/h, Pa, hPa and bar, J and kWh, 1/min and Hz. It is converted.",
        "In letters without accents: degC, degF, deg, um, ug/m3, Ohm.",
    ),
}
