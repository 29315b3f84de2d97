"""What the report says beside the figures."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.lab.project import SINGLE_TEMPLATE, TEMPLATE, sample_folder
from emulator.lab.topologies import ENVIRONMENTS
from emulator.template import expand_sam, read_template

LEAD = (
    "Somebody wants to change test and makes a mistake. In a single stack, where environments are stages and aliases"
    " of one API and one function, prod is within reach of the same command. With a stack for each environment it is"
    " not. Each mistake was made on this machine, while requests flowed to prod; what they got is below."
)
COSTS = (
    "More resources to create, to read in a console, and to watch.",
    "Config for each environment has to be written down and kept: one set of values each, not one shared set.",
    "Environments can drift apart, as each can be changed without the others.",
    "A deployment goes out once for each environment, so all of them together take longer.",
    "Accounts of their own have to be made, paid for and given access to; and quotas raised in each.",
)
RETURNS = (
    "One template describes all of them, so what differs is config and nothing else.",
    "Drift can be detected: `multistack drift` compares what stands with what was deployed.",
    "An environment can be made for a branch and thrown away with all it holds.",
    "Functions, tables and queues that nobody calls cost nothing: pay-per-use is not multiplied by environments.",
    "Permissions, quotas and logs are those of one environment.",
)
FINE = (
    "a prototype that has no customers, or a tool whose users can wait;",
    "one person who makes every change;",
    "versions of one environment's own API, for example a stage `v1` beside `v2`: a stage is good at that.",
)
ALIASES = (
    "An alias named `live` for canaries inside one stack is good practice: it moves calls between two versions of one"
    " environment. An alias is not an environment."
)
MODEL = (
    "An emulator for each environment stands for an account for each environment. It shows who shares what; it says"
    " nothing about latency, quotas or networks of AWS. The account's concurrency is set to a small number here."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """How many resources the sample is, for all of its environments."""

    single: int
    each: int

    @property
    def multi(self) -> int:
        """Of all environments together."""
        return self.each * len(ENVIRONMENTS)


def count_resources() -> Resources:
    """Counted in the sample's templates, the one for multi-stack without SAM's shorthand."""
    template = dict(read_template(sample_folder() / TEMPLATE))
    values = {name: str(one.get("Default", "1")) for name, one in template["Parameters"].items()}
    single = read_template(sample_folder() / SINGLE_TEMPLATE)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    expanded = expand_sam(template, values, region="eu-west-1")
    return Resources(single=len(single["Resources"]), each=len(expanded["Resources"]))
