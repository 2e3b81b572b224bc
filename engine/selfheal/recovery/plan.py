"""The runbook's state machine: what to do next about a healing, decided from recorded data alone.

    start rung ─▶ run step … ─▶ validate ─▶ end attempt ─▶ finish
                     │              │            ▲   └──▶ start the next batch, or the next rung
                     └─ failed ─────┴─▶ roll back … newest first

`next_move` is pure: after a crash, a restart or an upgrade the same record gives the same move.
"""

from __future__ import annotations

from selfheal.model import Attempt, Healing, Outcome, Refusal, Refused, Strategy
from selfheal.recovery.attempt import aborted, attempt_reason, in_attempt, is_check
from selfheal.recovery.move import Finish, Move, StartRung


def next_move(healing: Healing) -> Move:
    """Return what to do next. A step that ended well is never returned again, a rollback once."""
    if healing.outcome is not None:
        return Finish(healing.outcome, healing.reason)
    if not healing.attempts:
        return _first_rung(healing)
    attempt = healing.attempts[-1]
    if attempt.outcome is None:
        return in_attempt(healing, attempt)
    return _after_attempt(healing, attempt, attempt.outcome)


def _first_rung(healing: Healing) -> Move:
    if healing.stop_requested:
        return Finish(Outcome.DENIED, f"stopped before anything ran: {healing.stop_requested}")
    if not _has_rung(healing, 0):
        return Finish(Outcome.REFUSED, "there is no runbook to run, a human is needed")
    return StartRung(0)


def _has_rung(healing: Healing, rung: int) -> bool:
    """Tell whether that rung is a runbook; the engine leaves manual ones to people."""
    if rung >= len(healing.ladder):
        return False
    return healing.origin == "operator" or healing.ladder[rung].strategy is not Strategy.MANUAL


def _after_attempt(healing: Healing, attempt: Attempt, outcome: Outcome) -> Move:
    solution = healing.ladder[attempt.rung]
    reason = f"{solution.name}: {attempt_reason(healing, attempt, solution, outcome)}"
    if outcome is Outcome.HEALED and attempt.hosts and not healing.stop_requested:
        return StartRung(attempt.rung, attempt.batch + 1)
    if outcome is Outcome.HEALED:
        return Finish(outcome, f"{reason}{_rollout(healing, attempt)}")
    if outcome not in (Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.REFUSED):
        return Finish(outcome, reason)
    if healing.stop_requested:
        return _stopped_between(healing, reason)
    if is_check(healing) or aborted(attempt, solution):
        return Finish(outcome, reason)
    if _has_rung(healing, attempt.rung + 1):
        return StartRung(attempt.rung + 1)
    return Finish(ladder_outcome(healing), f"no rung of the ladder helped; the last, {reason}")


def _stopped_between(healing: Healing, reason: str) -> Move:
    if not ran(healing):
        return Finish(Outcome.DENIED, f"stopped before anything ran: {healing.stop_requested}")
    return Finish(ladder_outcome(healing), reason)


def ran(healing: Healing) -> bool:
    """Tell whether any attempt was more than a refusal."""
    return any(attempt.outcome is not Outcome.REFUSED for attempt in healing.attempts)


def ladder_outcome(healing: Healing) -> Outcome:
    """Return what the attempts amount to when none healed: undone, nothing to undo, not run."""
    outcomes = {attempt.outcome for attempt in healing.attempts}
    if Outcome.ROLLED_BACK in outcomes:
        return Outcome.ROLLED_BACK
    return Outcome.FAILED if ran(healing) else Outcome.REFUSED


def after_last_batch(healing: Healing) -> Finish:
    """Return the end of a rollout that has no host left."""
    attempt = healing.attempts[-1]
    solution = healing.ladder[attempt.rung]
    why = attempt_reason(healing, attempt, solution, Outcome.HEALED)
    return Finish(Outcome.HEALED, f"{solution.name}: {why}{_rollout(healing, attempt)}")


def _rollout(healing: Healing, last: Attempt) -> str:
    """Return how far a rollout got, for the reason of a healing that healed by one."""
    batches = [one for one in healing.attempts if one.rung == last.rung and one.hosts]
    if not batches:
        return ""
    hosts = sum(len(one.hosts) for one in batches)
    of_batches = "one batch" if len(batches) == 1 else f"{len(batches)} batches"
    text = f"; rolled out on {'one host' if hosts == 1 else f'{hosts} hosts'} in {of_batches}"
    return f"{text}, then stopped: {healing.stop_requested}" if healing.stop_requested else text


_OUTCOMES = {Refusal.DENIED: Outcome.DENIED, Refusal.EXPIRED: Outcome.EXPIRED}


def after_refusal(healing: Healing, rung: int, refused: Refused) -> Finish:
    """Return the end of a healing that may not go on with that rung, nor with any other.

    A human's no is the outcome. Any other refusal is when nothing ran, or the fault is gone; else
    what ran decides, and a rollout that was proven as far as it got has healed."""
    reason = f"rung {rung + 1} ({healing.ladder[rung].name}) was refused: {why_refused(refused)}"
    if outcome := _OUTCOMES.get(refused.reason):
        return Finish(outcome, reason)
    last = healing.attempts[-1] if healing.attempts else None
    if last and last.outcome is Outcome.HEALED and refused.reason is Refusal.FAULT_GONE:
        return Finish(Outcome.HEALED, f"{reason}{_rollout(healing, last)}")
    if refused.reason is Refusal.FAULT_GONE:
        return Finish(Outcome.REFUSED, reason)
    return Finish(ladder_outcome(healing), reason)


def why_refused(refused: Refused) -> str:
    """Return the refusal in words."""
    return f"{refused.reason.value}: {refused.detail}" if refused.detail else refused.reason.value
