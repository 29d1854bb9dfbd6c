"""What a promise is made of here: rules, each with the promise's number.

Rule 1: what can be known at once is watched: such a rule is asked at each entry of its kinds, and does a
step of work that does not grow with the length of the run.
Rule 2: what only the end can tell is asked at the end, of the ledger and of the database that was left.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from engine.simulation.ledger import Entry
from engine.simulation.scenario import Scenario
from engine.simulation.seen import Left, Seen

# Asked of an entry, it says in a sentence what that has broken, or None.
See = Callable[[Entry], str | None]


@attrs.frozen
class Broken:
    """A promise, by its number, that did not hold; `check` is the rule that saw it."""

    promise: int
    line: str
    check: str = ""

    def __str__(self) -> str:
        return f"P{self.promise}: {self.line}"


@attrs.frozen
class Always:
    """A rule that is watched: `watch` makes what is asked of each entry of these kinds, once for each run."""

    promise: int
    kinds: tuple[str, ...]
    watch: Callable[[Seen], See]


@attrs.frozen
class AtEnd:
    """A rule that only the end can tell: a sentence for every break."""

    promise: int
    ask: Callable[[Left], Iterator[str]]


Rule = Always | AtEnd


def always(promise: int, *kinds: str) -> Callable[[Callable[[Seen], See]], Always]:
    """Make a rule that is watched."""
    return lambda watch: Always(promise, kinds, watch)


def at_end(promise: int) -> Callable[[Callable[[Left], Iterator[str]]], AtEnd]:
    """Make a rule that is asked at the end."""
    return lambda ask: AtEnd(promise, ask)


class Watch:
    """Holds the rules over one run."""

    def __init__(self, scenario: Scenario, rules: Iterable[Rule]) -> None:
        self.seen = Seen(scenario)
        self._at_end: list[AtEnd] = []
        self._by_kind: defaultdict[str, list[tuple[See, Always]]] = defaultdict(list)
        for rule in rules:
            if isinstance(rule, AtEnd):
                self._at_end.append(rule)
                continue
            see = rule.watch(self.seen)
            for kind in rule.kinds:
                self._by_kind[kind].append((see, rule))

    def see(self, entry: Entry) -> Sequence[Broken]:
        """What this entry breaks."""
        self.seen.take(entry)
        broken: Sequence[Broken] = ()
        for see, rule in self._by_kind[entry.what]:
            line = see(entry)
            if line is not None:
                broken = (*broken, Broken(rule.promise, line, rule.watch.__name__))
        return broken

    def see_end(self, left: Left) -> Iterator[Broken]:
        """What the end shows to be broken."""
        for rule in self._at_end:
            for line in rule.ask(left):
                yield Broken(rule.promise, line, rule.ask.__name__)
