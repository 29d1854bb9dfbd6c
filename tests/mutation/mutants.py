"""Changes the engine's decisions one at a time and looks which changes no test notices, with mutmut.

    python tests/mutation/mutants.py [engine/policy.py ...]

It works on a copy of the tree, which is kept.  It prints each change that survived, and how many did not.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Where what a session does is decided and carried out.
FILES = (
    "engine/phases.py",
    "engine/policy.py",
    "engine/bursts.py",
    "engine/waiting.py",
    "engine/waves.py",
    "engine/runner.py",
    "engine/sessions.py",
    "engine/outbox.py",
)
# Tests that need the processes, the disk or a minute each are not asked.
TESTS = (
    "acknowledgement",
    "burst_scenarios",
    "bursts",
    "calls",
    "enqueue_and_reject",
    "isolation",
    "orchestrator",
    "outbox",
    "own_policy",
    "phases",
    "policy",
    "progress",
    "promises",
    "records",
    "recovery",
    "reuse_scenarios",
    "rollback",
    "runtime",
    "scenarios",
    "sending",
    "sessions",
    "starvation",
    "steer",
    "stop",
    "tools",
    "waiting",
    "waves",
)
_LEFT_OUT = (".git", ".venv*", ".hypothesis", ".*_cache", "__pycache__", ".coverage*", "mutants")


def configure(folder: Path, files: list[str]) -> None:
    """Tell mutmut what to change and what to ask."""
    selection = [f"tests/engine/test_{name}.py" for name in TESTS]
    with (folder / "pyproject.toml").open("a") as configuration:
        configuration.write(
            "\n[tool.mutmut]\n"
            f'source_paths = ["engine"]\nonly_mutate = {files}\n'
            'also_copy = ["web", "docs", "README.md"]\n'
            'pytest_add_cli_args = ["-p", "no:cacheprovider", "-q"]\n'
            f"pytest_add_cli_args_test_selection = {selection}\n"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", default=list(FILES))
    files = parser.parse_args().files
    folder = Path(tempfile.mkdtemp(prefix="mutants-")) / "tree"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    configure(folder, files)
    mutmut = [sys.executable, "-m", "mutmut"]
    subprocess.run([*mutmut, "run", "--max-children", "1"], cwd=folder, check=True)
    listed = subprocess.run(
        [*mutmut, "results", "--all", "true"], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    )
    results = dict(line.strip().rpartition(": ")[::2] for line in listed.stdout.splitlines() if ": " in line)
    for mutant, result in results.items():
        if result != "killed":
            subprocess.run([*mutmut, "show", mutant], cwd=folder, check=True)
    print(*(f"{result}: {count}" for result, count in Counter(results.values()).items()), sep="\n")
    print(f"in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
