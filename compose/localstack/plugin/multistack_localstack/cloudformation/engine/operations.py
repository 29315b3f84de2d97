"""
What a stack goes through, from its first status to its last: creation, update, deletion and the ways back.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.v2.entities import Stack
from localstack.utils.threads import start_worker_thread

from multistack_localstack.cloudformation.engine import exports
from multistack_localstack.cloudformation.engine.cleanup import delete_all
from multistack_localstack.cloudformation.engine.deployment import Deployment, DeploymentFailed, Result
from multistack_localstack.cloudformation.engine.events import tell_stack
from multistack_localstack.cloudformation.engine.going_back import clean_up_after_return, go_back
from multistack_localstack.cloudformation.engine.records import Undo, begin_undo, end_undo, forget, records_of, undo_of
from multistack_localstack.cloudformation.engine.target import Target

LOG = logging.getLogger(__name__)

# A stack in one of these states can be updated; one whose creation failed only if it kept what it made.
_UPDATABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED", "IMPORT_COMPLETE"}

_busy: set[str] = set()
_lock = threading.Lock()


def start(stack: Stack, status: str, work: Callable[[], object], *, reason: str | None = None) -> None:
    """
    Put *stack* into *status* and do *work* on it in a thread of its own.

    Raises:
        ValidationError: Something else is being done to it.
    """
    with _lock:
        if stack.stack_id in _busy:
            raise ValidationError(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
        _busy.add(stack.stack_id)
    tell_stack(stack, status, reason)

    def run(_parameters: object = None) -> None:
        try:
            work()
        except Exception as error:
            # Nobody waits for this thread: the stack has to say it.
            LOG.exception("stack %s: an error that should not be", stack.stack_name)
            tell_stack(stack, _broken(str(stack.status)), f"Internal failure: {error!r}")
        finally:
            with _lock:
                _busy.discard(stack.stack_id)

    start_worker_thread(run)


def cancel(stack: Stack) -> None:
    """Let an update of *stack* that runs fail before its next resource."""
    stack.is_cancelled = True


def check_can_update(stack: Stack) -> None:
    """
    Refuse an update of a stack that isn't in a state for it.

    Raises:
        ValidationError: As AWS says it.
    """
    status = str(stack.status)
    keeps_what_it_made = status == "CREATE_FAILED" and undo_of(stack) is not None
    if status not in _UPDATABLE and not keeps_what_it_made:
        raise ValidationError(f"Stack:{stack.stack_id} is in {status} state and can not be updated.")


def _broken(status: str) -> str:
    for begin, failed in (
        ("CREATE", "CREATE_FAILED"),
        ("ROLLBACK", "ROLLBACK_FAILED"),
        ("DELETE", "DELETE_FAILED"),
        ("UPDATE", "UPDATE_ROLLBACK_FAILED"),
    ):
        if status.startswith(begin):
            return failed
    return status


def is_busy(stack: Stack) -> bool:
    """Whether a thread of this process works on *stack*."""
    with _lock:
        return stack.stack_id in _busy


def create(stack: Stack, target: Target, *, on_failure: str = "ROLLBACK") -> bool:
    """
    Make a stack's resources.

    Args:
        on_failure: ``ROLLBACK``, ``DELETE`` or ``DO_NOTHING``.

    Returns:
        Whether they could be made.
    """
    begin_undo(stack)
    adopt(stack, target)
    try:
        result = Deployment(stack, target).run()
    except DeploymentFailed as error:
        if on_failure == "DO_NOTHING":
            tell_stack(stack, "CREATE_FAILED", error.reason)
        elif on_failure == "DELETE":
            tell_stack(stack, "DELETE_IN_PROGRESS", f"{error.reason} Delete requested by user.")
            delete(stack)
        else:
            tell_stack(stack, "ROLLBACK_IN_PROGRESS", f"{error.reason} Rollback requested by user.")
            take_back_creation(stack)
        return False
    settle(stack, result)
    end_undo(stack)
    tell_stack(stack, "CREATE_COMPLETE")
    return True


def take_back_creation(stack: Stack) -> None:
    """Delete what was made for a stack that couldn't be created."""
    undo = undo_of(stack)
    made = [*(undo.made if undo else ()), *records_of(stack).values()]
    failed = delete_all(stack, {record.made: record for record in made}.values(), undoes_creation=True)
    if failed:
        told = f"The following resource(s) failed to delete: [{', '.join(failed)}]."
        tell_stack(stack, "ROLLBACK_FAILED", told)
    else:
        end_undo(stack)
        tell_stack(stack, "ROLLBACK_COMPLETE")


