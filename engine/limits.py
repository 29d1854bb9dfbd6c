"""Every bound of the engine, with its unit and its reason."""

import math
from typing import Any, Final

import attrs
from attrs.validators import ge, gt

# Any: they serve counts and seconds alike.
_positive: Final[Any] = gt(0)
_at_least_zero: Final[Any] = ge(0)


@attrs.frozen(kw_only=True)
class Limits:
    """The bounds one engine runs under.  `*_seconds` are seconds, `*_max` otherwise counts."""

    # How long things may take ---------------------------------------------------------------------
    # A wave is shielded from its user's change of mind, so something else must end it.
    wave_seconds_max: float = attrs.field(default=60.0, validator=_positive)
    # Who has waited this long in a chat has given up; a planner that hangs must end as well.
    operation_seconds_max: float = attrs.field(default=600.0, validator=_positive)
    # A record is a millisecond's work; a disk that stalls longer than this suspends the operation.
    record_seconds_max: float = attrs.field(default=30.0, validator=_positive)
    # Meta wants its answer within a second and gives up after a few: a 503 then is better than silence.
    receive_seconds_max: float = attrs.field(default=8.0, validator=_positive)
    # Told to stop, a process gets about 30 s from most supervisors; waves get two thirds of it.
    grace_seconds: float = attrs.field(default=20.0, validator=_at_least_zero)
    # A restart overlaps with the process it replaces by about its grace.
    owner_wait_seconds: float = attrs.field(default=5.0, validator=_at_least_zero)

    # Who writes, and when -------------------------------------------------------------------------
    # What was written an hour ago, and comes only now, nobody waits to have answered any more.
    stale_seconds: float = attrs.field(default=3_600.0, validator=_positive)
    # WhatsApp answers a user freely for a day after they wrote, and only by a template from then on.
    window_seconds: float = attrs.field(default=math.inf, validator=_positive)
    # A person of the business who writes to a user goes on for about so long; the assistant is silent then.
    takeover_seconds: float = attrs.field(default=3_600.0, validator=_at_least_zero)

    # Recovery -------------------------------------------------------------------------------------
    # Operations that an earlier process left go on this many at once; the others wait their turn.
    recoveries_max: int = attrs.field(default=100, validator=_positive)
    # An operation that was running at this many crashes in a row may be their cause: it fails.
    recovery_attempts_max: int = attrs.field(default=3, validator=_positive)

    # Changing one's mind --------------------------------------------------------------------------
    # How long to wait for more messages of a burst before its operation starts; 0 answers at once.
    debounce_seconds: float = attrs.field(default=0.0, validator=_at_least_zero)
    # Somebody who goes on typing must be answered at some time, too.
    debounce_seconds_max: float = attrs.field(default=10.0, validator=_at_least_zero)
    # Ten changes of mind in a row are a habit; the next operation runs to its end (P13).
    interruptions_max: int = attrs.field(default=10, validator=_positive)
    # An acknowledgement that the reply overtakes within this time is not worth sending; 0 sends at once.
    acknowledgement_seconds_min: float = attrs.field(default=0.0, validator=_at_least_zero)
    # An undo is idempotent by contract: a failure is tried again, within its tool's timeout.
    undo_attempts_max: int = attrs.field(default=3, validator=_positive)

    # Five a second is no hand; what is more is refused, and its user told once a minute.
    messages_per_minute_max: int = attrs.field(default=300, validator=_positive)

    # How much may wait ----------------------------------------------------------------------------
    # Nobody types a hundred messages while one wave runs; a loop does.
    waiting_messages_max: int = attrs.field(default=100, validator=_positive)
    # Under policies that lose no message, what waits becomes one burst instead; a planner can read so much.
    burst_messages_max: int = attrs.field(default=1_000, validator=_positive)
    # About 15 KB each: 50,000 live sessions are well under a gigabyte.
    sessions_max: int = attrs.field(default=50_000, validator=_positive)
    # Beyond this many writes in the queue a webhook is better refused (503) and redelivered.
    writes_waiting_max: int = attrs.field(default=10_000, validator=_positive)

    # Outbox rows in memory, 1 KB each; what is more waits in the store.
    outbox_rows_max: int = attrs.field(default=10_000, validator=_positive)

    # How large things may be ----------------------------------------------------------------------
    # What a planner can read at a glance; a model's context is paid for by the word.
    history_messages_max: int = attrs.field(default=50, validator=_positive)
    # A plan this long is a runaway model, not an intention.
    calls_max: int = attrs.field(default=200, validator=_positive)
    # Each adaptation is a model call; a planner that never settles must end.
    adaptations_max: int = attrs.field(default=5, validator=_at_least_zero)
    # A larger result belongs in a store of the tool's own, with its key as the value.
    value_bytes_max: int = attrs.field(default=1_048_576, validator=_positive)
    # Sixteen full WhatsApp messages; more is a runaway model.
    reply_characters_max: int = attrs.field(default=65_536, validator=_positive)
    # WhatsApp's longest text message; a longer reply goes out in parts.
    text_characters_max: int = attrs.field(default=4_096, validator=_positive)

    # How much at once -----------------------------------------------------------------------------
    # Worker threads of plain-function tools: one user's slow tool must not starve the others.
    threads_per_user_max: int = attrs.field(default=4, validator=_positive)
    threads_max: int = attrs.field(default=64, validator=_positive)
    # Requests to the Graph API under way at once.
    sends_max: int = attrs.field(default=32, validator=_positive)

    # What the user sees ---------------------------------------------------------------------------
    # WhatsApp's typing indicator fades after 25 s; shown again before that.
    typing_seconds: float = attrs.field(default=20.0, validator=_positive)
    # Every note costs 6 s of the pair limit (one message per 6 s to one user).
    progress_notes_max: int = attrs.field(default=3, validator=_at_least_zero)
    progress_seconds_min: float = attrs.field(default=6.0, validator=_at_least_zero)

    # Sending --------------------------------------------------------------------------------------
    # WhatsApp's pair limit, one message per 6 s to one user, up to 45 at once borrowed; 0: no such limit.
    pair_seconds: float = attrs.field(default=0.0, validator=_at_least_zero)
    pair_burst_max: int = attrs.field(default=45, validator=_positive)
    # What a number may send each second: WhatsApp's throughput; 0: no such limit.
    sends_per_second_max: int = attrs.field(default=0, validator=_at_least_zero)
    # The first and the longest pause before a message is tried again after an error of the service.
    send_retry_seconds_min: float = attrs.field(default=1.0, validator=_positive)
    send_retry_seconds_max: float = attrs.field(default=300.0, validator=_positive)
    # A way out that hangs would hold its place for ever; WhatsApp's client gives up before this.
    send_seconds_max: float = attrs.field(default=60.0, validator=_positive)
    # A send that timed out after it was written is settled by a status within seconds, or never.
    settle_seconds: float = attrs.field(default=30.0, validator=_positive)
    # A message to one user that was refused this often is given up (4^7 s is over four hours).
    send_attempts_max: int = attrs.field(default=8, validator=_positive)
