"""
What the functions of a template come to.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from localstack.services.cloudformation.engine.v2.change_set_model_preproc import _AWS_URL_SUFFIX, ChangeSetModelPreproc
from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.v2.types import EngineParameter
from localstack.utils.aws.arns import get_partition

from multistack_localstack.cloudformation.engine import parameters
from multistack_localstack.cloudformation.engine.template import SUBSTITUTION, Template
from multistack_localstack.cloudformation.engine.values import NO_VALUE, Unknown, merged, text_of, unknown_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a stack is: what the pseudo parameters give."""

    account_id: str
    region: str
    stack_name: str
    stack_id: str


class Lookup(Protocol):
    """What an evaluation asks about the world outside its template."""

    def reference(self, logical_id: str) -> Any:
        """What ``Ref`` of a resource gives."""

    def attribute(self, logical_id: str, name: str) -> Any:
        """What ``Fn::GetAtt`` of a resource gives."""

    def exported(self, name: str) -> Any:
        """The value that some stack exports under *name*."""

    def zones(self, region: str) -> list[str]:
        """The availability zones of a region."""


class Evaluation:
    """One template with the values of its parameters; *lookup* says what its resources are."""

    def __init__(
        self, template: Template, given: Mapping[str, EngineParameter], *, place: Place, lookup: Lookup
    ) -> None:
        self._template = template
        self._parameters = given
        self._place = place
        self._lookup = lookup
        self._conditions: dict[str, bool | None] = {}
        self._depth = 0
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::And": lambda argument: all(map(self.resolve, argument)),
            "Fn::Base64": self._base64,
            "Fn::Cidr": self._cidr,
            "Fn::Equals": self._equals,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAtt": self._get_att,
            "Fn::GetAZs": lambda argument: self._lookup.zones(self.resolve(argument) or self._place.region),
            "Fn::If": self._if,
            "Fn::ImportValue": self._import_value,
            "Fn::Join": self._join,
            "Fn::Length": self._length,
            "Fn::Not": lambda argument: not self.resolve(argument[0] if isinstance(argument, list) else argument),
            "Fn::Or": lambda argument: any(map(self.resolve, argument)),
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
            "Fn::ToJsonString": self._to_json,
        }

    def resolve(self, value: Any) -> Any:
        """
        *value* with its functions carried out; :data:`NO_VALUE` in lists and objects is left out.

        Raises:
            ValidationError: A function is used wrongly, or what it asks for isn't there.
        """
        if isinstance(value, Mapping):
            if len(value) == 1:
                ((name, argument),) = value.items()
                if name in self._functions:
                    return _local(self._call(name, argument))
                # Elsewhere it is a property, such as the one of a policy's statement.
                if name == "Condition" and self._depth:
                    return self.condition(argument)
                if name.startswith("Fn::"):
                    raise ValidationError(f"Template error: {name} is not supported")
            made = {str(key): self.resolve(part) for key, part in value.items()}
            return {key: part for key, part in made.items() if part is not NO_VALUE}
        if isinstance(value, list):
            return [part for part in map(self.resolve, value) if part is not NO_VALUE]
        return _local(value)

    def _call(self, name: str, argument: Any) -> Any:
        try:
            return self._functions[name](argument)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValidationError(f"Template error: {name} can't be used with {argument!r}") from error

    def condition(self, name: str) -> bool:
        """Whether the condition *name* of the template holds."""
        if name not in self._conditions:
            declared = self._template.get("Conditions") or {}
            if name not in declared:
                raise ValidationError(f"Template error: unresolved condition dependency {name} in Fn::If")
            self._conditions[name] = None
            self._depth += 1
            self._conditions[name] = bool(self.resolve(declared[name]))
            self._depth -= 1
        found = self._conditions[name]
        if found is None:
            raise ValidationError(f"Template format error: Circular dependency in condition {name}")
        return found

    def is_wanted(self, part: Mapping[str, Any]) -> bool:
        """Whether the condition of a resource or an output holds; true when it has none."""
        return "Condition" not in part or self.condition(part["Condition"])

    def _pseudo(self, name: str) -> Any:
        place = self._place
        known = {
            "AWS::AccountId": place.account_id,
            "AWS::NotificationARNs": [],
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": get_partition(place.region),
            "AWS::Region": place.region,
            "AWS::StackId": place.stack_id,
            "AWS::StackName": place.stack_name,
            "AWS::URLSuffix": _AWS_URL_SUFFIX,
        }
        if name not in known:
            raise ValidationError(f"Template format error: Unresolved resource dependencies [{name}]")
        return known[name]

    def _ref(self, name: Any) -> Any:
        name = self.resolve(name)
        if name in self._parameters:
            return parameters.value(self._parameters[name])
        return self._pseudo(name) if name.startswith("AWS::") else self._lookup.reference(name)

    def _get_att(self, argument: Any) -> Any:
        parts = argument.split(".", 1) if isinstance(argument, str) else [self.resolve(part) for part in argument]
        if len(parts) < 2 or not all(isinstance(part, str) for part in parts):
            raise ValidationError(
                "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the "
                "resource attribute"
            )
        return self._lookup.attribute(parts[0], ".".join(parts[1:]))

    def _sub(self, argument: Any) -> Any:
        template, given = (argument[0], argument[1]) if isinstance(argument, list) else (argument, {})
        if not isinstance(template, str):
            raise ValidationError(
                "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments"
            )
        own = {name: self.resolve(value) for name, value in given.items()}
        unknown: list[Unknown] = []

        def value_of(name: str) -> str:
            if name in own:
                found = own[name]
            elif "." in name:
                found = self._get_att(name)
            else:
                found = self._ref(name)
            unknown.extend(unknown_in(found))
            return "" if found is NO_VALUE else text_of(found)

        made = SUBSTITUTION.sub(lambda match: f"${{{match[2]}}}" if match[1] else value_of(match[2]), template)
        return merged(unknown) if unknown else made

    def _join(self, argument: Any) -> Any:
        delimiter, parts = argument[0], self.resolve(argument[1])
        if isinstance(parts, str) and not parts:
            return ""
        if unknown := list(unknown_in(parts)):
            return merged(unknown)
        if not isinstance(parts, list):
            raise ValidationError("Template error: every Fn::Join object requires two parameters")
        return text_of(delimiter).join(map(text_of, parts))

    def _select(self, argument: Any) -> Any:
        wrong = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
        if not isinstance(argument, list) or len(argument) != 2:
            raise ValidationError(wrong)
        index, values = self.resolve(argument[0]), self.resolve(argument[1])
        if isinstance(values, Unknown):
            return values
        try:
            position = int(index)
        except (TypeError, ValueError) as error:
            raise ValidationError(wrong) from error
        if not isinstance(values, list) or not 0 <= position < len(values):
            raise ValidationError("Template error: Fn::Select cannot select nonexistent value at index " + str(index))
        return values[position]

    def _split(self, argument: Any) -> Any:
        delimiter, source = self.resolve(argument[0]), self.resolve(argument[1])
        if isinstance(source, Unknown):
            return source
        if not isinstance(source, str) or not delimiter:
            raise ValidationError(
                "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a "
                "string to be split or a function that returns a string to be split."
            )
        return source.split(delimiter)

    def _if(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 3:
            raise ValidationError("Template error: Fn::If requires a list argument with three elements")
        return self.resolve(argument[1] if self.condition(argument[0]) else argument[2])

    def _equals(self, argument: Any) -> bool:
        if not isinstance(argument, list) or len(argument) != 2:
            raise ValidationError("Template error: every Fn::Equals object requires a list of 2 string parameters.")
        one, other = map(self.resolve, argument)
        return text_of(one) == text_of(other)

    def _find_in_map(self, argument: Any) -> Any:
        keys = [text_of(self.resolve(part)) for part in argument[:3]]
        found: Any = self._template.get("Mappings") or {}
        for key in keys:
            # YAML reads an account id without quotes as a number.
            by_text = {str(name): part for name, part in found.items()} if isinstance(found, Mapping) else {}
            if key not in by_text:
                if len(argument) > 3 and "DefaultValue" in argument[3]:
                    return self.resolve(argument[3]["DefaultValue"])
                raise ValidationError(f"Template error: Unable to get mapping for {'::'.join(keys)}")
            found = by_text[key]
        return found

    def _import_value(self, argument: Any) -> Any:
        name = self.resolve(argument)
        return name if isinstance(name, Unknown) else self._lookup.exported(text_of(name))

    def _base64(self, argument: Any) -> Any:
        found = self.resolve(argument)
        return found if isinstance(found, Unknown) else base64.b64encode(text_of(found).encode()).decode()

    def _length(self, argument: Any) -> Any:
        found = self.resolve(argument)
        return found if isinstance(found, Unknown) else len(found)

    def _to_json(self, argument: Any) -> Any:
        found = self.resolve(argument)
        unknown = list(unknown_in(found))
        return merged(unknown) if unknown else json.dumps(found, separators=(",", ":"))

    def _cidr(self, argument: Any) -> Any:
        block, count, *bits = (self.resolve(part) for part in argument)
        if isinstance(block, Unknown):
            return block
        network = ipaddress.ip_network(block)
        prefix = network.max_prefixlen - int(bits[0] if bits else 8)
        subnets = network.subnets(new_prefix=prefix)
        return [str(subnet) for _, subnet in zip(range(int(count)), subnets, strict=False)]


def _local(value: Any) -> Any:
    """LocalStack serves the address of an API of AWS itself: such a text gets the host that leads there."""
    return ChangeSetModelPreproc._perform_static_replacements(value) if isinstance(value, str) else value
