"""Environments in emulators that somebody else runs."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from emulator.endpoint import client
from emulator.model import Endpoint
from emulator.stack import describe
from tests.conftest import ProjectFolder
from tests.functional.emulators import Emulator, running
from tests.functional.servers import certificate, silent_server, way_to, web_server
from tests.functional.tiny import TEMPLATE, get, refused, tiny_project, write

pytestmark = pytest.mark.embedded("an emulator of its own stands for somebody else's")
ACCOUNT, REGION = "111111111111", "us-east-1"
CONFIG, ERROR, NOT_READY, DEPLOY = 2, 1, 3, 4
CREATE_STACK = json.dumps(
    {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}}}
)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that multistack did not start; its account is that of the tiny service."""
    with running(tmp_path_factory.mktemp("theirs"), account=ACCOUNT, region=REGION) as emulator:
        yield emulator


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProjectFolder]:
    """The tiny service, its environment not yet said to be external."""
    with tiny_project(tmp_path) as project:
        yield project


@pytest.fixture
def external(project: ProjectFolder, theirs: Emulator) -> Iterator[ProjectFolder]:
    """The tiny service in their emulator, from which it is gone afterwards."""
    use(project, theirs.endpoint.url)
    yield project
    if describe(theirs.endpoint, "tiny-test") is not None:
        theirs.client("cloudformation").delete_stack(StackName="tiny-test")


def use(project: ProjectFolder, url: str, more: str = "", *, account: str = ACCOUNT) -> None:
    """Let the environment ``test`` be in the emulator at *url*."""
    content = (
        f'service = "tiny"\n[environments.test]\ndriver = "external"\naccount_id = "{account}"\nendpoint = "{url}"\n'
    )
    write(project, "multistack.toml", content + more)


def test_up_deploys_and_down_leaves_it_running(external: ProjectFolder, theirs: Emulator) -> None:
    """The proxy serves it, a second `up` has nothing to do, and the emulator is there after `down` as it was before."""
    external.run("up")
    assert get(external).body == b"one"
    row = external.status()["test"]
    assert (row["status"], row["driver"], row["endpoint"]) == ("ready", "external", theirs.endpoint.url)
    assert "nothing to do" in external.run("up").stderr
    done = external.run("down")
    assert f"test  keeps running {theirs.endpoint.url}, which is not multistack's to stop" in done.stderr
    assert done.stdout == "stopped the proxy\n"
    assert describe(theirs.endpoint, "tiny-test") is not None
    assert external.status()["test"]["status"] == "ready"


def test_reset_forgets_our_data_and_nobody_elses(external: ProjectFolder, theirs: Emulator) -> None:
    """Table items, objects and logs of the stack go; what others have in the account stays."""
    write(external, "template.yaml", TEMPLATE + BUCKET)
    external.run("up")
    get(external)
    s3, logs = theirs.client("s3"), theirs.client("logs")
    (bucket,) = [one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith("tiny-test")]
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"order")
    theirs.client("ssm").put_parameter(Name="theirs", Value="1", Type="String", Overwrite=True)
    (group,) = [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]
    external.run("reset")
    assert group not in [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]
    assert get(external).body == b"one"
    (bucket,) = [one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith("tiny-test")]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert theirs.client("ssm").get_parameter(Name="theirs")["Parameter"]["Value"] == "1"


BUCKET = """
  Files:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {Status: Enabled}
"""


@pytest.mark.parametrize("command", [("up",), ("deploy",), ("reset",)], ids=" ".join)
def test_a_strangers_stack_of_our_name_is_never_touched(
    external: ProjectFolder, theirs: Emulator, command: tuple[str, ...]
) -> None:
    """A stack that multistack made carries its tags; any other one is somebody's."""
    cloudformation = theirs.client("cloudformation")
    cloudformation.create_stack(StackName="tiny-test", TemplateBody=CREATE_STACK)
    before = describe(theirs.endpoint, "tiny-test")
    said = refused(external, *command, code=DEPLOY)
    assert "has a stack tiny-test that is not multistack's" in said
    assert describe(theirs.endpoint, "tiny-test") == before


def test_snapshots_are_refused(external: ProjectFolder) -> None:
    """In one line, and none is left behind."""
    external.run("up")
    said = refused(external, "snapshot", "save", "before", code=ERROR)
    assert "environment test: the state of an emulator that somebody else runs can't be saved" in said
    assert "no snapshots" in external.run("snapshot", "list").stderr


def test_two_environments_share_one_with_an_account_each(external: ProjectFolder, theirs: Emulator) -> None:
    """Names of buckets are taken for all accounts at once, which stops neither; each has its own stack."""
    more = (
        f'[environments.prod]\ndriver = "external"\naccount_id = "333333333333"\nendpoint = "{theirs.endpoint.url}"\n'
    )
    use(external, theirs.endpoint.url, more)
    done = external.run("up")
    prod = Endpoint(environment="prod", url=theirs.endpoint.url, account_id="333333333333", region=REGION)
    assert describe(prod, "tiny-prod") is not None
    assert describe(theirs.endpoint, "tiny-prod") is None
    # MiniStack calls the APIs of its own account only, and whoever uses it is told.
    assert (
        "prod: its emulator calls APIs of its own account only: set environments.prod.account_id to 111" in done.stdout
    )
    client(prod, "cloudformation").delete_stack(StackName="tiny-prod")


