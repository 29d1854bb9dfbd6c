"""What a user is told of the calls of a request that ended early."""

import itertools

import pytest

from engine import Outcome, Status, Tool, tool
from engine.languages import built_in
from engine.model import UndoStatus
from engine.report import done_so_far, taken_back

ENGLISH, SPANISH = built_in().texts["en"], built_in().texts["es"]


def titled(name: str, title: str | None = None) -> Tool:
    async def act() -> None:
        """Acts."""

    act.__name__ = name
    return tool(timeout=1, title=title)(act)


TOOLS = {
    "book_table": titled("book_table"),
    "taxi": titled("taxi", "a taxi ordered"),
    "look": titled("look", ""),  # nothing is said of it
}


def outcome(tool: str, status: Status = Status.SUCCEEDED, undo: UndoStatus | None = None) -> Outcome:
    return Outcome(call_id=f"{tool}-1", tool=tool, status=status, undo=undo)


TABLE, TAXI, LOOK = outcome("book_table"), outcome("taxi"), outcome("look")
UNDONE, NOT_UNDONE, LATE = UndoStatus.UNDONE, UndoStatus.FAILED, UndoStatus.TIMED_OUT


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([], ["Nothing had been done yet."]),
        ([TABLE], ["Already done: book table."]),
        ([TABLE, TAXI, TABLE], ["Already done: book table (2x), a taxi ordered."]),
        # Looking something up is nothing that anybody would miss.
        ([LOOK], ["Nothing had been done yet."]),
        ([LOOK, TAXI], ["Already done: a taxi ordered."]),
        # What failed was not done, and what was never made is not here.
        ([outcome("taxi", Status.FAILED)], ["Nothing had been done yet."]),
        ([TABLE, outcome("taxi", Status.SKIPPED)], ["Already done: book table."]),
        # Nobody knows whether these were done.
        ([outcome("taxi", Status.TIMED_OUT)], ["Possibly done: a taxi ordered."]),
        (
            [outcome("taxi", Status.CUT_OFF), TABLE, outcome("taxi", Status.UNKNOWN)],
            ["Already done: book table.", "Possibly done: a taxi ordered (2x)."],
        ),
        ([outcome("look", Status.UNKNOWN)], ["Nothing had been done yet."]),
        # A tool that the assistant has no more is called by its name.
        ([outcome("send_flowers")], ["Already done: send flowers."]),
        # What was taken back is not done any more, whatever was known of it.
        ([outcome("taxi", undo=UNDONE)], ["Taken back: a taxi ordered."]),
        ([outcome("taxi", Status.UNKNOWN, UNDONE)], ["Taken back: a taxi ordered."]),
        ([outcome("taxi", undo=NOT_UNDONE)], ["Could not be taken back: a taxi ordered."]),
        ([outcome("taxi", Status.CUT_OFF, LATE)], ["Could not be taken back: a taxi ordered."]),
        (
            [
                TABLE,
                outcome("taxi", undo=UNDONE),
                outcome("book_table", Status.TIMED_OUT),
                outcome("taxi", undo=LATE),
                outcome("book_table", undo=NOT_UNDONE),
                outcome("look", undo=NOT_UNDONE),
            ],
            [
                "Already done: book table.",
                "Possibly done: book table.",
                "Taken back: a taxi ordered.",
                "Could not be taken back: a taxi ordered, book table.",
            ],
        ),
        ([outcome("look", undo=UNDONE)], ["Nothing had been done yet."]),
    ],
)
def test_what_was_done_so_far(made: list[Outcome], said: list[str]) -> None:
    """In this order, and never nothing at all."""
    assert done_so_far(made, TOOLS, ENGLISH) == said


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([], []),
        ([TABLE, outcome("taxi", Status.UNKNOWN)], []),
        ([TABLE, outcome("taxi", undo=UNDONE)], ["Taken back: a taxi ordered."]),
        (
            [outcome("taxi", undo=LATE), outcome("book_table", undo=UNDONE)],
            ["Taken back: book table.", "Could not be taken back: a taxi ordered."],
        ),
        ([outcome("look", undo=UNDONE), outcome("look", undo=LATE)], []),
    ],
)
def test_what_was_taken_back(made: list[Outcome], said: list[str]) -> None:
    """Nothing where nothing was."""
    assert taken_back(made, TOOLS, ENGLISH) == said


def test_it_is_said_in_the_users_language() -> None:
    """The titles are the assistant's."""
    assert done_so_far([TABLE], TOOLS, SPANISH) == ["Ya hecho: book table."]
    assert done_so_far([], {}, SPANISH) == ["Todavía no se había hecho nada."]
    assert taken_back([outcome("taxi", undo=LATE)], TOOLS, SPANISH) == [
        "No se pudo deshacer: a taxi ordered."
    ]


def test_no_call_is_told_twice_and_none_that_may_have_acted_is_left_out() -> None:
    """P6: for every status and whatever became of taking it back."""
    told = set()
    for status, undo in itertools.product(Status, [None, *UndoStatus]):
        said = " ".join(done_so_far([outcome("taxi", status, undo)], TOOLS, ENGLISH))
        assert said.count("a taxi ordered") <= 1
        if "a taxi ordered" in said:
            told.add((status, undo))
    acted = {Status.SUCCEEDED, Status.TIMED_OUT, Status.CUT_OFF, Status.UNKNOWN}
    assert told == {
        (status, undo)
        for status, undo in itertools.product(Status, [None, *UndoStatus])
        if undo is not None or status in acted
    }
