"""The command line: reads the settings, refuses wrong ones in one line, and runs a command."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from engine import EngineError, StoreError
from web.operator import add_commands
from web.settings import Settings, SettingsError, load_settings, read_environment

_REFUSED: Final = 2  # what argparse too returns for a wrong command line
_UNUSABLE: Final = 1
_BROKEN: Final = 70  # sysexits.h, EX_SOFTWARE
_DOORS: Final = ("WHATSAPP_", "TWILIO_", "DIALOG360_")
_INTERRUPTED: Final = 130  # what shells know for Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 2 when a setting is wrong, 1 when a part cannot be used."""
    options = _parse(arguments)
    try:
        return int(options.run(read_environment(Path.cwd()), options))
    except SettingsError as error:
        return _refuse(str(error), _REFUSED)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="midstream", description="Chat assistants on WhatsApp whose users may change their mind."
    )
    parser.add_argument("--version", action="version", version=f"midstream {version('midstream')}")
    commands = parser.add_subparsers(metavar="command", required=True)
    serve = commands.add_parser(
        "serve", help="serve the webhook; without WhatsApp credentials, with a phone in the browser"
    )
    serve.set_defaults(run=_serve)
    repl = commands.add_parser("repl", help="talk to the assistant in this terminal")
    repl.add_argument("--script", type=Path, metavar="FILE", help="play the timed lines of a file")
    repl.set_defaults(run=_talk)
    parser.set_defaults(run=_operate)  # every other command
    add_commands(commands)
    bench = commands.add_parser(
        "bench", help="measure what things cost here, beside rivals; about ten minutes"
    )
    bench.add_argument(
        "names", nargs="*", metavar="NAME", help="only these experiments; all if none is given"
    )
    bench.add_argument("--quick", action="store_true", help="smaller and fewer; about a minute and a half")
    bench.set_defaults(run=_measure)
    simulate = commands.add_parser(
        "simulate", help="hold every promise against the engine in made-up worlds, one a seed"
    )
    simulate.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many; 1000 if not given")
    simulate.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them; 0")
    simulate.add_argument("--seed", type=int, metavar="SEED", help="only this one, with its whole trail")
    simulate.add_argument("--policy", metavar="NAME", help="this policy in all of them, not the seed's own")
    simulate.add_argument("--all", action="store_true", help="go on after one that fails")
    simulate.set_defaults(run=_simulate)
    return parser.parse_args(arguments)


def _serve(environment: Mapping[str, str], _options: argparse.Namespace) -> int:
    settings = load_settings(environment)
    log = _start_logs(settings)
    # Only now: these take longer than a person should wait for a first line.
    import trio

    from engine import StoreUnusable
    from web.assistants import load_assistant
    from web.serving import run_server

    assistant = load_assistant(settings.assistant, pace_seconds=settings.pace_seconds)
    if assistant.policy is not None:
        log.info("the assistant brings a policy of its own; MIDSTREAM_POLICY is not asked")
    try:
        trio.run(run_server, settings, assistant)
    except SettingsError:
        raise
    except StoreUnusable as error:
        return _refuse(f"MIDSTREAM_DATABASE: {error}", _UNUSABLE)
    except Exception:
        # Through the log, which masks what must not be shown.
        log.exception("the server broke; please report this")
        return _BROKEN
    return 0


def _start_logs(settings: Settings) -> Any:
    from web.logs import configure_logs, get_logger

    configure_logs(sys.stderr, secrets=settings.secrets)
    log = get_logger("midstream.server")
    log.info(
        "starting",
        version=version("midstream"),
        assistant=settings.assistant,
        policy=settings.policy,
        database=settings.database,
    )
    return log


def _talk(environment: Mapping[str, str], options: argparse.Namespace) -> int:
    settings = _load_offline(environment)  # the terminal is the phone

    from engine.repl import read_script, run_repl
    from web.assistants import load_assistant

    try:
        script = read_script(options.script) if options.script else ()
    except EngineError as error:
        return _refuse(str(error), _REFUSED)
    return run_repl(
        load_assistant(settings.assistant, pace_seconds=settings.pace_seconds),
        policy=settings.policy,
        limits=settings.limits,
        languages=settings.languages,
        script=script,
        history=history_path(environment),
    )


def history_path(environment: Mapping[str, str]) -> Path | None:
    """Where the XDG Base Directory Specification wants what was typed; None when there is no home."""
    state = Path(environment.get("XDG_STATE_HOME", ""))
    home = Path(environment.get("HOME", ""))
    if not state.is_absolute():  # "should consider the path invalid and ignore it"
        state = home / ".local" / "state"
    return state / "midstream" / "history" if state.is_absolute() else None


def _measure(_environment: Mapping[str, str], options: argparse.Namespace) -> int:
    from web.bench.command import EXPERIMENTS, run_bench
    from web.bench.processes import BenchBroken

    for name in options.names:
        if name not in EXPERIMENTS:
            return _refuse(f"there is no experiment {name!r}; there are: {', '.join(EXPERIMENTS)}", _UNUSABLE)
    try:
        # On the disk where the server's own database would be.
        run_bench(Path.cwd(), options.names, is_quick=options.quick)
    except BenchBroken as error:
        return _refuse(str(error), _BROKEN)
    return 0


def _simulate(_environment: Mapping[str, str], options: argparse.Namespace) -> int:
    from engine import POLICIES
    from engine.simulation.command import run_one, run_seeds
    from web.logs import quiet_logs

    if options.policy is not None and options.policy not in POLICIES:
        names = ", ".join(POLICIES)
        return _refuse(f"--policy: there is no {options.policy!r}; there are: {names}", _UNUSABLE)
    quiet_logs()  # what goes wrong in a simulation is meant to
    if options.seed is not None:
        return run_one(options.seed, policy=options.policy, say=_say)
    seeds = range(options.first, options.first + options.seeds)
    return run_seeds(seeds, policy=options.policy, stop_at_first=not options.all, say=_say)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _operate(environment: Mapping[str, str], options: argparse.Namespace) -> int:
    database = _load_offline(environment).database_path
    try:
        options.operate(options, database)
    except StoreError as error:
        return _refuse(f"MIDSTREAM_DATABASE: {error}", _UNUSABLE)
    except EngineError as error:
        return _refuse(str(error), _UNUSABLE)
    except BrokenPipeError:
        # `| head` has read enough.  What the interpreter flushes at its end has nowhere to go either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _UNUSABLE
    return 0


def _load_offline(environment: Mapping[str, str]) -> Settings:
    # Whose WhatsApp number it would be, or where it listens, does not matter.
    ours = {name: value for name, value in environment.items() if not name.startswith(_DOORS)}
    return load_settings(ours | {"MIDSTREAM_BIND": "", "MIDSTREAM_CHANNEL": "", "MIDSTREAM_PUBLIC_URL": ""})


def _refuse(reason: str, code: int) -> int:
    print(f"midstream: {reason}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