def test_what_another_driver_ran_is_stopped_once_the_external_one_is_there(
    project: ProjectFolder, theirs: Emulator
) -> None:
    """Changing the driver leaves nothing behind; a new one that isn't there costs the old one nothing."""
    project.run("up")
    use(project, "http://127.0.0.1:1")
    assert "nothing answers" in refused(project, "up", code=NOT_READY)
    assert len(project.processes()) >= 2  # the emulator and the proxy
    use(project, theirs.endpoint.url)
    done = project.run("up")
    assert "stopped because driver changed from embedded to external" in done.stderr
    assert get(project).body == b"one"
    project.run("down")
    assert project.processes() == []


def test_one_that_comes_back_is_served_without_a_command(
    project: ProjectFolder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It is not ours to start, so nobody has to tell the proxy that somebody did."""
    with ExitStack() as elsewhere:
        folder = tmp_path_factory.mktemp("away")
        emulator = elsewhere.enter_context(running(folder, account=ACCOUNT, region=REGION))
        port = elsewhere.enter_context(way_to(int(emulator.endpoint.url.rpartition(":")[2])))
        use(project, f"http://127.0.0.1:{port}")
        project.run("up")
        elsewhere.pop_all().close()
        assert get(project).status == 503
        assert project.status()["test"]["reason"].startswith("nothing answers at")
    project.run("down", "test")
    routes = json.loads((project.folder / ".multistack/routes.json").read_text())
    assert routes[0]["url"] == f"http://127.0.0.1:{port}"


def test_https_and_ipv6(project: ProjectFolder, theirs: Emulator, tmp_path: Path) -> None:
    """Commands, proxy and AWS tools get through; a certificate that nobody vouches for is refused before."""
    port = int(theirs.endpoint.url.rpartition(":")[2])
    context, authority = certificate(tmp_path)
    with way_to(port, tls=context) as secure:
        use(project, f"https://127.0.0.1:{secure}")
        assert "is not trusted: self-signed certificate" in refused(
            project, "up", code=NOT_READY, env={"SSL_CERT_FILE": ""}
        )
        trusted = {"SSL_CERT_FILE": str(authority)}
        project.run("up", env=trusted)
        assert get(project).body == b"one"
        found = project.run("exec", "test", "--", "aws", "sts", "get-caller-identity", env=trusted)
        assert json.loads(found.stdout)["Account"] == ACCOUNT
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with way_to(port, host="::1") as six:
        use(project, f"http://[::1]:{six}/")
        project.run("up")
        assert get(project).body == b"one"
    project.run("down")
    theirs.client("cloudformation").delete_stack(StackName="tiny-test")


def test_what_is_no_emulator_is_told_from_one(project: ProjectFolder) -> None:
    """Each is one line that says what was found, with the key to correct."""
    with web_server(body=b"<html>hello</html>") as page:
        use(project, page.url)
        said = refused(project, "up", code=NOT_READY)
        assert f"what answers at {page.url} is no emulator: it has no /_localstack/health" in said
        assert "correct environments.test.endpoint" in said
        assert page.asked
    with web_server(status=503) as ill:
        use(project, ill.url)
        assert "is not healthy: HTTP 503" in refused(project, "up", code=NOT_READY)
    with silent_server() as url:
        use(project, url)
        assert f"what listens at {url} does not answer within 2 s" in refused(project, "up", code=NOT_READY)
        use(project, url.replace("http:", "https:"))
        assert re.search(r"nothing answers|speaks no TLS", refused(project, "up", code=NOT_READY))


def test_no_redirect_is_followed(project: ProjectFolder) -> None:
    """Whoever answers at the endpoint can't send commands elsewhere."""
    with (
        web_server(body=b'{"services": {"s3": "running"}}') as other,
        web_server(status=307, headers={"Location": f"{other.url}/_localstack/health"}) as server,
    ):
        use(project, server.url)
        assert "redirects to" in refused(project, "up", code=NOT_READY)
        endpoint = Endpoint(environment="test", url=server.url, account_id=ACCOUNT, region=REGION)
        with pytest.raises(ClientError):
            client(endpoint, "ssm").get_parameters(Names=["any"])
        assert server.asked
        assert other.asked == []


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        pytest.param("http://93.184.216.34:4566", CONFIG, "is neither on this machine nor in a private", id="remote"),
        pytest.param(
            "http://host.invalid:4566", NOT_READY, "the host of http://host.invalid:4566 can't be", id="no host"
        ),
        pytest.param("http://127.0.0.1:1", NOT_READY, "nothing answers at http://127.0.0.1:1 (Connection", id="nobody"),
        pytest.param("http://s3.amazonaws.com", CONFIG, "s3.amazonaws.com is AWS", id="aws"),
    ],
)
def test_a_wrong_address_is_one_line(project: ProjectFolder, url: str, code: int, said: str) -> None:
    """Whatever is wrong with it."""
    use(project, url)
    assert said in refused(project, "up", code=code)


def test_a_remote_one_can_be_allowed(project: ProjectFolder) -> None:
    """For one run by a flag; AWS not even then."""
    use(project, "http://192.0.2.1:4566")  # no such network; before that it is private to Python
    assert "nothing answers" in refused(project, "--allow-remote", "up", code=NOT_READY)
    use(project, "http://s3.amazonaws.com")
    assert "multistack never talks to it" in refused(project, "--allow-remote", "up", code=CONFIG)
