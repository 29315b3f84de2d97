"""What can be done from the page: each action is one or two commands that a person could type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.errors import ConfigError
from emulator.faults.reading import read_effects, read_lasting, read_route, read_share_option
from emulator.proxy.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """
    One more thing that an action can be told.

    Attributes:
        option: What it is on the command line, e.g. ``--by``.
        is_switch: True or false; otherwise a line of text.
        hint: What stands in an empty field.
        least: Of a whole number; None for a line of text.
        most: Of a whole number.
    """

    name: str
    label: str
    option: str
    is_switch: bool = False
    is_required: bool = False
    hint: str = ""
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """
    Attributes:
        commands: Arguments of ``multistack``, run one after the other; ``{}`` is the environment.
        will: What it will do, for whoever is about to; ``{}`` is the environment.
        interrupts: Whether requests or data are lost: confirming it must not be a slip of the keyboard.
        loses_data: Of a protected environment it needs the environment's name once more.
        codes: Exit codes that are no failure.
    """

    name: str
    label: str
    commands: tuple[tuple[str, ...], ...]
    will: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()
    interrupts: bool = False
    loses_data: bool = False
    codes: tuple[int, ...] = (0,)


CONFIRM = "confirm"
_LONGEST = 500
# Whole numbers that a browser's field can hold as they are.
_BIGGEST = 2**53 - 1
_BY = Argument(name="by", label="By", option="--by", hint="the user of this machine")
_REASON = Argument(name="reason", label="Reason", option="--reason", hint="for the ledger")
_ACTIONS = (
    Action(
        name="deploy",
        label="Deploy",
        commands=(("deploy", "{}"),),
        will=("Build the source as it is now, and deploy it into {}.",),
    ),
    Action(
        name="promote",
        label="Promote",
        commands=(("promote", "{}"),),
        will=("Verify what the environment before serves, deploy the same artifact into {}, and verify it there.",),
        arguments=(
            Argument(
                name="accept_permissions",
                label="Accept permissions that the release gains",
                option="--accept-permissions",
                is_switch=True,
            ),
        ),
    ),
    Action(
        name="approve",
        label="Approve",
        commands=(("approve", "{}"),),
        will=("Put on record that the release of the environment before may be promoted into {}.",),
        arguments=(_BY, Argument(name="for", label="Valid for", option="--for", hint="7d")),
    ),
    Action(
        name="verify",
        label="Verify",
        commands=(("verify", "{}"),),
        will=("Run the service's checks and smoke tests against what {} serves, and put the result on record.",),
    ),
    Action(
        name="rollback",
        label="Roll back",
        commands=(("rollback", "{}"),),
        will=(
            "Deploy an earlier release into {} again, with the config it had.",
            "Hold {}: no promotion until lifted.",
        ),
        arguments=(Argument(name="to", label="To release", option="--to", hint="the one before"), _REASON),
    ),
    Action(
        name="hold",
        label="Hold",
        commands=(("hold", "{}"),),
        will=("Keep promotions out of {} until the hold is lifted.",),
        arguments=(_REASON, _BY),
    ),
    Action(
        name="lift",
        label="Lift hold",
        commands=(("hold", "{}", "--lift"),),
        will=("Let promotions into {} again.",),
        arguments=(_REASON, _BY),
    ),
    Action(
        name="drift",
        label="Check drift",
        commands=(("drift", "{}"),),
        will=("Compare every resource in {} with what was deployed; nothing is changed.",),
        codes=(0, 7),
    ),
    Action(
        name="disturb",
        label="Disturb",
        commands=(("fault", "set", "{}"),),
        will=("Disturb requests to {} on purpose, until the fault is cleared, its time is up, or the proxy stops.",),
        arguments=(
            Argument(
                name="error", label="Answer with this status", option="--error", hint="e.g. 503", least=400, most=599
            ),
            Argument(name="latency", label="Hold back", option="--latency", hint="e.g. 300ms, or p50=20ms,p99=2s"),
            Argument(name="share", label="Share of the requests", option="--share", hint="100%"),
            Argument(name="route", label="Route", option="--route", hint="/**, or e.g. POST /orders"),
            Argument(name="for", label="For how long", option="--for", hint="e.g. 5m"),
            Argument(name="throttle", label="Let so many through", option="--throttle", hint="e.g. 20/s"),
            Argument(name="bandwidth", label="Bandwidth", option="--bandwidth", hint="e.g. 20kB/s"),
            Argument(name="cut", label="Break the connection after", option="--cut", hint="e.g. 1kB"),
            Argument(name="drop", label="Close the connection without an answer", option="--drop", is_switch=True),
            Argument(name="seed", label="Seed of what is drawn", option="--seed", hint="any", least=0, most=_BIGGEST),
        ),
    ),
    Action(
        name="calm",
        label="Clear faults",
        commands=(("fault", "clear", "{}"),),
        will=("Clear all faults of {}.",),
    ),
    Action(
        name="up",
        label="Start",
        commands=(("up", "{}"),),
        will=("Start {}, and deploy its release on record if its emulator has lost it.",),
    ),
    Action(
        name="restart",
        label="Restart",
        commands=(("down", "{}"), ("up", "{}")),
        will=("Stop the emulator of {} and start it again. Its data is kept; requests fail meanwhile.",),
        interrupts=True,
    ),
    Action(
        name="down",
        label="Stop",
        commands=(("down", "{}"),),
        will=("Stop the emulator of {}. Its data is kept; requests are answered with 503.",),
        interrupts=True,
    ),
    Action(
        name="reset",
        label="Reset",
        commands=(("reset", "{}", "--yes"),),
        will=("Forget all data of {}, and deploy its release on record into an empty environment.",),
        interrupts=True,
        loses_data=True,
    ),
)
ACTIONS: Mapping[str, Action] = {action.name: action for action in _ACTIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One action on one environment, as it was asked for and found to be possible."""

    action: Action
    environment: str
    arguments: Mapping[str, str | bool]

    @property
    def commands(self) -> list[list[str]]:
        """The arguments of each command; what a person typed is never taken for an option."""
        extra = [_typed(one, self.arguments[one.name]) for one in self.action.arguments if self.arguments.get(one.name)]
        first, *rest = ([part.format(self.environment) for part in command] for command in self.action.commands)
        return [[*first, *extra], *rest]


