"""A device as JSON: in short, as lists and events tell it, and in full."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.commands import Card, Session, Status

encode = msgspec.json.Encoder(enc_hook=str).encode  # a setting may be of any type


def summary(session: Session, card: Card, status: Status) -> dict[str, Any]:
    """How the device is.  ``since`` and ``seen`` are in seconds since the gateway's boot."""
    return {
        "name": card.name,
        "label": card.label,
        "driver": card.driver,
        "title": card.title,
        "where": card.where,
        "state": status.state,
        "reason": status.reason,
        "since": round(status.since, 3),
        "seen": None if status.seen is None else round(status.seen, 3),
        "identity": status.identity,
        "items": len(card.quantities),
        "errors": {kind: {"count": n, "last": last} for kind, (n, last) in session.errors(card.name).items()},
    }


def full(session: Session, card: Card, status: Status) -> bytes:
    """All that is known of the device, its newest readings too."""
    newest = {reading.name: reading for reading in session.readings(f"{card.name}.*")}
    quantities = []
    for quantity in card.quantities:
        name = f"{card.name}.{quantity.name}"
        reading = newest.get(name)
        if reading is not None and reading.stale():
            told: Any = reading.data("stale")
        else:
            told = reading and msgspec.Raw(reading.json)
        quantities.append({
            "name": name,
            "label": card.labels.get(quantity.name, ""),
            "unit": quantity.unit,
            "kind": quantity.kind,
            "low": quantity.low,
            "high": quantity.high,
            "digits": quantity.digits,
            "choices": quantity.choices,
            "writable": quantity.writable,
            "reading": told,
        })  # fmt: skip
        if (rules := card.rules.get(quantity.name)) is not None:
            quantities[-1] |= {"rules": rules, "why": status.outputs.get(quantity.name, "")}
    facts = {
        "period": card.period,
        "settings": dict(card.settings),
        "documentation": card.documentation,
        "quantities": quantities,
    }
    return encode(summary(session, card, status) | facts)
