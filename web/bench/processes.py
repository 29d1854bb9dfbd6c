"""The processes that a bench measures: children that answer questions, a line of JSON each way.

Rule 1: what is measured runs in a process of its own, and so does its rival.
Rule 2: a child ends when its standard input does.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import attrs


class BenchBroken(Exception):
    """A process of the bench ended before its work did; it has said why on standard error."""


@attrs.define(eq=False)
class Child:
    """A process that answers questions, one at a time."""

    process: subprocess.Popen[str]

    def ask(self, question: Any) -> Any:
        """Its answer.  Raises BenchBroken when it gives none."""
        assert self.process.stdin is not None  # noqa: S101
        try:
            self.process.stdin.write(f"{json.dumps(question)}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise BenchBroken("a process of the bench broke; see above") from None
        return self.read()

    def read(self) -> Any:
        """What it says unasked, as that it is ready.  Raises BenchBroken."""
        assert self.process.stdout is not None  # noqa: S101
        return _parse(self.process.stdout.readline())


@contextmanager
def child(module: str, *arguments: object) -> Iterator[Child]:
    """`python -m MODULE ARGUMENTS`, until the end of the block."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", module, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is ours to hear; it ends with its standard input
    )
    with process:
        try:
            yield Child(process)
        finally:
            assert process.stdin is not None  # noqa: S101
            with suppress(BrokenPipeError):  # what it was asked and has not read
                process.stdin.close()


def run_child(module: str, *arguments: object) -> Any:
    """What `python -m MODULE ARGUMENTS` says once it has ended.  Raises BenchBroken."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", module, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode:
        raise BenchBroken("a process of the bench broke; see above")
    return _parse(done.stdout)


def _parse(line: str) -> Any:
    if not line:
        raise BenchBroken("a process of the bench broke; see above")
    return json.loads(line)


def say(answer: Any) -> None:
    """Answer, in a child."""
    print(json.dumps(answer), flush=True)  # noqa: T201


def questions() -> Iterator[Any]:
    """What a child is asked, until its standard input ends.  Blocks."""
    for line in sys.stdin:
        yield json.loads(line)