def _typed(argument: Argument, value: str | bool) -> str:
    return argument.option if argument.is_switch else f"{argument.option}={value}"


def read_order(content: Any, *, environments: Mapping[str, bool], confirmed: bool) -> Order:
    """
    The order in a request's JSON.

    Args:
        environments: Those that there are, and whether each is protected.
        confirmed: Whether it is to be carried out, and not only to be looked at.

    Raises:
        Problem: 422, it is no order; 404, no such environment; 409, it needs a confirmation, or its command would
            refuse it.
    """
    if not isinstance(content, dict) or not content.keys() <= {"action", "environment", "arguments"}:
        raise _bad("an order is an object with action, environment and arguments")
    name, environment, given = content.get("action"), content.get("environment"), content.get("arguments", {})
    if not isinstance(name, str) or name not in ACTIONS:
        raise _bad(f"action is one of {', '.join(ACTIONS)}")
    if not isinstance(environment, str) or not environment:
        raise _bad("environment is the name of one")
    action = ACTIONS[name]
    arguments = _read_arguments(action, given)
    if confirmed and action.name == "disturb":
        _check_fault(action, arguments)
    if environment not in environments:
        raise Problem(
            404, "unknown-environment", "Unknown environment", f"no environment is called {environment!r}",
            environment=environment, extra={"environments": list(environments)},
        )  # fmt: skip
    if confirmed and action.loses_data and environments[environment] and arguments.get(CONFIRM) != environment:
        detail = f"{environment} is protected: give its name as argument {CONFIRM}"
        raise Problem(409, "unconfirmed", "Confirmation missing", detail, environment=environment)
    return Order(action=action, environment=environment, arguments=arguments)


