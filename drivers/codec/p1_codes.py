"""What the codes of a P1 telegram say: which quantity each is, of the electricity meter itself and of the meters on its
channels.

    1-0:1.8.1(000004.426*kWh)                      energy drawn at tariff 1, as obis.py tells
    0-1:24.1.0(003)                                channel 1 is a gas meter
    0-1:24.2.1(170102161005W)(00000.107*m3)        and was read at this time
    0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)(00001.001)        as versions 2.2 and 3 write that

Standard: Netbeheer Nederland "P1 Companion Standard" 2.2 to 5.0.2, section 6; Fluvius "e-MUCS P1".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from drivers.api import BadValue, Quantity, Value
from drivers.codec import obis
from drivers.codec.p1 import Said
from drivers.codec.p1_values import NEVER, TIME, last_failure, last_peak, text, utc, whole

METER = re.compile(r"0-[1-9]:(24|96)\.")
PHASES = ("l1", "l2", "l3")
SERIALS = ("0-0:96.1.1", "0-0:96.1.0", "0-0:96.1.255", "1-0:0.0.0", "0-0:0.0.0", "0-0:42.0.0")
PEAK, LAST_PEAK, FAILURE = "demand_max", "demand_max_last", "long_failure"
COUNTS = {
    **{"0-0:96.7.21": "failures", "0-0:96.7.9": "long_failures"},
    **{f"1-0:{at}.32.0": f"sags_{phase}" for at, phase in zip((32, 52, 72), PHASES, strict=True)},
    **{f"1-0:{at}.36.0": f"swells_{phase}" for at, phase in zip((32, 52, 72), PHASES, strict=True)},
}
RELAYS = {f"0-{channel}:96.3.10": f"relay_{channel}" for channel in range(1, 5)}
TYPES = {"2": "slave", "3": "gas", "4": "heat", "6": "hot_water", "7": "water", "10": "cooling", "12": "heat"}
VOLUMES, ENERGIES = ("gas", "water", "hot_water"), ("heat", "cooling", "slave")
WAYS = ("import", "export", *(f"{way}_{phase}" for way in ("import", "export") for phase in PHASES))
TARIFFS = tuple(f"{way}_t{number}" for way in ("import", "export") for number in obis.TARIFFS)
QUADRANTS = ("q1", "q2", "q3", "q4")

OLD = (
    *(obis.named("serial"), obis.named("tariff"), obis.named("message"), obis.named("message", "code")),
    *obis.all_of("state", "breaker", "valve_gas"),
    *obis.all_of("energy", "import_t1", "import_t2", "export_t1", "export_t2"),
    *obis.all_of("power", "import", "export", "limit"),
    *(obis.named("volume", "gas"), obis.named("serial", "gas")),
)
NEW = (
    obis.named("time"),
    *obis.all_of("energy", "import", "export", *TARIFFS[2:4], *TARIFFS[6:], "total"),
    *obis.all_of("power", "", "total", *WAYS[2:], "demand", PEAK, LAST_PEAK),
    *obis.all_of("apparent_energy", "import", "export"),
    *obis.all_of("reactive_energy", "import", "export", *TARIFFS, *QUADRANTS),
    *obis.all_of("reactive_power", *WAYS, *QUADRANTS),
    *obis.all_of("apparent_power", *WAYS, "limit"),
    *obis.all_of("voltage", *PHASES, *(f"mean_{phase}" for phase in PHASES)),
    *obis.all_of("current", *PHASES, "n", "limit", *(f"limit_{phase}" for phase in PHASES)),
    *obis.all_of("power_factor", "", *PHASES),
    obis.named("frequency"),
    *obis.all_of("count", *COUNTS.values()),
    *obis.all_of("volume", *VOLUMES[1:]),
    *obis.all_of("energy", *ENERGIES),
    *obis.all_of("serial", *VOLUMES[1:], *ENERGIES),
    *obis.all_of("time", *VOLUMES, *ENERGIES, PEAK, LAST_PEAK, FAILURE),
    obis.named("duration", FAILURE),
    *obis.all_of("state", *RELAYS.values()),
    *obis.all_of("state", *(f"valve_{kind}" for kind in (*VOLUMES[1:], *ENERGIES))),
)
PUBLISHED = frozenset(OLD + NEW)


def of_itself(said: Said, zone: timedelta, sample: dict[Quantity, Value]) -> Iterator[BadValue]:
    """Put what the electricity meter says of itself into *sample*; what it cannot say comes out as an error."""
    for code, groups in said.items():
        try:
            sample |= entry(code, groups, zone)
        except BadValue as error:
            yield error
    for code in reversed(SERIALS):
        if name := text(said.get(code, [""])[0]):
            sample[obis.named("serial")] = name


def of_channels(said: Said, zone: timedelta, sample: dict[Quantity, Value]) -> Iterator[BadValue]:
    """The same of the meters on its channels."""
    read: dict[str, str] = {}  # when the meter of each kind was
    for channel in sorted({code[:4] for code in said if METER.match(code)}):
        kind = TYPES.get(said.get(f"{channel}24.1.0", [""])[0].lstrip("0"), "")
        try:
            at, found = metered(said, channel, kind, zone) if kind else ("", {})
        except BadValue as error:
            yield error
        else:
            if found and at >= read.get(kind, at):
                sample |= found
                read[kind] = at


def entry(code: str, groups: list[str], zone: timedelta) -> dict[Quantity, Value]:
    """What one line of the meter itself says, if it is any of ours."""
    first, plain = groups[-1 if len(groups) == 2 and TIME.fullmatch(groups[0]) else 0], code.partition(":")[2]
    if not first:
        return {}
    if code[:4] in ("1-0:", "1-1:") and plain in obis.WHICH or plain == "17.0.0":
        number, _, unit = first.partition("*")
        quantity, value = obis.measured(plain, number, unit.strip())
        if quantity not in PUBLISHED:
            raise BadValue(f"{code} {first!r}: not in that unit")
        moment = utc(groups[0], zone) if plain == "1.6.0" and len(groups) == 2 else ""
        return {quantity: value} | ({obis.named("time", PEAK): moment} if moment else {})
    if code in COUNTS:
        return {obis.named("count", COUNTS[code]): whole(code, first)}
    if code in RELAYS:
        return {obis.named("state", RELAYS[code]): whole(code, first) == 1}
    match code:
        case "0-0:1.0.0":
            moment = utc(first, zone)
            return {obis.named("time"): moment} if moment else {}
        case "0-0:96.3.10":
            return {obis.named("state", "breaker"): whole(code, first) == 1}  # 2: may be switched on, by hand
        case "0-0:96.50.68":  # the same, in Hungary
            if first not in ("ON", "OFF"):
                raise BadValue(f"{code} {first!r} is neither ON nor OFF")
            return {obis.named("state", "breaker"): first == "ON"}
        case "0-0:96.14.0":
            return {obis.named("tariff"): first}
        case "0-0:96.13.0":
            return {obis.named("message"): words} if (words := text(first)) else {}
        case "0-0:96.13.1":
            return {obis.named("message", "code"): words} if (words := text(first)) else {}
        case "1-0:99.97.0" if failure := last_failure(groups, zone):
            ended, lasted = failure
            duration = obis.named("duration", FAILURE)
            return {obis.named("time", FAILURE): ended, duration: duration.check(lasted)}
        case "0-0:98.1.0" if month := last_peak(groups, zone):
            moment, peak = month
            number, _, unit = peak.partition("*")
            quantity, value = obis.counted(LAST_PEAK, number, unit.strip())
            if quantity not in PUBLISHED:
                raise BadValue(f"{code} {peak!r}: not in that unit")
            return {quantity: value} | ({obis.named("time", LAST_PEAK): moment} if moment else {})
    return {}


def metered(said: Said, channel: str, kind: str, zone: timedelta) -> tuple[str, dict[Quantity, Value]]:
    """When the meter on *channel* was read, as it says itself, and what it showed."""
    found: dict[Quantity, Value] = {}
    if name := text(next((said[f"{channel}96.1.{e}"][0] for e in (0, 1) if f"{channel}96.1.{e}" in said), "")):
        found[obis.named("serial", kind)] = name
    groups = next((said[f"{channel}24.{what}"] for what in ("2.1", "2.3", "3.0") if f"{channel}24.{what}" in said), [])
    if len(groups) < 2 or not groups[-1] or groups[0].startswith(NEVER):
        return "", {}
    number, _, unit = groups[-1].partition("*")
    quantity, value = obis.counted(kind, number, unit.strip() or (groups[-2] if len(groups) == 7 else ""))
    if quantity not in PUBLISHED:
        raise BadValue(f"{channel}24 {groups[-1]!r}: not in that unit for {kind}")
    if valve := said.get(f"{channel}24.4.0", [""])[0]:
        found[obis.named("state", f"valve_{kind}")] = whole(f"{channel}24.4.0", valve) == 1  # 2: may be opened, by hand
    moment = utc(groups[0], zone)
    return groups[0], found | {quantity: value} | ({obis.named("time", kind): moment} if moment else {})
