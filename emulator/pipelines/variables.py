"""The variables that a step sees: what its CI system would set, over the caller's, without any way to real AWS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator.pipelines import github, gitlab
from emulator.pipelines.plan import Step, System, Trigger

# Of another CI system, or of an outer `multistack exec`: a step must not believe them.
_FOREIGN = re.compile(
    r"(?:BITBUCKET|GITHUB|GITLAB|CI|RUNNER)_.*|CI|GITLAB_CI|MULTISTACK_(?:ENVIRONMENT|URL|FILE)|GIT_.*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """
    What a whole run has in common.

    Attributes:
        caller: The caller's variables, without what could lead to real AWS.
        tools: A folder with ``multistack`` itself, last in PATH.
        number: Of the run.
        user: Who runs it, and so starts what is manual.
        project_file: Relative to the work tree, when the caller named one.
    """

    trigger: Trigger
    commit: str
    repository: str
    number: int
    caller: Mapping[str, str]
    tools: Path
    user: str = ""
    project_file: Path | None = None

    def base(self) -> dict[str, str]:
        """What comes from the caller."""
        kept = {name: value for name, value in self.caller.items() if not _FOREIGN.fullmatch(name)}
        return {**kept, "PATH": f"{kept.get('PATH', '/usr/bin:/bin')}:{self.tools}"}

    def variables(self, system: System, step: Step, copy: Path) -> dict[str, str]:
        """What the CI system sets."""
        about = {System.BITBUCKET: self._bitbucket, System.GITHUB: self._github, System.GITLAB: self._gitlab}
        named = {"MULTISTACK_FILE": str(copy / self.project_file)} if self.project_file else {}
        return {"CI": "true", **named, **about[system](step, copy)}

    def facts(self) -> dict[str, str]:
        """The context ``github``."""
        return {
            **github.facts_of(self.trigger),
            "github.sha": self.commit,
            "github.run_number": str(self.number),
            "github.run_id": str(self.number),
            "github.run_attempt": "1",
            "github.actor": self.user,
            "github.repository": f"local/{self.repository}",
            "github.workspace": ".",
            "runner.os": "Linux",
        }

    def _bitbucket(self, step: Step, copy: Path) -> dict[str, str]:
        trigger = self.trigger
        told = {
            "BITBUCKET_BUILD_NUMBER": str(self.number),
            "BITBUCKET_CLONE_DIR": str(copy),
            "BITBUCKET_COMMIT": self.commit,
            "BITBUCKET_REPO_SLUG": self.repository,
            "BITBUCKET_WORKSPACE": "local",
            "BITBUCKET_REPO_FULL_NAME": f"local/{self.repository}",
            "BITBUCKET_STEP_UUID": f"{{{step.id}}}",
            "BITBUCKET_STEP_TRIGGERER_UUID": self.user,
            **({"BITBUCKET_DEPLOYMENT_ENVIRONMENT": step.environment} if step.environment else {}),
        }
        if trigger.tag is not None:
            return {**told, "BITBUCKET_TAG": trigger.tag}
        told["BITBUCKET_BRANCH"] = trigger.branch
        if trigger.target is not None:
            told |= {"BITBUCKET_PR_ID": "1", "BITBUCKET_PR_DESTINATION_BRANCH": trigger.target}
        return told

    def _github(self, step: Step, copy: Path) -> dict[str, str]:
        names = (
            "event_name",
            "ref_name",
            "ref",
            "ref_type",
            "head_ref",
            "base_ref",
            "sha",
            "run_number",
            "run_id",
            "actor",
        )
        facts = self.facts()
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_JOB": step.id,
            "GITHUB_WORKSPACE": str(copy),
            "GITHUB_REPOSITORY": facts["github.repository"],
            "RUNNER_OS": "Linux",
            **{f"GITHUB_{name.upper()}": facts[f"github.{name}"] for name in names},
        }

    def _gitlab(self, step: Step, copy: Path) -> dict[str, str]:
        return {
            "GITLAB_CI": "true",
            "CI_PROJECT_DIR": str(copy),
            "CI_PROJECT_NAME": self.repository,
            "CI_COMMIT_SHA": self.commit,
            "CI_COMMIT_SHORT_SHA": self.commit[:8],
            "CI_PIPELINE_ID": str(self.number),
            "CI_PIPELINE_IID": str(self.number),
            "CI_JOB_NAME": step.id,
            "GITLAB_USER_LOGIN": self.user,
            **({"CI_ENVIRONMENT_NAME": step.environment} if step.environment else {}),
            **gitlab.variables_of(self.trigger),
        }


def read_pairs(text: str) -> dict[str, str]:
    """
    What a step wrote into a file of variables: ``NAME=value`` lines, and GitHub's ``NAME<<END`` over several.

    Raises:
        ValueError: A line is neither.
    """
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        several = re.fullmatch(r"([\w-]+)<<(\S+)", line)
        one = re.fullmatch(r"([\w-]+)=(.*)", line)
        if several:
            gathered = []
            for inner in lines:
                if inner == several[2]:
                    break
                gathered.append(inner)
            else:
                raise ValueError(f"{several[2]} is missing after {line!r}")
            found[several[1]] = "\n".join(gathered)
        elif one:
            found[one[1]] = one[2]
        elif line.strip():
            raise ValueError("a line in it is not NAME=value")
    return found