def _read_arguments(action: Action, given: Any) -> Mapping[str, str | bool]:
    if not isinstance(given, dict):
        raise _bad("arguments is an object")
    known = {one.name: one for one in action.arguments}
    confirm = Argument(name=CONFIRM, label="", option="")
    if action.loses_data:
        known[CONFIRM] = confirm
    for name, value in given.items():
        argument = known.get(name)
        if argument is None:
            raise _bad(f"{action.name} has no argument {name!r}; it has: {', '.join(known) or 'none'}")
        if argument.is_switch is not isinstance(value, bool) or not isinstance(value, (bool, str)):
            raise _bad(f"argument {name} is {'true or false' if argument.is_switch else 'a line of text'}")
        if isinstance(value, str) and (len(value) > _LONGEST or not value.isprintable()):
            raise _bad(f"argument {name} is one line of at most {_LONGEST} characters")
        if argument.least is not None and isinstance(value, str) and not _is_number(value):
            raise _bad(_wanted(argument, value))
        if argument.choices and value not in argument.choices:
            raise _bad(f"argument {name} is one of {', '.join(argument.choices)}")
    return dict(given)


def _is_number(value: str) -> bool:
    """Whether it is empty or made of digits; a schema can say that of text, and nothing about its size."""
    return not value or (value.isascii() and value.isdigit())


def _wanted(argument: Argument, value: str) -> str:
    return f"{argument.option} must be a whole number from {argument.least} to {argument.most}, not {value!r}"


def _check_fault(action: Action, arguments: Mapping[str, str | bool]) -> None:
    """What ``fault set`` would refuse is refused while the form is still there."""
    given = {name: value for name, value in arguments.items() if isinstance(value, str) and value}
    for argument in action.arguments:
        value, least, most = given.get(argument.name), argument.least, argument.most
        if value and least is not None and most is not None and not least <= int(value) <= most:
            raise _refused(_wanted(argument, value))
    try:
        read_effects(
            latency=given.get("latency"),
            throttle=given.get("throttle"),
            error=int(given["error"]) if "error" in given else None,
            drop=bool(arguments.get("drop")),
            bandwidth=given.get("bandwidth"),
            cut=given.get("cut"),
        )
        read_share_option(given.get("share"))
        read_route(given.get("route", "/**"))
        read_lasting(given.get("for"))
    except ConfigError as error:
        raise _refused(f"{error.message}; {error.hint}" if error.hint else error.message) from error


def order_schemas() -> list[Mapping[str, Any]]:
    """What :func:`read_order` takes, as a JSON schema for each action."""
    line = {"type": "string", "maxLength": _LONGEST, "pattern": r"^[ -~]*$"}
    schemas: list[Mapping[str, Any]] = []
    for action in _ACTIONS:
        arguments: dict[str, Any] = {
            one.name: {"type": "boolean"}
            if one.is_switch
            else line | {"description": one.label} | ({} if one.least is None else {"pattern": "^[0-9]*$"})
            for one in action.arguments
        }
        if action.loses_data:
            arguments[CONFIRM] = line | {"description": "The environment's name, where it is protected"}
        schemas.append(
            {
                "title": action.label,
                "type": "object",
                "required": ["action", "environment"],
                "additionalProperties": False,
                "properties": {
                    "action": {"const": action.name},
                    "environment": {"type": "string", "minLength": 1},
                    "arguments": {"type": "object", "additionalProperties": False, "properties": arguments},
                },
            }
        )
    return schemas


def _refused(detail: str) -> Problem:
    return Problem(409, "refused", "Not possible", detail)


def _bad(detail: str) -> Problem:
    return Problem(422, "bad-order", "Not possible", detail)
