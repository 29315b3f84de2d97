"""
Gap: MiniStack 1.5.33 drops an asynchronous event that was throttled three times, and sends nothing on success.

On AWS only a function's own errors count as attempts; a throttled event waits in the queue until it is too old, unless
the function may not run at all. Settings belong to the qualifier that was called. A dead-letter queue gets the event
itself, a destination a record of the call, on success as well.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html,
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import contextvars
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulator.drivers.launcher.gaps.alias_weights import as_called

_log = logging.getLogger("multistack.lambda")
_LATEST = "$LATEST"


def apply() -> None:
    """Deliver asynchronous events by AWS's rules."""
    from ministack.services import lambda_svc

    lambda_svc.invoke_async_with_retry = invoke_later


def invoke_later(record: Mapping[str, Any], event: Any) -> None:
    """Queue *event* for the function or version *record*; returns at once."""
    called = as_called(record)
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_deliver, called, event), daemon=True).start()


@dataclass(frozen=True)
class _Outcome:
    """How an event ended: AWS's word for it, the last answer, the number of calls."""

    condition: str
    answer: Mapping[str, Any]
    calls: int

    @property
    def succeeded(self) -> bool:
        return self.condition == "Success"


def _deliver(record: Mapping[str, Any], event: Any) -> None:
    from ministack.services import lambda_svc

    config = record.get("config") or record
    account_id, region = lambda_svc._account_region_from_function_config(config)
    lambda_svc._request_account_id.set(account_id)
    lambda_svc._request_region.set(region)
    settings = _settings(record, config)
    outcome = _attempt(record, config, event, settings)
    for target, body, attributes in _messages(config, event, settings, outcome):
        try:
            _send(target, body, attributes)
        except Exception as error:  # as on AWS, a target that refuses loses the record; whatever its reason is
            _log.warning("%s: could not send a record to %s: %s", config.get("FunctionName"), target, error)


def _settings(record: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What PutFunctionEventInvokeConfig said of the qualifier that was called."""
    from ministack.services import lambda_svc

    function = lambda_svc._functions.get(config.get("FunctionName")) or record
    _, qualifier = lambda_svc._resolve_name_and_qualifier(str(config.get("FunctionArn", "")))
    if qualifier in (None, _LATEST):
        found = lambda_svc._event_invoke_config(function, None) or lambda_svc._event_invoke_config(function, _LATEST)
    else:
        found = lambda_svc._event_invoke_config(function, qualifier)
    return found or {}


def _attempt(record: Mapping[str, Any], config: Mapping[str, Any], event: Any, settings: Mapping[str, Any]) -> _Outcome:
    """Call the function until it succeeds, fails for good, or the event is too old."""
    from ministack.services import lambda_svc

    oldest = time.monotonic() + int(settings.get("MaximumEventAgeInSeconds", 21600))
    retries = int(settings.get("MaximumRetryAttempts", 2))
    failures, throttles = 0, 0
    while True:
        answer = lambda_svc._execute_function(record, event)
        if answer.get("throttle"):
            throttles += 1
            if lambda_svc._reserved_concurrency(record, config) == 0:
                return _Outcome("EventAgeExceeded", answer, failures)
        elif not answer.get("error"):
            return _Outcome("Success", answer, failures + 1)
        else:
            failures, throttles = failures + 1, 0
            if failures > retries:
                return _Outcome("RetriesExhausted", answer, failures)
        pause = _pause(throttles or failures)
        if time.monotonic() + pause > oldest:
            return _Outcome("EventAgeExceeded", answer, failures)
        time.sleep(pause)


def _pause(attempts: int) -> float:
    """Seconds before the next call: AWS's minutes, shortened as MiniStack shortens them."""
    from ministack.services import lambda_svc

    least, most = lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS, lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS
    return float(min(least * 2 ** (attempts - 1), most))


def _messages(
    config: Mapping[str, Any], event: Any, settings: Mapping[str, Any], outcome: _Outcome
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Target, body and message attributes of all that is sent when an event has ended."""
    destinations = settings.get("DestinationConfig") or {}
    wanted = destinations.get("OnSuccess" if outcome.succeeded else "OnFailure") or {}
    if target := wanted.get("Destination"):
        yield target, json.dumps(_record(config, event, outcome)), {}
    dead_letters = (config.get("DeadLetterConfig") or {}).get("TargetArn")
    if dead_letters and not outcome.succeeded:
        yield dead_letters, json.dumps(event), _error_attributes(outcome)


def _record(config: Mapping[str, Any], event: Any, outcome: _Outcome) -> dict[str, Any]:
    """The invocation record that a destination gets."""
    from ministack.services import lambda_svc

    _, qualifier = lambda_svc._resolve_name_and_qualifier(str(config["FunctionArn"]))
    arn = config["FunctionArn"] if qualifier else f"{config['FunctionArn']}:{_LATEST}"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    request = {
        "requestId": lambda_svc.new_uuid(),
        "functionArn": arn,
        "condition": outcome.condition,
        "approximateInvokeCount": outcome.calls,
    }
    record = {"version": "1.0", "timestamp": now, "requestContext": request, "requestPayload": event}
    if outcome.answer.get("throttle"):
        return record
    failed = {} if outcome.succeeded else {"functionError": outcome.answer.get("function_error") or "Unhandled"}
    response = {"statusCode": 200, "executedVersion": config.get("Version", _LATEST), **failed}
    return {**record, "responseContext": response, "responsePayload": outcome.answer.get("body")}


def _error_attributes(outcome: _Outcome) -> dict[str, Any]:
    """What tells a reader of a dead-letter queue why the event is there."""
    from ministack.services import lambda_svc

    body = outcome.answer.get("body")
    message = str(body.get("errorMessage") or body.get("message") or "") if isinstance(body, Mapping) else str(body)
    code = ("Number", "429" if outcome.answer.get("throttle") else "200")
    found = {"RequestID": ("String", lambda_svc.new_uuid()), "ErrorCode": code, "ErrorMessage": ("String", message)}
    return {name: {"DataType": kind, "StringValue": value[:1024]} for name, (kind, value) in found.items() if value}


def _send(target: str, body: str, attributes: dict[str, Any]) -> None:
    """Send to a queue, topic, function or event bus of this account."""
    from ministack.services import eventbridge, lambda_svc, sns, sqs

    service = target.split(":")[2]
    if service == "sqs":
        url = sqs._queue_url(target.rpartition(":")[2])
        with sqs._queues_lock:
            sqs._act_send_message({"QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes}, url)
    elif service == "sns":
        sns._fanout(target, lambda_svc.new_uuid(), body, "", "", attributes)
    elif service == "lambda":
        function, config, _ = lambda_svc._get_func_record_for_ref(target)
        if function is not None:
            invoke_later(lambda_svc._execution_record_for_config(function, config), json.loads(body))
    elif service == "events":
        kind = f"Lambda Function Invocation Result - {json.loads(body)['requestContext']['condition']}"
        entry = {"Source": "lambda", "DetailType": kind, "Detail": body, "EventBusName": target}
        eventbridge._put_events({"Entries": [entry]})
