"""The command line: parser, error handling, exit codes. Each command is a module in `commands/`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import tumorscan
from tumorscan.app.commands import COMMANDS
from tumorscan.app.commands.shared import add_command
from tumorscan.errors import TumorscanError

_DESCRIPTION = """\
tumorscan: a brain-tumor detector for MRI pictures.
Research and teaching software. Not a medical device, never a diagnosis."""

_EPILOG = """\
a first run, without any patient's picture:
  tumorscan phantom phantoms -n 60 --seed 1
  tumorscan train phantoms --preset quick --out runs/first
  tumorscan evaluate runs/first
  tumorscan predict phantoms/yes --model runs/first
  tumorscan app --model runs/first

exit codes:
  0  done
  1  an error inside tumorscan (set TUMORSCAN_DEBUG=1 for the traceback)
  2  an argument or a setting is wrong
  3  one or more files could not be read; all others were dealt with
  4  the data cannot be used as they are (labels, columns, groups, splits, leaks)
  5  a bundle or a weights file is absent, damaged or incomplete
  6  the machine is in the way (full disk, port in use, an extra is not installed)
  130  interrupted

Everything stays on this machine: no telemetry, no downloads but `--weights imagenet`."""

INTERRUPTED = 130


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; imports nothing heavy."""
    parser = argparse.ArgumentParser(
        prog="tumorscan",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tumorscan {tumorscan.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name, command in COMMANDS.items():
        add_command(commands, name, command).set_defaults(run=command.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code and never lets a traceback out."""
    options = build_parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except TumorscanError as error:
        return _fail(options, str(error), error.exit_code)
    except KeyboardInterrupt as stop:
        return _fail(options, str(stop) or "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader went away (`| head`); say nothing and leave as a pipe would have us.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:  # noqa: BLE001 - the last line of defence: a traceback is no message
        if os.environ.get("TUMORSCAN_DEBUG"):
            traceback.print_exc()
        cause = (str(error).strip() or "no cause given").partition("\n")[0]
        return _fail(options, f"{type(error).__name__}: {cause} (TUMORSCAN_DEBUG=1 shows where)", 1)


def _fail(options: argparse.Namespace, message: str, code: int) -> int:
    if getattr(options, "json", False):
        print(json.dumps({"error": message, "exit_code": code}))
    print(f"tumorscan: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
