"""What an operator means by the beginning of an id."""

from collections.abc import Sequence

from engine.store.sqlite.admin.opening import NotPossible


def only_one(found: Sequence[str], prefix: str, what: str) -> str:
    """The one id that was meant.  An id that another one begins with is meant itself."""
    if not prefix or not found:
        raise NotPossible(f"there is no {what} {prefix!r}")
    if len(found) > 1 and prefix not in found:
        raise NotPossible(f"more than one {what} begins with {prefix!r}; give more of it")
    return prefix if prefix in found else found[0]
