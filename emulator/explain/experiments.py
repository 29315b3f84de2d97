"""What prod sees in each experiment of the lab when environments share a stack, in a few words."""

from __future__ import annotations

from collections.abc import Mapping

SEEN_BY_PROD: Mapping[str, str] = {
    "X01": "a bad version put into prod's alias instead of test's: 502 on every call",
    "X02": "a stage variable that names no alias: 500 on every call",
    "X03": "prod's stage variable names test's table: 200 with test's data, in silence",
    "X04": "prod's alias on $LATEST, and a developer updates the code: 502 at once",
    "X05": "variables are frozen in a version, so promoting test's takes test's table along: 200 with test's data",
    "X06": "a deployment with another AutoPublishAlias deletes prod's alias: 500",
    "X07": "somebody deletes “the test function”: 500",
    "X08": "a load test on test uses up the function's reserved concurrency: 500",
    "X09": "reserved concurrency set to 0 to stop a runaway test: 500",
    "X10": "a load test uses up the account's concurrency: 500, for several stacks in one account too",
    "X11": "test's role tightened: 502, access denied",
    "X12": "a clean-up job of test reaches prod's table: rows gone",
    "X13": "a half-done edit of a route, then somebody redeploys the API: 403 on that route",
    "X14": "a release under test renames a field in the shared table: 502 from the old code",
    "X15": "a weighted alias left unfinished: a share of the calls answers 502",
    "X16": "test logs what it should not: the lines stand in prod's log group",
    "X17": "an alias without permission to be invoked: 500",
    "X18": "a consumer of test takes messages from the shared queue: prod's are gone",
    "X19": "a failed update leaves the stack stuck: prod's hotfix has to wait",
}
