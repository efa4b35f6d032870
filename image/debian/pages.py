"""The manual page and bash's completion, written from the command line's own parser, so that they say what it does;
and a page of each driver.

python3 pages.py manual | completion | devices FOLDER
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from gateway import catalog, driver_page
from gateway.cli import parser

FILES = {
    "/etc/gateway/gateway.toml": "the configuration",
    "/etc/gateway/drivers/": "tables of devices without code",
    "/var/lib/gateway/": "the history",
    "/usr/share/doc/device-gateway/": "all that this page leaves out",
}
# What may follow a command: asked of the program itself when it is needed.
WORDS = {
    "items": ("get", "read", "set", "watch"),
    "drivers": ("drivers", "emulate"),
}


def commands(top: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    found: Mapping[str, argparse.ArgumentParser] = next(
        action.choices for action in top._actions if isinstance(action, argparse._SubParsersAction)
    )
    return found


def roff(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def usage(command: argparse.ArgumentParser) -> str:
    return " ".join(command.format_usage().removeprefix("usage: ").replace("[-h] ", "").replace(" [-h]", "").split())


def manual(top: argparse.ArgumentParser) -> str:
    lines = ['.TH GATEWAY 1 "" "Device Gateway" "User Commands"', ".SH NAME"]
    lines += ["gateway \\- serial, I2C and GPIO devices over TCP, HTTP and IRC"]
    lines += [".SH SYNOPSIS", ".B gateway", ".I COMMAND", "[\\fIOPTION\\fR ...]", ".SH COMMANDS"]
    for command in commands(top).values():
        lines += [".TP", f".B {roff(usage(command))}", roff(sentence(command.description or ""))]
        for action in command._actions:
            if action.help and action.dest != "help":
                name = ", ".join(action.option_strings) or action.metavar or action.dest
                lines += [".RS", ".TP", f".I {roff(str(name))}", roff(action.help), ".RE"]
    lines += [".SH FILES"]
    for path, about in FILES.items():
        lines += [".TP", f".I {roff(path)}", roff(about)]
    lines += [".SH EXIT STATUS", "0 when done, 1 when refused or out of reach, 2 when the command makes no sense."]
    return "\n".join(lines) + "\n"


def completion(top: argparse.ArgumentParser) -> str:
    cases = []
    for name, command in commands(top).items():
        options = [option for action in command._actions for option in action.option_strings if option.startswith("--")]
        asked = [f"$(gateway {source} 2>/dev/null | cut -d' ' -f1)" for source in WORDS if name in WORDS[source]]
        cases.append(f'            {name}) words="{" ".join(options + asked)}" ;;')
    return COMPLETION.format(commands=" ".join(commands(top)), cases="\n".join(cases))


COMPLETION = """# bash completion of gateway(1)
_gateway() {{
    local words="{commands} --help"
    if [ "$COMP_CWORD" -gt 1 ]; then
        case ${{COMP_WORDS[1]}} in
{cases}
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}")
}}
complete -o default -F _gateway gateway
"""

if __name__ == "__main__":
    if sys.argv[1] == "devices":
        driver_page.write(Path(sys.argv[2]), catalog.shipped().values())
        sys.exit()
    sys.stdout.write({"manual": manual, "completion": completion}[sys.argv[1]](parser()))