def update(stack: Stack, target: Target, *, disable_rollback: bool = False) -> bool:
    """
    Bring a stack's resources to another template.

    Args:
        disable_rollback: Leave everything as it is after a failure, in ``UPDATE_FAILED``.

    Returns:
        Whether it could be done; if not, the stack went back.
    """
    begin_undo(stack)
    stack.is_cancelled = False
    # What was compared won't be there any more.
    vars(stack).update(drift=None, resource_drifts={})
    try:
        result = Deployment(stack, target).run()
    except DeploymentFailed as error:
        if disable_rollback:
            tell_stack(stack, "UPDATE_FAILED", error.reason)
        else:
            tell_stack(stack, "UPDATE_ROLLBACK_IN_PROGRESS", error.reason)
            go_back(stack)
        return False
    adopt(stack, target)
    settle(stack, result)
    tell_stack(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    clean_up_after_update(stack, result.wanted)
    return True


def adopt(stack: Stack, target: Target) -> None:
    """Make *target* what the stack was given."""
    stack.template = dict(target.original)
    stack.template_body = target.body
    stack.processed_template = dict(target.template)
    stack.resolved_parameters = dict(target.parameters)
    stack.description = target.original.get("Description")
    stack.tags = [dict(tag) for tag in target.tags]
    stack.capabilities = list(target.capabilities)


def settle(stack: Stack, result: Result) -> None:
    """Make *result* what the stack gives to others."""
    stack.resolved_outputs = list(result.outputs)
    stack.resolved_exports = dict(result.exports)
    exports.keep_imports(stack, result.imports)


def clean_up_after_update(stack: Stack, wanted: Iterable[str] | None = None) -> None:
    """
    Delete what was replaced, and what isn't in the template any more; ends the update.

    Args:
        wanted: The resources of the template; None to go on with what an earlier attempt left.
    """
    undo = undo_of(stack) or Undo(before={})
    current = records_of(stack)
    names = set(current) if wanted is None else set(wanted)
    if wanted is not None:
        # For a process that ends before all is deleted.
        for name in current.keys() - names:
            stack.resolved_resources[name]["is_unwanted"] = True
    unwanted = {name for name, kept in stack.resolved_resources.items() if kept.get("is_unwanted")}
    used = {record.made for name, record in current.items() if name not in unwanted}
    everything = {record.made: record for record in (*undo.before.values(), *undo.made, *current.values())}
    delete_all(stack, [record for made, record in everything.items() if made not in used])
    # One that could not be deleted belongs to nobody now, as on AWS; one that could not be made isn't there.
    for name in unwanted | (stack.resource_states.keys() - current.keys()):
        forget(stack, name)
    end_undo(stack)
    tell_stack(stack, "UPDATE_COMPLETE")


def delete(stack: Stack, *, retained: Iterable[str] = ()) -> None:
    """Delete a stack's resources, and then the stack."""
    undo = undo_of(stack)
    everything = [*(undo.before.values() if undo else ()), *(undo.made if undo else ()), *records_of(stack).values()]
    failed = delete_all(stack, {record.made: record for record in everything}.values(), retained=retained)
    if failed:
        told = f"The following resource(s) failed to delete: [{', '.join(failed)}]."
        tell_stack(stack, "DELETE_FAILED", told)
        return
    end_undo(stack)
    stack.resolved_outputs, stack.resolved_exports = [], {}
    stack.deletion_time = datetime.now(UTC)
    tell_stack(stack, "DELETE_COMPLETE")


def resume(stack: Stack) -> None:
    """
    End what another process began on *stack* and didn't live to end.

    A creation or an update is taken back; what was already on its way back, or being deleted, goes on.
    """
    status = str(stack.status)
    reason = "LocalStack stopped while this was in progress"
    if status in ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
        start(stack, "ROLLBACK_IN_PROGRESS", lambda: take_back_creation(stack), reason=reason)
    elif status in ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"):
        start(stack, "UPDATE_ROLLBACK_IN_PROGRESS", lambda: go_back(stack), reason=reason)
    elif status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
        start(stack, status, lambda: clean_up_after_update(stack), reason=reason)
    elif status == "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS":
        start(stack, status, lambda: clean_up_after_return(stack), reason=reason)
    elif status == "DELETE_IN_PROGRESS":
        start(stack, status, lambda: delete(stack), reason=reason)
