"""What single properties of a resource ask for that the embedded emulator doesn't do, though it accepts them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emulator.http_api_parameters import problem, unknown_variables
from emulator.references import names_in
from emulator.template import Template

Properties = Mapping[str, Any]
# What it lacks, and what comes closest.
Told = tuple[str, str]

_FUNCTION_INSTEAD = "a function in between"
# What HTTP APIs ask without a function, as their subtypes begin.
_ASKED = frozenset({"EventBridge", "Kinesis", "SQS", "StepFunctions"})
# Where rules of EventBridge deliver to, as the service in an ARN.
_TARGETS = frozenset({"events", "lambda", "sns", "sqs", "states"})
# Variables of a gateway response's template that are filled in; others stay as they are written.
_FILLED = frozenset(
    {"error.message", "error.messageString", "error.responseType", "requestId", "resourcePath", "stage", "status"}
)
_VARIABLE = re.compile(r"\$\{?context\.([A-Za-z.]+)")


def shortfalls(kind: str, properties: Properties, template: Template) -> Iterator[Told]:
    """Everything about a resource of the plain *template* that would otherwise show only when it is used."""
    if kind in _BY_TYPE:
        yield from _BY_TYPE[kind](properties, template)


def _of_http_integration(properties: Properties, _template: Template) -> Iterator[Told]:
    yield from _unasked(properties.get("IntegrationSubtype"), properties.get("RequestParameters"))


def _of_http_api(properties: Properties, _template: Template) -> Iterator[Told]:
    told = [
        one
        for integration in _values_of(properties.get("Body"), ("x-amazon-apigateway-integration",))
        if isinstance(integration, dict)
        for one in _unasked(
            integration.get("integrationSubtype") or integration.get("subtype"), integration.get("requestParameters")
        )
    ]
    yield from dict.fromkeys(told)


def _unasked(subtype: Any, parameters: Any) -> Iterator[Told]:
    """What comes of an integration that asks a service itself."""
    if not isinstance(subtype, str):
        return
    given = parameters if isinstance(parameters, dict) else {}
    if refused := problem(subtype, given):
        yield f"its creation fails, as on AWS: {refused}", "what API Gateway's list of integration subtypes says"
    elif subtype.partition("-")[0] not in _ASKED:
        yield f"its calls get 500: HTTP APIs can't ask for {subtype}", _FUNCTION_INSTEAD
    elif unknown := [f"$context.{name}" for name in unknown_variables(given)]:
        yield f"its calls get 400: {', '.join(unknown)} is not known here", "$context.requestId, or a function"


def _of_method(properties: Properties, _template: Template) -> Iterator[Told]:
    integration = properties.get("Integration")
    if isinstance(integration, dict):
        mappings = _values_of(integration.get("IntegrationResponses"), ("ResponseTemplates", "ResponseParameters"))
        yield from _unmapped(integration.get("Type"), integration.get("RequestTemplates"), any(mappings))


def _unmapped(kind: Any, request_templates: Any, is_response_mapped: bool) -> Iterator[Told]:
    """What comes of an integration of this *kind* that has templates, or has none."""
    if str(kind).upper() == "HTTP" and (request_templates or is_response_mapped):
        yield (
            "it passes requests and answers as they are: templates of HTTP integrations aren't evaluated",
            "HTTP_PROXY",
        )
    if str(kind).upper() == "MOCK" and not request_templates:
        yield "its calls get 500, as on AWS: no request template names a statusCode", '{"statusCode": 200}'


def _of_rest_api(properties: Properties, _template: Template) -> Iterator[Told]:
    body = properties.get("Body")
    told: dict[Told, None] = {}
    for one in _values_of(body, ("x-amazon-apigateway-integration",)):
        if isinstance(one, dict):
            mappings = _values_of(one.get("responses"), ("responseTemplates", "responseParameters"))
            told |= dict.fromkeys(_unmapped(one.get("type"), one.get("requestTemplates"), any(mappings)))
    yield from told
    responses = body.get("x-amazon-apigateway-gateway-responses") if isinstance(body, dict) else None
    yield from _unfilled(responses)


def _of_gateway_response(properties: Properties, _template: Template) -> Iterator[Told]:
    yield from _unfilled(properties.get("ResponseTemplates"))


def _unfilled(responses: Any) -> Iterator[Told]:
    names = dict.fromkeys(_VARIABLE.findall(json.dumps(responses, default=str)))
    if unknown := [f"$context.{name}" for name in names if name.rstrip(".") not in _FILLED]:
        yield f"gateway responses don't fill in {', '.join(unknown)}", "$context.error.messageString"


def _of_url(properties: Properties, _template: Template) -> Iterator[Told]:
    if properties.get("InvokeMode") == "RESPONSE_STREAM":
        yield "nothing is streamed, and Node has no awslambda.streamifyResponse", "InvokeMode: BUFFERED"


def _of_stage(properties: Properties, _template: Template) -> Iterator[Told]:
    methods = [one for one in properties.get("MethodSettings") or [] if isinstance(one, dict)]
    is_logged = any(one.get("LoggingLevel", "OFF") != "OFF" for one in methods)
    if is_logged or properties.get("AccessLogSetting") or properties.get("AccessLogSettings"):
        yield "its calls aren't logged in CloudWatch", "`multistack requests`"
    if properties.get("CacheClusterEnabled") is True or any(one.get("CachingEnabled") is True for one in methods):
        yield "nothing is cached", "try it on AWS"


def _of_function(properties: Properties, _template: Template) -> Iterator[Told]:
    logging = properties.get("LoggingConfig")
    is_json = isinstance(logging, dict) and logging.get("LogFormat") == "JSON"
    if is_json and str(properties.get("Runtime")).startswith("nodejs"):
        yield "its log is text: LogFormat JSON is for Python only", "Powertools' logger, or another that writes JSON"


def _of_state_machine(properties: Properties, _template: Template) -> Iterator[Told]:
    logging = properties.get("LoggingConfiguration")
    if isinstance(logging, dict) and logging.get("Level", "OFF") != "OFF":
        yield "its executions aren't logged", "`aws stepfunctions get-execution-history` within `multistack exec`"


def _of_subscription(properties: Properties, _template: Template) -> Iterator[Told]:
    protocol = properties.get("Protocol")
    if protocol in ("application", "email", "email-json", "sms"):
        yield f"nothing is sent by {protocol}", "a queue that subscribes as well"


def _of_topic(properties: Properties, template: Template) -> Iterator[Told]:
    for one in properties.get("Subscription") or []:
        if isinstance(one, dict):
            yield from _of_subscription(one, template)


def _of_rule(properties: Properties, template: Template) -> Iterator[Told]:
    for target in properties.get("Targets") or []:
        arn = target.get("Arn") if isinstance(target, dict) else None
        service = _service_of(arn, template)
        if service and service not in _TARGETS:
            yield f"nothing reaches its target in {service}", _FUNCTION_INSTEAD


def _of_pipe(properties: Properties, template: Template) -> Iterator[Told]:
    source, target = (_service_of(properties.get(name), template) for name in ("Source", "Target"))
    if source not in ("", "dynamodb"):
        yield f"nothing leaves {source}: only streams of DynamoDB are piped", "a function with the source as its event"
    elif target not in ("", "sns", "states"):
        yield f"nothing reaches {target}: topics and state machines are piped to", _FUNCTION_INSTEAD
    given = properties.get("SourceParameters") or {}
    ignored = ["filters"] if isinstance(given, dict) and "FilterCriteria" in given else []
    ignored += ["enrichment"] if properties.get("Enrichment") else []
    ignored += ["input templates"] if "InputTemplate" in (properties.get("TargetParameters") or {}) else []
    if ignored:
        yield f"it pays no attention to {', '.join(ignored)}", _FUNCTION_INSTEAD


def _of_alarm(properties: Properties, _template: Template) -> Iterator[Told]:
    namespace = str(properties.get("Namespace", ""))
    if namespace == "AWS/Lambda":
        yield (
            "calls that events and APIs make are not measured, only direct ones",
            "metrics that functions put themselves",
        )
    elif namespace.startswith("AWS/"):
        yield f"it never goes off: nothing is measured in {namespace}", "metrics that functions put themselves"


def _of_metric_filter(_properties: Properties, _template: Template) -> Iterator[Told]:
    yield "it counts nothing", "metrics that functions put themselves"


def _service_of(arn: Any, template: Template) -> str:
    """The service whose ARN it is, as ARNs name it; empty when that isn't known."""
    if isinstance(arn, str):
        parts = arn.split(":")
        return parts[2] if parts[0] == "arn" and len(parts) > 2 else ""
    for name in names_in(arn):
        if name in template["Resources"]:
            service = str(template["Resources"][name]["Type"]).split("::")[1].lower()
            return {"stepfunctions": "states", "kinesisfirehose": "firehose"}.get(service, service)
    return ""


def _values_of(value: Any, keys: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _values_of(item, keys)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in keys:
                yield item
            yield from _values_of(item, keys)


_BY_TYPE: Mapping[str, Callable[[Properties, Template], Iterator[Told]]] = {
    "AWS::ApiGateway::GatewayResponse": _of_gateway_response,
    "AWS::ApiGateway::Method": _of_method,
    "AWS::ApiGateway::RestApi": _of_rest_api,
    "AWS::ApiGateway::Stage": _of_stage,
    "AWS::ApiGatewayV2::Api": _of_http_api,
    "AWS::ApiGatewayV2::Integration": _of_http_integration,
    "AWS::ApiGatewayV2::Stage": _of_stage,
    "AWS::CloudWatch::Alarm": _of_alarm,
    "AWS::Events::Rule": _of_rule,
    "AWS::Lambda::Function": _of_function,
    "AWS::Lambda::Url": _of_url,
    "AWS::Logs::MetricFilter": _of_metric_filter,
    "AWS::Pipes::Pipe": _of_pipe,
    "AWS::SNS::Subscription": _of_subscription,
    "AWS::SNS::Topic": _of_topic,
    "AWS::StepFunctions::StateMachine": _of_state_machine,
}
