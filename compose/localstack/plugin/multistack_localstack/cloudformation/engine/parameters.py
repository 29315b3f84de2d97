"""
The values of a stack's parameters: given, kept, by default, or read from the parameter store.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/parameters-section-structure.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/cloudformation-supplied-parameter-types.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.v2.types import EngineParameter

_STORED = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
MASKED = "****"


def resolve(
    declared: Mapping[str, Mapping[str, Any]],
    given: Iterable[Mapping[str, Any]],
    *,
    before: Mapping[str, EngineParameter],
    read: Callable[[str], str],
) -> dict[str, EngineParameter]:
    """
    The value of every declared parameter.

    Args:
        given: As the API has them: ``ParameterKey`` with ``ParameterValue`` or ``UsePreviousValue``.
        before: The values that the stack has.
        read: Reads a name of the parameter store; raises when it isn't there.

    Raises:
        ValidationError: A value is missing, isn't allowed, or belongs to no parameter.
    """
    values = _given_values(given, before)
    if unknown := sorted(values.keys() - declared.keys()):
        raise ValidationError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [name for name, one in declared.items() if values.get(name) is None and one.get("Default") is None]
    if missing:
        raise ValidationError(f"Parameters: [{', '.join(missing)}] must have values")
    return {name: _resolved(name, one, values.get(name), read) for name, one in declared.items()}


def _given_values(given: Iterable[Mapping[str, Any]], before: Mapping[str, EngineParameter]) -> dict[str, str]:
    values = {}
    for entry in given:
        name = entry["ParameterKey"]
        if entry.get("UsePreviousValue"):
            if name not in before:
                raise ValidationError(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter "
                    "key not in the previous template"
                )
            values[name] = text(before[name])
        elif "ParameterValue" in entry:
            values[name] = entry["ParameterValue"]
    return values


def _resolved(name: str, declared: Mapping[str, Any], given: str | None, read: Callable[[str], str]) -> EngineParameter:
    kind = str(declared.get("Type", "String"))
    default = declared.get("Default")
    parameter = EngineParameter(
        type_=kind,
        given_value=given,
        default_value=None if default is None else _default_text(default),
        no_echo=str(declared.get("NoEcho", "")).lower() == "true",
    )
    _check(name, declared, text(parameter))
    if _STORED.fullmatch(kind):
        try:
            parameter["resolved_value"] = read(text(parameter))
        except Exception as error:  # whatever the parameter store refuses by; AWS says no more of it
            raise ValidationError(
                f"Unable to fetch parameters [{text(parameter)}] from parameter store for this account."
            ) from error
    return parameter


def _default_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def text(parameter: EngineParameter) -> str:
    """What was given, or the default; for a stored parameter its name."""
    given = parameter.get("given_value")
    return str(given if given is not None else parameter.get("default_value") or "")


def value(parameter: EngineParameter) -> str | list[str]:
    """What ``Ref`` gives: a text, or a list for a type of lists."""
    kind, found = parameter["type_"], parameter.get("resolved_value")
    shown = text(parameter) if found is None else found
    if stored := _STORED.fullmatch(kind):
        kind = stored[1]
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [part.strip() for part in str(shown).split(",")] if shown else []
    return str(shown)


def _check(name: str, declared: Mapping[str, Any], given: str) -> None:
    """Refuse a value outside what the template allows."""
    kind = str(declared.get("Type", "String"))
    problem = ""
    allowed = declared.get("AllowedValues")
    pattern = declared.get("AllowedPattern")
    if kind == "Number":
        problem = _number_problem(declared, given)
        if problem == "must be a number":
            raise ValidationError(f"Parameter '{name}' must be a number.")
    elif kind == "String":
        problem = _length_problem(declared, given)
    if not problem and allowed is not None:
        permitted = {_default_text(one) for one in allowed}
        values = [part.strip() for part in given.split(",")] if kind == "CommaDelimitedList" else [given]
        if not permitted.issuperset(values):
            problem = f"must be one of AllowedValues {sorted(permitted)}"
    if not problem and pattern is not None and not re.fullmatch(str(pattern), given):
        problem = f"must match pattern {pattern}"
    if problem:
        said = declared.get("ConstraintDescription")
        reason = f"failed to satisfy constraint: {said}" if said else problem
        raise ValidationError(f"Parameter '{name}' {reason}")


def _number_problem(declared: Mapping[str, Any], given: str) -> str:
    try:
        number = float(given)
    except ValueError:
        return "must be a number"
    if (least := declared.get("MinValue")) is not None and number < float(least):
        return f"must be a number not less than {least}"
    if (most := declared.get("MaxValue")) is not None and number > float(most):
        return f"must be a number not greater than {most}"
    return ""


def _length_problem(declared: Mapping[str, Any], given: str) -> str:
    if (least := declared.get("MinLength")) is not None and len(given) < int(least):
        return f"must contain at least {least} characters"
    if (most := declared.get("MaxLength")) is not None and len(given) > int(most):
        return f"must contain at most {most} characters"
    return ""


def shown(parameters: Mapping[str, EngineParameter]) -> list[dict[str, Any]]:
    """What a description of a stack shows of its parameters."""
    described = []
    for name, parameter in parameters.items():
        entry = {"ParameterKey": name, "ParameterValue": MASKED if parameter.get("no_echo") else text(parameter)}
        if (found := parameter.get("resolved_value")) is not None:
            entry["ResolvedValue"] = MASKED if parameter.get("no_echo") else str(found)
        described.append(entry)
    return described
