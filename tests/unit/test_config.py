"""Flags, environ and project file become one project, or one clear line."""

from __future__ import annotations

import contextlib
import json
import os
import string
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import config
from emulator.config import aws_environ, load_project, process_environ, scrubbed_environ
from emulator.drivers.containers import name_of
from emulator.environment_settings import derived_account_id
from emulator.errors import ConfigError
from emulator.file_settings import FILE_ONLY
from emulator.model import (
    DriverName,
    Endpoint,
    ExpectedDifference,
    Functions,
    InspectorSettings,
    Project,
    StoreSettings,
)
from emulator.schema import (
    CompareTable,
    ConfigKeyTable,
    EnvironmentTable,
    InspectorTable,
    LocalstackTable,
    ProjectTable,
    ProxyTable,
    ReplayTable,
    SeedTable,
    SwarmTable,
    VerifyTable,
)
from emulator.settings import SETTINGS

DRIVERS = '"embedded" or "localstack" or "external" or "kubernetes" or "swarm" or "auto"'
MINIMAL = 'service = "orders"\n\n[environments.test]\n'
FULL = """\
service = "orders"
template = "app.json"
api = "Api"
region = "eu-west-1"
driver = "embedded"

[proxy]
port = 9000
timeout = 2.5
max_body = 1024

[environments.test]
account_id = "111111111111"
port = 4601

[environments.test.config]
Discount = 10
Rate = 0.5
Beta = true
Zones = ["a", "b"]
Title = "Hello"

[environments.prod]
driver = "embedded"
region = "us-west-2"
port = "auto"
protected = true
enforce_iam = true
lambda_concurrency = 5
"""

Load = Callable[..., Project]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a project file, then load it."""
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    (tmp_path / "app.json").write_text("{}\n")

    def write_and_load(
        text: str | bytes,
        environ: Mapping[str, str] = {},
        overrides: Mapping[str, object] = {},
        name: str = "multistack.toml",
    ) -> Project:
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return load_project(file=None, environ=environ, cwd=tmp_path, overrides=overrides)

    return write_and_load


def problems_of(load: Load, *args: object, **kwargs: object) -> list[str]:
    """Every line of the error that loading ends in."""
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return [caught.value.message, *caught.value.details]


def test_every_key_of_the_file_reaches_the_project(load: Load, tmp_path: Path) -> None:
    """Nothing a user writes is dropped on the way."""
    project = load(FULL)
    test, prod = project.environments
    assert (project.service, project.api, project.template) == ("orders", "Api", tmp_path / "app.json")
    assert (project.proxy.port, project.proxy.timeout, project.proxy.max_body) == (9000, 2.5, 1024)
    assert (test.account_id, test.region, test.port, test.protected) == ("111111111111", "eu-west-1", 4601, False)
    assert (prod.region, prod.port, prod.protected, prod.driver) == ("us-west-2", None, True, DriverName.EMBEDDED)
    assert (test.enforce_iam, test.lambda_concurrency) == (False, None)
    assert (prod.enforce_iam, prod.lambda_concurrency) == (True, 5)


def test_config_values_become_the_strings_cloudformation_takes(load: Load) -> None:
    """CloudFormation parameters are strings: true, 10, a,b."""
    assert load(FULL).environments[0].config == {
        "Discount": "10",
        "Rate": "0.5",
        "Beta": "true",
        "Zones": "a,b",
        "Title": "Hello",
    }


def test_defaults_fill_what_the_file_leaves_out(load: Load, tmp_path: Path) -> None:
    """A service and one environment are all that a project needs to say."""
    project = load(MINIMAL)
    (test,) = project.environments
    assert project.template == tmp_path / "template.yaml"
    assert project.api is None
    assert project.proxy.port is None
    assert (test.driver, test.region, test.port, test.config) == (DriverName.EMBEDDED, "us-east-1", None, {})


def test_an_environment_has_the_projects_seeds_or_its_own(load: Load) -> None:
    """An empty array is none; without a seed there is none."""
    own = '[environments.prod]\nseed = []\n[environments.b]\nseed = ["a", "b"]\n'
    project = load(f'{MINIMAL}{own}[seed]\nfolders = ["seeds/all"]\nafter_deploy = false\n')
    seeds = {one.name: one.seeds for one in project.environments}
    assert seeds == {"test": (Path("seeds/all"),), "prod": (), "b": (Path("a"), Path("b"))}
    assert not project.seeds_after_deploy
    assert (load(MINIMAL).environments[0].seeds, load(MINIMAL).seeds_after_deploy) == ((), True)


def test_an_automatic_proxy_port_is_none(load: Load) -> None:
    """None lets the proxy take 8080 or the next free port."""
    assert load(MINIMAL + '[proxy]\nport = "auto"\n').proxy.port is None


def test_order_in_the_file_is_the_promotion_order(load: Load) -> None:
    """Promotion follows the file, not the alphabet."""
    text = 'service = "s"\n' + "".join(f"[environments.{name}]\n" for name in ("test", "staging", "prod", "early"))
    assert [environment.name for environment in load(text).environments] == ["test", "staging", "prod", "early"]


@given(
    service=st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True), name=st.from_regex(r"[a-z]{1,9}", fullmatch=True)
)
def test_derived_account_ids_are_twelve_digits_and_differ(service: str, name: str) -> None:
    """Environments never share an account by accident, and the id survives a restart."""
    first, second = (derived_account_id(service, each) for each in (name, name + "2"))
    assert first != second
    assert len(first) == 12
    assert first[0] != "0"
    assert first == derived_account_id(service, name)


@pytest.mark.parametrize("name", ["template.yml", "template.json"])
def test_other_template_names_are_found(tmp_path: Path, name: str) -> None:
    """SAM's other spellings of the template's name work without a setting."""
    (tmp_path / name).write_text("{}")
    (tmp_path / "multistack.toml").write_text(MINIMAL)
    assert load_project(file=None, environ={}, cwd=tmp_path).template == tmp_path / name


class TestLookup:
    """Which file is the project file."""

    def test_nearest_parent_folder_wins(self, load: Load, tmp_path: Path) -> None:
        """Commands work in any folder of the project."""
        load(MINIMAL)
        below = tmp_path / "src" / "handlers"
        below.mkdir(parents=True)
        project = load_project(file=None, environ={}, cwd=below)
        assert (project.file, project.root) == (tmp_path / "multistack.toml", tmp_path)

    def test_flag_beats_variable_beats_folder(self, load: Load, tmp_path: Path) -> None:
        """The most explicit choice wins."""
        load(MINIMAL)
        for name in ("a", "b"):
            (tmp_path / f"{name}.toml").write_text(MINIMAL.replace("orders", name))
        environ = {"MULTISTACK_FILE": "a.toml"}
        assert load_project(file=None, environ=environ, cwd=tmp_path).service == "a"
        assert load_project(file=Path("b.toml"), environ=environ, cwd=tmp_path).service == "b"

    def test_pyproject_with_the_table_is_a_project_file(self, load: Load) -> None:
        """Python projects need no further file."""
        text = '[project]\nname = "x"\n[tool.multistack]\nservice = "inpy"\n[tool.multistack.environments.test]\n'
        assert load(text, name="pyproject.toml").service == "inpy"

    def test_problems_in_pyproject_name_its_line(self, load: Load) -> None:
        """Lines count from the top of the whole file."""
        text = '[project]\nname = "x"\n[tool.multistack]\nservice = 3\n[tool.multistack.environments.test]\n'
        assert problems_of(load, text, name="pyproject.toml")[0].startswith("pyproject.toml:4: service must be")

    @pytest.mark.parametrize(
        "content",
        [
            b"[project]\nname = 'x'\n",
            b"not toml about multistack",
            b"\xff\xfe multistack",
            b"tool = 3 # multistack",
            b"",
        ],
        ids=["no table", "broken", "binary", "tool is a number", "empty"],
    )
    def test_another_tools_pyproject_is_passed_over(self, load: Load, tmp_path: Path, content: bytes) -> None:
        """A pyproject.toml that is not about multistack does not end the search."""
        load(MINIMAL)
        below = tmp_path / "package"
        below.mkdir()
        (below / "pyproject.toml").write_bytes(content)
        assert load_project(file=None, environ={}, cwd=below).file == tmp_path / "multistack.toml"

    def test_broken_pyproject_with_the_table_is_reported(self, load: Load) -> None:
        """A typo does not make the project vanish."""
        assert problems_of(load, "[tool.multistack]\nservice = \n", name="pyproject.toml")[0].startswith(
            "pyproject.toml:2:"
        )

    def test_no_project_file_hints_at_init(self, tmp_path: Path) -> None:
        """The first error of a newcomer names the first command."""
        with pytest.raises(ConfigError, match=r"no multistack\.toml in") as caught:
            load_project(file=None, environ={}, cwd=tmp_path)
        assert "multistack init" in (caught.value.hint or "")


class TestPrecedence:
    """Flag > MULTISTACK_* > file > default."""

    def test_variable_beats_file(self, load: Load) -> None:
        """A variable changes a run without changing the file."""
        environ = {
            "MULTISTACK_SERVICE": "billing",
            "MULTISTACK_API": "Other",
            "MULTISTACK_PROXY_PORT": "auto",
            "MULTISTACK_PROXY_TIMEOUT": "1.5",
            "MULTISTACK_PROXY_MAX_BODY": "7",
            "MULTISTACK_ENVIRONMENT_TEST_PORT": "4700",
            "MULTISTACK_ENVIRONMENT_TEST_ACCOUNT_ID": "222222222222",
            "MULTISTACK_ENVIRONMENT_PROD_PROTECTED": "false",
            "MULTISTACK_ENVIRONMENT_PROD_ENFORCE_IAM": "false",
            "MULTISTACK_ENVIRONMENT_PROD_LAMBDA_CONCURRENCY": "7",
        }
        project = load(FULL, environ)
        test, prod = project.environments
        assert (project.service, project.api) == ("billing", "Other")
        assert (project.proxy.port, project.proxy.timeout, project.proxy.max_body) == (None, 1.5, 7)
        assert (test.port, test.account_id, prod.protected) == (4700, "222222222222", False)
        assert (prod.enforce_iam, prod.lambda_concurrency) == (False, 7)

    def test_inspector_by_variable(self, load: Load) -> None:
        """Its settings are no strings, and variables are."""
        environ = {
            "MULTISTACK_INSPECTOR_ENABLED": "false",
            "MULTISTACK_INSPECTOR_MAX_REQUESTS": "7",
            "MULTISTACK_INSPECTOR_MAX_SIZE": "2m",
            "MULTISTACK_INSPECTOR_MAX_AGE": "2h",
        }
        assert load(FULL, environ).rules.inspector == InspectorSettings(
            enabled=False, max_requests=7, max_bytes=2 * 2**20, max_age=timedelta(hours=2)
        )

    def test_flag_beats_variable(self, load: Load) -> None:
        """What is typed last counts most."""
        project = load(FULL, {"MULTISTACK_PROXY_PORT": "9001"}, {"proxy.port": 9002, "service": None})
        assert (project.proxy.port, project.service) == (9002, "orders")

    def test_general_region_variable_overrides_every_environment_but_a_specific_one_wins(self, load: Load) -> None:
        """MULTISTACK_REGION moves the whole project; naming an environment is more precise."""
        general = {"MULTISTACK_REGION": "ap-south-1"}
        specific = {**general, "MULTISTACK_ENVIRONMENT_PROD_REGION": "eu-north-1"}
        assert [each.region for each in load(FULL, general).environments] == ["ap-south-1", "ap-south-1"]
        assert [each.region for each in load(FULL, specific).environments] == ["ap-south-1", "eu-north-1"]

    def test_region_flag_overrides_every_environment_and_variable(self, load: Load) -> None:
        """A flag for all environments leaves none behind."""
        environ = {"MULTISTACK_ENVIRONMENT_PROD_REGION": "eu-north-1"}
        assert {each.region for each in load(FULL, environ, {"region": "sa-east-1"}).environments} == {"sa-east-1"}

    def test_driver_flag_may_be_the_enum(self, load: Load) -> None:
        """The command line passes what it parsed."""
        assert load(FULL, {}, {"driver": DriverName.EMBEDDED}).environments[0].driver is DriverName.EMBEDDED

    def test_empty_variable_counts_as_not_set(self, load: Load) -> None:
        """CI systems set variables to nothing."""
        assert load(FULL, {"MULTISTACK_REGION": "", "MULTISTACK_FILE": ""}).environments[0].region == "eu-west-1"

    def test_template_flag_is_relative_to_the_folder_it_is_used_in(self, load: Load, tmp_path: Path) -> None:
        """Shell completion completes from the current folder."""
        load(FULL)
        below = tmp_path / "below"
        below.mkdir()
        (below / "other.yaml").write_text("")
        project = load_project(file=None, environ={}, cwd=below, overrides={"template": Path("other.yaml")})
        assert project.template == below / "other.yaml"

    @pytest.mark.parametrize(
        ("variable", "value", "expected"),
        [
            ("MULTISTACK_CONFIG_TEST_DISCOUNT", "15", {"Discount": "15"}),
            ("MULTISTACK_CONFIG_TEST_Discount", "15", {"Discount": "15"}),
            ("MULTISTACK_CONFIG_TEST_DISCOUNT", "", {"Discount": ""}),
            ("MULTISTACK_CONFIG_TEST_Fresh", "x", {"Discount": "10", "Fresh": "x"}),
            ("MULTISTACK_CONFIG_TEST_Port", "x", {"Discount": "10", "Port": "x"}),
        ],
        ids=["any case", "exact", "empty is a value", "new key literally", "named like a setting"],
    )
    def test_config_variable_sets_a_parameter(
        self, load: Load, variable: str, value: str, expected: dict[str, str]
    ) -> None:
        """Secrets come from variables, not from the file."""
        text = MINIMAL + "[environments.test.config]\nDiscount = 10\n"
        assert load(text, {variable: value}).environments[0].config == expected

    def test_dash_in_a_name_is_an_underscore_in_a_variable(self, load: Load) -> None:
        """Shells cannot write a dash in a variable's name."""
        environ = {"MULTISTACK_ENVIRONMENT_NEW_CART_PORT": "4700", "MULTISTACK_CONFIG_NEW_CART_Size": "3"}
        environment = load('service = "s"\n[environments.new]\n[environments.new-cart]\n', environ).environments[1]
        assert (environment.port, environment.config) == (4700, {"Size": "3"})

    def test_variable_repairs_a_wrong_value_of_the_file(self, load: Load) -> None:
        """Only what counts in the end is checked."""
        assert load(MINIMAL + "[proxy]\nport = 0\n", {"MULTISTACK_PROXY_PORT": "81"}).proxy.port == 81

    def test_override_of_no_setting_names_the_nearest(self, load: Load) -> None:
        """A typing error on the command line is the user's to mend."""
        (problem,) = problems_of(load, MINIMAL, {}, {"proxy.prot": "1"})
        assert problem == "command line: unknown setting proxy.prot, did you mean proxy.port?"


WRONG_FILES = {
    "empty": ("", "multistack.toml is empty"),
    "blank": (" \n\n", "multistack.toml is empty"),
    "only a comment": ("# hello\n", "multistack.toml:1: no environments"),
    "binary": (b"service = 'x'\n\xff\xfe", "multistack.toml:2: not text in UTF-8 (byte 0xff)"),
    "nul bytes": (b"\0\0\0", "multistack.toml:1: not valid TOML: Invalid statement"),
    "syntax": ('service = "a"\nport\n', "multistack.toml:2: not valid TOML: Expected '='"),
    "ends too early": ('service = "a"\nx = [\n', 'multistack.toml:2: not valid TOML: Invalid value in "x = ["'),
    "duplicate key": ('service = "a"\nservice = "b"\n[x]\n', 'multistack.toml:2: "service" is set a second time'),
    "duplicate table": ("[proxy]\n[proxy]\n", 'multistack.toml:2: table "[proxy]" is declared a second time'),
    "nested too deeply": ("a = " + "[" * 5000, "multistack.toml is nested too deeply"),
    "number too long": ("a = " + "1" * 5000, "multistack.toml holds a value that cannot be read"),
    "too large": ("#" * 300_000, "multistack.toml has 300000 bytes"),
    "account id with a leading zero": (
        'service = "s"\n[environments.test]\naccount_id = 011111111111\n',
        "multistack.toml:3: Expected newline or end of document after a statement; put the account id in quotes",
    ),
    "no environments": ('service = "s"\n', "multistack.toml:1: no environments"),
    "empty environments": ('service = "s"\n[environments]\n', "multistack.toml:2: no environments"),
    "environments is a number": (
        'service = "s"\nenvironments = 3',
        "multistack.toml:2: environments must be a table, not 3",
    ),
    "environment is a number": (
        'service = "s"\nenvironments.test = 3',
        "multistack.toml:2: environments.test must be a table, not 3",
    ),
    "environments is an array": (
        'service = "s"\n[[environments]]\nname = "test"',
        "multistack.toml:2: environments must be a table, not an array",
    ),
    "no service": ("[environments.test]\n", "multistack.toml:1: required key service is missing"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_wrong_file_is_one_clear_line(load: Load, text: str | bytes, expected: str) -> None:
    """A broken file names itself, the line and the reason."""
    first, *_ = problems_of(load, text)
    assert first.startswith(expected)
    assert "\n" not in first


WRONG_TOP_LEVEL = {
    "service upper case": ('service = "Orders"', "service must be 1 to 40 of a-z, 0-9 and -"),
    "service too long": (f'service = "{"a" * 41}"', "service must be"),
    "service is a number": ("service = 3", "service must be 1 to 40 of a-z, 0-9 and -, starting with a letter, not 3"),
    "unknown key": ('servce = "x"', "unknown key servce, did you mean service?"),
    "unknown key unlike any": ("zzz = 1", "unknown key zzz; known here are service, template, api"),
    "unknown key with a newline": ('"a\\nb" = 1', 'unknown key "a\\nb"'),
    "driver unknown": ('driver = "docker"', f'driver must be {DRIVERS}, not "docker"'),
    "region": ('region = "europe"', 'region must be a region such as "eu-west-1", not "europe"'),
    "region with trailing newline": ('region = "eu-west-1\\n"', "region must be"),
    "template empty": ('template = ""', "template must be the path of a template"),
    "template missing": ('template = "gone.yaml"', 'template "gone.yaml" does not exist'),
    "template is a folder": ('template = "."', 'template "." does not exist or is not a file'),
    "template name too long": (f'template = "{"a" * 300}"', 'template "aaa'),
    "template with a nul": ('template = "a\\u0000b"', 'template "a\\u0000b"'),
    "api with a dash": ('api = "my-api"', "api must be the logical id of an API"),
    "proxy is a string": ('proxy = "8080"', 'proxy must be a table, not "8080"'),
    "proxy key unknown": ("proxy.prt = 1", "unknown key proxy.prt, did you mean port?"),
    "domain an address": ('proxy.domains = ["192.0.2.7"]', "proxy.domains must be an array of names"),
    "domain a name of loopback": ('proxy.domains = ["lab.localhost"]', "proxy.domains must be"),
    "domain a url": ('proxy.domains = ["https://lab.example.org"]', "proxy.domains must be"),
    "domain with a star": ('proxy.domains = ["*.example.org"]', "proxy.domains must be"),
    "domain with a port beyond": ('proxy.domains = ["lab.example.org:70000"]', "proxy.domains must be"),
    "domain too long": (f'proxy.domains = ["{"a." * 130}org"]', "proxy.domains must be"),
    "domain nobody can ask by": (
        'proxy.domains = ["lab.example.org"]',
        "proxy.domains: on 127.0.0.1 only a reverse proxy of this machine asks by such a name",
    ),
    "trusted a name": ('proxy.trusted = ["localhost"]', "proxy.trusted must be an array of addresses and networks"),
    "trusted everybody": ('proxy.trusted = ["0.0.0.0/0"]', "proxy.trusted must be"),
    "trusted with bits of a host": ('proxy.trusted = ["10.0.0.1/8"]', "proxy.trusted must be"),
    "port zero": ("proxy.port = 0", 'proxy.port must be a port from 1 to 65535 or "auto", not 0'),
    "port too high": ("proxy.port = 65536", "proxy.port must be"),
    "port as text": ('proxy.port = "8080"', "proxy.port must be"),
    "port as float": ("proxy.port = 8080.0", "proxy.port must be"),
    "port is true": ("proxy.port = true", "proxy.port must be"),
    "port huge": ("proxy.port = 0x" + "f" * 5000, "proxy.port must be"),
    "timeout negative": ("proxy.timeout = -1", "proxy.timeout must be a number of seconds above 0"),
    "timeout zero": ("proxy.timeout = 0", "proxy.timeout must be"),
    "timeout nan": ("proxy.timeout = nan", "proxy.timeout must be"),
    "timeout infinite": ("proxy.timeout = inf", "proxy.timeout must be"),
    "timeout huge": ("proxy.timeout = 0x" + "f" * 5000, "proxy.timeout must be"),
    "timeout is true": ("proxy.timeout = true", "proxy.timeout must be"),
    "max_body zero": ("proxy.max_body = 0", "proxy.max_body must be"),
    "max_size without a unit": ("inspector.max_size = 1000", "inspector.max_size must be a size"),
    "max_size too small": ('inspector.max_size = "1k"', "inspector.max_size must be a size"),
    "max_age too short": ('inspector.max_age = "1s"', "inspector.max_age must be a span of time"),
    "max_requests zero": ("inspector.max_requests = 0", "inspector.max_requests must be"),
    "redact is a string": ('inspector.redact = "iban"', "inspector.redact must be an array of names"),
    "redact without a letter": ('inspector.redact = ["-"]', "inspector.redact must be an array of names"),
    "seed is a folder": ('seed = "seeds"', 'seed must be a table, not "seeds"'),
    "seed folder unknown key": ("seed.folder = []", "unknown key seed.folder, did you mean folders?"),
    "seed folders is a string": ('seed.folders = "seeds"', "seed.folders must be an array of folders"),
    "max_body is a date": ("proxy.max_body = 2020-01-01", "proxy.max_body must be a number of bytes"),
}


@pytest.mark.parametrize(("line", "expected"), WRONG_TOP_LEVEL.values(), ids=WRONG_TOP_LEVEL.keys())
def test_wrong_setting_names_file_line_and_key(load: Load, line: str, expected: str) -> None:
    """The user can go to the line without searching."""
    service = "" if line.startswith("service") else 'service = "orders"'
    (problem,) = problems_of(load, f"{service}\n{line}\n[environments.test]\n")
    assert problem.startswith(f"multistack.toml:2: {expected}")
    assert problem.isprintable()


WRONG_ENVIRONMENT = {
    "account id as a number": (
        "account_id = 111111111111",
        'environments.test.account_id must be 12 digits in quotes, such as "111111111111", not 111111111111',
    ),
    "account id of 11 digits": ('account_id = "11111111111"', "environments.test.account_id must be 12 digits"),
    "account id in other digits": (
        'account_id = "' + "\u0661" * 12 + '"',
        "environments.test.account_id must be 12 digits",
    ),
    "unknown key": ("acount_id = 1", "unknown key environments.test.acount_id, did you mean account_id?"),
    "protected as text": ('protected = "yes"', 'environments.test.protected must be true or false, not "yes"'),
    "concurrency": ("lambda_concurrency = 0", "environments.test.lambda_concurrency must be a number of calls"),
    "region": ('region = "eu-west"', "environments.test.region must be"),
    "driver": ('driver = "docker"', f'environments.test.driver must be {DRIVERS}, not "docker"'),
    "port": ("port = 70000", "environments.test.port must be"),
    "endpoint under a path": (
        'endpoint = "http://127.0.0.1:4566/aws"',
        'environments.test.endpoint must be the URL of an emulator, without a path, such as "http://127.0.0.1:4566"',
    ),
    "seed is a table": ("seed = {}", "environments.test.seed must be an array of folders"),
    "endpoint without scheme": ('endpoint = "127.0.0.1:4566"', "environments.test.endpoint must be the URL"),
    "endpoint with half an address": ('endpoint = "http://[::1"', "environments.test.endpoint must be the URL"),
    "config is a number": ("config = 3", "environments.test.config must be a table, not 3"),
    "config value is a table": ("config.A = {}", "environments.test.config.A must be a string"),
    "config value is a date": ("config.A = 2020-01-01", "environments.test.config.A must be a string"),
    "config value is nan": ("config.A = nan", "environments.test.config.A must be"),
    "config list of numbers": ("config.A = [1, 2]", "environments.test.config.A must be"),
    "config list with a comma": ('config.A = ["a,b"]', "environments.test.config.A must be"),
    "config number huge": ("config.A = 0x" + "f" * 5000, "environments.test.config.A must be"),
    "config key": ('config."a-b" = 1', "environments.test.config.a-b cannot be a template parameter"),
    "config inline": ('config = { "a-b" = 1 }', "environments.test.config.a-b cannot be a template parameter"),
}


@pytest.mark.parametrize(("line", "expected"), WRONG_ENVIRONMENT.values(), ids=WRONG_ENVIRONMENT.keys())
def test_wrong_environment_names_file_line_and_key(load: Load, line: str, expected: str) -> None:
    """Environments are held to the same rule as the project."""
    (problem,) = problems_of(load, MINIMAL + line)
    assert problem.startswith(f"multistack.toml:4: {expected}")


WRONG_NAMES = {
    "upper case": ("Test", "must be 1 to 30 of a-z"),
    "starts with a digit": ("1st", "must be 1 to 30 of a-z"),
    "ends with a dash": ("test-", "must be 1 to 30 of a-z"),
    "too long": ("a" * 31, "must be 1 to 30 of a-z"),
    "dot": ('"a.b"', "must be 1 to 30 of a-z"),
    "slash": ('"a/b"', "must be 1 to 30 of a-z"),
    "empty": ('""', "must be 1 to 30 of a-z"),
    "newline": ('"test\\n"', "must be 1 to 30 of a-z"),
    "underscore first": ("_test", 'must not start with "_"'),
    "localhost": ("localhost", "is reserved"),
    "all": ("all", "is reserved"),
    "api": ("api", "is reserved"),
}


@pytest.mark.parametrize(("name", "expected"), WRONG_NAMES.values(), ids=WRONG_NAMES.keys())
def test_environment_name_must_work_as_host_and_path(load: Load, name: str, expected: str) -> None:
    """A name is a DNS label and a path segment, and neither is the proxy's own."""
    (problem,) = problems_of(load, f'service = "s"\n[environments.{name}]\n')
    assert problem.startswith("multistack.toml:2: environment name ")
    assert expected in problem


@pytest.mark.parametrize("name", ["a", "a" * 30, "x9", "feature-1-x"])
def test_good_environment_names_pass(load: Load, name: str) -> None:
    """The limits themselves are allowed."""
    assert load(f'service = "s"\n[environments.{name}]\n').environments[0].name == name


CLASHES = {
    "ports": ("port = 4601", "port = 4601", "environments.b.port is 4601, the port of a"),
    "accounts": (
        'account_id = "111111111111"',
        'account_id = "111111111111"',
        "environments.b.account_id is 111111111111, the account of a",
    ),
}


@pytest.mark.parametrize(("first", "second", "expected"), CLASHES.values(), ids=CLASHES.keys())
def test_environments_share_nothing(load: Load, first: str, second: str, expected: str) -> None:
    """Two emulators cannot have one port, nor two environments one account."""
    text = f'service = "s"\n[environments.a]\n{first}\n[environments.b]\n{second}\n'
    assert problems_of(load, text) == [f"multistack.toml:5: {expected}"]


EXTERNAL = {
    "no endpoint": (
        "",
        "4: required key environments.test.endpoint is missing: the driver external needs it",
    ),
    "aws": (
        'endpoint = "https://lambda.eu-west-1.amazonaws.com"',
        "6: environments.test.endpoint: lambda.eu-west-1.amazonaws.com is AWS: multistack never talks to it",
    ),
    "aws of tomorrow": (
        'endpoint = "https://sqs.eu-west-1.api.aws"',
        "6: environments.test.endpoint: sqs.eu-west-1.api.aws is AWS: multistack never talks to it",
    ),
    "a port": (
        'endpoint = "http://127.0.0.1:1"\nport = 4600',
        "7: environments.test.port: an external emulator has its own port",
    ),
    "iam": (
        'endpoint = "http://127.0.0.1:1"\nenforce_iam = true',
        "7: environments.test.enforce_iam: only the embedded driver enforces IAM, and this is external",
    ),
}


@pytest.mark.parametrize("driver", ["localstack", "auto"])
def test_an_internal_network_has_no_fixed_port(load: Load, driver: str) -> None:
    """Nothing is published from it: each `up` would restart a container that can't be where it is wanted."""
    text = f'service = "s"\ndriver = "{driver}"\n[localstack]\ninternal = true\n\n[environments.test]\nport = 4700\n'
    with pytest.raises(ConfigError) as refused:
        load(text)
    assert "7: environments.test.port: with localstack.internal no port is published" in refused.value.message
    assert load(text.replace(f'"{driver}"', '"embedded"')).environments[0].port == 4700


@pytest.mark.parametrize("driver", ["localstack", "auto"])
def test_our_own_image_has_no_use_for_the_engines_socket(load: Load, driver: str) -> None:
    """It runs functions in itself, as a user that could not open the socket."""
    text = f'service = "s"\ndriver = "{driver}"\n[localstack]\nlambda = "docker"\n\n[environments.test]\n'
    with pytest.raises(ConfigError) as refused:
        load(text)
    assert '4: localstack.lambda is "docker", for which image multistack/localstack:4.14.0 has no use' in str(
        refused.value
    )
    other = text.replace('"docker"', '"docker"\nimage = "localstack/localstack:4.14.0"')
    assert load(other).environments[0].container.functions is Functions.DOCKER


@pytest.mark.parametrize(("lines", "expected"), EXTERNAL.values(), ids=EXTERNAL.keys())
def test_an_external_emulator_needs_an_endpoint_that_is_not_aws(load: Load, lines: str, expected: str) -> None:
    """Found before anything is asked."""
    text = f'service = "s"\nallow_remote = true\n\n[environments.test]\ndriver = "external"\n{lines}\n'
    assert problems_of(load, text) == [f"multistack.toml:{expected}"]


def test_an_endpoint_may_come_from_a_variable(load: Load) -> None:
    """And is always written in the same way; two environments may share one emulator and its account."""
    text = 'service = "s"\ndriver = "external"\n[environments.a]\n[environments.b]\nendpoint = "http://[::1]:4566/"\n'
    environ = {
        "MULTISTACK_ENVIRONMENT_A_ENDPOINT": "HTTP://LocalHost:4566/",
        "MULTISTACK_ENVIRONMENT_A_ACCOUNT_ID": "111111111111",
        "MULTISTACK_ENVIRONMENT_B_ACCOUNT_ID": "111111111111",
    }
    urls = [environment.url for environment in load(text, environ).environments]
    assert urls == ["http://localhost:4566", "http://[::1]:4566"]


@pytest.mark.parametrize("host", ["localhost", "::1", "127.0.0.1:80", ""])
def test_the_proxys_host_is_an_address(load: Load, host: str) -> None:
    """Names mean several addresses, or none."""
    (problem,) = problems_of(load, f'{MINIMAL}[proxy]\nhost = "{host}"\n')
    assert problem.startswith("multistack.toml:5: proxy.host must be an IPv4 address of this machine")


def test_the_proxys_password_comes_from_a_variable(load: Load) -> None:
    """Two words are none: one for a password that is made, one for no password at all."""
    given = load(MINIMAL, {"MULTISTACK_PROXY_PASSWORD": "correct-horse-7"}).proxy
    assert (given.asks_password, given.password) == (True, "correct-horse-7")
    assert "correct" not in repr(given)
    assert load(MINIMAL).proxy.password is None
    off = load(MINIMAL + '[proxy]\npassword = "none"\n').proxy
    assert (off.asks_password, off.password) == (False, None)


@pytest.mark.parametrize(
    ("file", "variable", "flag", "said"),
    [
        ("correct-horse-7", None, None, "multistack.toml:5: proxy.password can be a password as the variable"),
        (None, None, "correct-horse-7", "command line: proxy.password can be a password as the variable"),
        (None, "correct-hor", None, 'MULTISTACK_PROXY_PASSWORD: proxy.password must be "auto", "none", or'),
        (None, "correct horse 7", None, "MULTISTACK_PROXY_PASSWORD: proxy.password must be"),
    ],
    ids=["file", "flag", "short", "space"],
)
def test_a_password_is_refused_where_others_see_it(
    load: Load, file: str | None, variable: str | None, flag: str | None, said: str
) -> None:
    """And no message shows it."""
    text = f'{MINIMAL}[proxy]\npassword = "{file}"\n' if file else MINIMAL
    with pytest.raises(ConfigError) as caught:
        load(text, {"MULTISTACK_PROXY_PASSWORD": variable or ""}, {"proxy.password": flag})
    assert caught.value.message.startswith(said)
    assert "correct" not in caught.value.message


def test_a_store_is_named_with_its_password_by_the_variable_only(load: Load) -> None:
    """The file gets committed; no message shows it, wherever it stood."""
    plain, full = "postgresql://ann@db/store", "postgresql://ann:geheim77@db/store"
    assert load(MINIMAL).store is None
    assert load(f'store = ""\n{MINIMAL}').store is None
    in_file = load(f'store = "{plain}"\nstore_timeout = 5\n{MINIMAL}').store
    assert in_file == StoreSettings(url=plain, timeout=5)
    given = {"MULTISTACK_STORE": full, "MULTISTACK_STORE_TIMEOUT": "2.5"}
    assert load(f'store = "{plain}"\n{MINIMAL}', given).store == StoreSettings(url=full, timeout=2.5)
    for text, variable in ((f'store = "{full}"\n{MINIMAL}', ""), (MINIMAL, "mysql://ann:geheim77@db/store")):
        with pytest.raises(ConfigError, match=r"store (can hold a password|must be)") as caught:
            load(text, {"MULTISTACK_STORE": variable})
        assert "geheim77" not in caught.value.message


def test_names_that_share_variables_clash(load: Load) -> None:
    """MULTISTACK_ENVIRONMENT_A_B_PORT must mean one environment."""
    problems = problems_of(load, 'service = "s"\n[environments.a-b]\n[environments.a_b]\n')
    assert any("has the same variables as" in problem for problem in problems)


def test_all_problems_come_at_once_in_the_order_of_the_file(load: Load) -> None:
    """A user fixes a file in one go."""
    text = 'service = 3\nregion = "x"\n[environments.test]\nprt = 1\n[environments.all]\n[proxy]\nport = "x"\n'
    found = [problem.split(": ")[0] for problem in problems_of(load, text)]
    assert found == [f"multistack.toml:{line}" for line in (1, 2, 4, 5, 7)]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"MULTISTACK_REGIO": "x"}, "MULTISTACK_REGIO: unknown variable, did you mean MULTISTACK_REGION?"),
        ({"MULTISTACK_ENVIRONMENT_TST_PORT": "1"}, "did you mean MULTISTACK_ENVIRONMENT_TEST_PORT?"),
        ({"MULTISTACK_CONFIG_QA_X": "1"}, "did you mean MULTISTACK_CONFIG_TEST_X?"),
        ({"MULTISTACK_CONFIG_TEST_": "1"}, "MULTISTACK_CONFIG_TEST_: unknown variable"),
        ({"MULTISTACK_CONFIG_": "1"}, "MULTISTACK_CONFIG_: unknown variable"),
        ({"MULTISTACK_": "1"}, "MULTISTACK_: unknown variable"),
        (
            {"MULTISTACK_PROXY_PORT": "http"},
            'MULTISTACK_PROXY_PORT: proxy.port must be a port from 1 to 65535 or "auto"',
        ),
        ({"MULTISTACK_PROXY_TIMEOUT": "-1"}, "MULTISTACK_PROXY_TIMEOUT: proxy.timeout must be"),
        ({"MULTISTACK_DRIVER": "docker"}, f'MULTISTACK_DRIVER: driver must be {DRIVERS}, not "docker"'),
        ({"MULTISTACK_ENVIRONMENT_TEST_PROTECTED": "maybe"}, "MULTISTACK_ENVIRONMENT_TEST_PROTECTED: environments"),
        ({"MULTISTACK_TEMPLATE": "gone"}, 'MULTISTACK_TEMPLATE: template "gone" does not exist'),
        ({"MULTISTACK_CONFIG_TEST_A": "\udcff"}, "MULTISTACK_CONFIG_TEST_A: environments.test.config.A must be"),
        ({"MULTISTACK_SERVICE": "\udcff"}, "MULTISTACK_SERVICE: service must be"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_variable_is_named(load: Load, environ: dict[str, str], expected: str) -> None:
    """The file is not blamed for what a variable says."""
    (problem,) = problems_of(load, MINIMAL, environ)
    assert expected in problem
    assert problem.startswith(next(iter(environ)))


def test_wrong_flag_is_named(load: Load) -> None:
    """Neither file nor variable is blamed for what a flag says."""
    assert problems_of(load, MINIMAL, {}, {"proxy.port": "x"})[0].startswith("command line: proxy.port must be")
    assert problems_of(load, MINIMAL, {}, {"environments.qa.port": 1}) == [
        "command line: no environment qa; there are test"
    ]


def test_missing_template_names_what_was_looked_for(tmp_path: Path) -> None:
    """The default's path is shown, since the user never typed it."""
    (tmp_path / "multistack.toml").write_text(MINIMAL)
    with pytest.raises(ConfigError, match=r'template "template\.yaml" does not exist'):
        load_project(file=None, environ={}, cwd=tmp_path)


class TestUnreadable:
    """Whatever lies at the project file's path."""

    def test_missing_file(self, tmp_path: Path) -> None:
        """A named file that is not there is not searched for elsewhere."""
        with pytest.raises(ConfigError, match=r"gone\.toml does not exist"):
            load_project(file=Path("gone.toml"), environ={}, cwd=tmp_path)

    @pytest.mark.parametrize("name", ["multistack.toml", "pyproject.toml", "x"])
    def test_folder(self, tmp_path: Path, name: str) -> None:
        """A folder is not a project file, but has one perhaps."""
        (tmp_path / name).mkdir()
        with pytest.raises(ConfigError, match=f"{name} is a folder"):
            load_project(file=Path(name), environ={}, cwd=tmp_path)

    def test_folder_found_by_search(self, tmp_path: Path) -> None:
        """The search stops at what has the right name, and says what is wrong with it."""
        (tmp_path / "multistack.toml").mkdir()
        with pytest.raises(ConfigError, match="is a folder"):
            load_project(file=None, environ={}, cwd=tmp_path)

    def test_link_to_itself(self, tmp_path: Path) -> None:
        """Errors of the operating system keep their reason."""
        (tmp_path / "multistack.toml").symlink_to("multistack.toml")
        with pytest.raises(ConfigError, match=r"multistack\.toml cannot be read: Too many levels"):
            load_project(file=None, environ={}, cwd=tmp_path)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
    def test_no_permission(self, load: Load, tmp_path: Path) -> None:
        """A file of somebody else's is refused by name."""
        (tmp_path / "multistack.toml").write_text(MINIMAL)
        (tmp_path / "multistack.toml").chmod(0)
        with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
            load_project(file=None, environ={}, cwd=tmp_path)

    def test_device(self, tmp_path: Path) -> None:
        """Reading never blocks or ends."""
        with pytest.raises(ConfigError, match="is not a regular file"):
            load_project(file=Path("/dev/zero"), environ={}, cwd=tmp_path)

    def test_pyproject_without_the_table(self, tmp_path: Path) -> None:
        """A pyproject.toml named outright must be about multistack."""
        (tmp_path / "pyproject.toml").write_text("[project]\n")
        with pytest.raises(ConfigError, match=r"has no table \[tool\.multistack\]"):
            load_project(file=Path("pyproject.toml"), environ={}, cwd=tmp_path)


@pytest.mark.parametrize(
    "text",
    ["\ufeff" + FULL, FULL.replace("\n", "\r\n")],
    ids=["byte order mark", "windows line ends"],
)
def test_files_of_windows_editors_load(load: Load, text: str) -> None:
    """An editor's habits are not the user's mistake."""
    assert load(text) == load(FULL)


def test_line_is_right_after_values_of_several_lines(load: Load) -> None:
    """Text inside a value is never taken for a key."""
    text = (
        'service = "s"\n[environments.test.config]\nA = """\nregion = 1\n"""\nB = [\n  "x",\n]\n[proxy]\n\nport = 0\n'
    )
    assert problems_of(load, text)[0].startswith("multistack.toml:11: proxy.port")


def load_bytes(content: bytes) -> None:
    """Load *content* as a project file; only a ConfigError of single lines may come out."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "template.yaml").touch()
        (folder / "multistack.toml").write_bytes(content)
        try:
            project = load_project(file=Path("multistack.toml"), environ={}, cwd=folder)
        except ConfigError as error:
            for line in (error.message, *error.details):
                assert "\n" not in line
                assert "multistack.toml" in line
        else:
            assert project.environments


@given(st.binary(max_size=300))
def test_any_bytes_load_or_are_a_config_error(content: bytes) -> None:
    """No file content can end in a traceback."""
    load_bytes(content)


VALUES = st.sampled_from(
    [
        "1",
        "-1",
        "0",
        "true",
        '""',
        '"x"',
        '"auto"',
        "nan",
        "1e400",
        "[]",
        "[[1]]",
        "{}",
        "{a=1}",
        "2020-01-01",
        "12:00:00",
        '"orders"',
        '"embedded"',
        '"eu-west-1"',
        "4601",
        '"111111111111"',
        "0xffffffffffffffffffff",
        "'''\\n'''",
    ]
)
KEYS = st.sampled_from(
    [
        "service",
        "template",
        "api",
        "region",
        "driver",
        "proxy",
        "port",
        "timeout",
        "environments",
        "test",
        "config",
        "environments.test",
        "_x",
        '"a\\nb"',
        "environments.prod.config.A",
        "environments.test.port",
        "proxy.timeout",
    ]
)
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES),
    st.builds("[{}]".format, KEYS),
    st.builds("[[{}]]".format, KEYS),
    st.text(string.printable, max_size=10),
)


@given(st.lists(STATEMENTS, max_size=8))
def test_any_toml_loads_or_is_a_config_error(statements: list[str]) -> None:
    """No arrangement of known keys and odd values can end in a traceback."""
    load_bytes("\n".join(statements).encode())


NAMES = st.sampled_from(["FILE", "REGION", "PROXY_PORT", "ENVIRONMENT_TEST_PORT", "CONFIG_TEST_A", "CONFIG_TEST", "X"])


@given(st.dictionaries(st.one_of(NAMES, st.text(max_size=20)), st.text(max_size=20)))
def test_any_variables_load_or_are_a_config_error(variables: dict[str, str]) -> None:
    """No variable can end in a traceback."""
    environ = {f"MULTISTACK_{name}": value.replace("\0", "") for name, value in variables.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "template.yaml").touch()
        (folder / "multistack.toml").write_text(MINIMAL)
        with contextlib.suppress(ConfigError):
            load_project(file=None, environ=environ, cwd=folder)


TABLES = {
    "proxy",
    "environments",
    "localstack",
    "swarm",
    "config",
    "verify",
    "auto_promote_to",
    "compare",
    "inspector",
    "replay",
    "seed",
    "services",
}


PROXY_LISTS = ("domains", "trusted")  # of the project file only
SWARM_LISTS = ("placement", "managers")


class TestSettings:
    """The table that documentation is tested against."""

    def test_every_key_of_the_schema_is_a_setting(self) -> None:
        """A setting nobody can look up does not exist."""
        keys = [setting.key for setting in SETTINGS if not setting.key.startswith("--")]
        top = [name for name in ProjectTable.model_fields if name not in TABLES]
        proxy = [f"proxy.{name}" for name in ProxyTable.model_fields if name not in PROXY_LISTS]
        containers = [f"localstack.{field.alias or name}" for name, field in LocalstackTable.model_fields.items()]
        swarm = [f"swarm.{name}" for name in SwarmTable.model_fields if name not in SWARM_LISTS]
        own = [f"environments.<name>.{name}" for name in EnvironmentTable.model_fields if name != "seed"]
        verify = [f"verify.{name}" for name in VerifyTable.model_fields if name != "checks"]
        inspector = [f"inspector.{name}" for name in InspectorTable.model_fields if name != "redact"]
        parts = [*proxy, *inspector, *verify, *containers, *swarm]
        expected = [*top, *parts, *(key.replace(".config", ".config.<Parameter>") for key in own)]
        assert sorted(keys) == sorted(expected)
        in_file = [
            "services",
            *(f"config.<Key>.{name}" for name in ConfigKeyTable.model_fields),
            "auto_promote_to",
            *(f"swarm.{name}" for name in SWARM_LISTS),
            *(f"proxy.{name}" for name in PROXY_LISTS),
            "verify.checks",
            *(f"compare.{name}" for name in CompareTable.model_fields),
            "inspector.redact",
            *(f"seed.{name}" for name in SeedTable.model_fields),
            "environments.<name>.seed",
            *(f"replay.{name}" for name in ReplayTable.model_fields),
        ]
        assert sorted(setting.key for setting in FILE_ONLY) == sorted(in_file)

    def test_keys_and_variables_are_unique(self) -> None:
        """One setting, one key, one variable."""
        assert (
            len({setting.key for setting in SETTINGS})
            == len({setting.variable for setting in SETTINGS})
            == len(SETTINGS)
        )

    def test_stated_defaults_are_the_real_ones(self) -> None:
        """The documentation shows the default that counts."""
        stated = {setting.key: setting.default for setting in SETTINGS}
        proxy = ProxyTable()
        assert stated["proxy.port"] == str(proxy.port)
        assert float(stated["proxy.timeout"]) == proxy.timeout
        assert stated["proxy.max_body"] == str(proxy.max_body)
        assert stated["inspector.max_requests"] == str(InspectorTable().max_requests)
        assert InspectorTable.model_validate({"max_size": stated["inspector.max_size"]}) == InspectorTable()
        assert InspectorTable.model_validate({"max_age": stated["inspector.max_age"]}) == InspectorTable()
        assert stated["region"] == ProjectTable.model_fields["region"].default
        assert stated["driver"] == ProjectTable.model_fields["driver"].default.value


def run_python(code: str, variables: Mapping[str, str]) -> str:
    """Run *code* in a process of its own, whose variables can change without harm."""
    root = Path(config.__file__).parent.parent
    return subprocess.check_output([sys.executable, "-c", code], text=True, cwd=root, env={**os.environ, **variables})


class TestEnviron:
    """What child processes see."""

    def test_scrubbed_environ_drops_every_way_to_real_aws(self) -> None:
        """A live key never reaches an emulator, and LocalStack's token no child that doesn't need it."""
        foreign = [
            "AWS_PROFILE",
            "SERVERLESS_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "AMAZON_X",
            "LOCALSTACK_HOST",
            "LOCALSTACK_AUTH_TOKEN",
            "BOTO_CONFIG",
            "USE_SSL",
            "EDGE_PORT",
        ]
        kept = {"PATH": "/bin", "HOME": "/root", "MY_AWS_KEY": "x", "USE_SSL2": "y", "HTTPS_PROXY": "http://proxy"}
        assert scrubbed_environ({**dict.fromkeys(foreign, "x"), **kept}) == kept

    def test_aws_environ_is_complete(self) -> None:
        """Any AWS tool reaches the environment, as its account, without a config file."""
        endpoint = Endpoint(
            environment="test", url="http://127.0.0.1:4601", account_id="111111111111", region="eu-west-1"
        )
        assert aws_environ(endpoint) == {
            "AWS_ENDPOINT_URL": "http://127.0.0.1:4601",
            "AWS_ACCESS_KEY_ID": "111111111111",
            "AWS_SECRET_ACCESS_KEY": "multistack",
            "AWS_ACCOUNT_ID": "111111111111",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_PAGER": "",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        }

    def test_isolated_process_has_no_credentials(self) -> None:
        """boto3 in this process can never find the user's real account."""
        code = (
            "import json; from emulator.config import *; before = isolate_process()\n"
            "print(json.dumps([before, process_environ()]))"
        )
        live = {"AWS_SECRET_ACCESS_KEY": "live", "https_proxy": "http://proxy", "AWS_CONFIG_FILE": "/real"}
        before, after = json.loads(run_python(code, live))
        assert {name: before[name] for name in live} == live
        assert "AWS_SECRET_ACCESS_KEY" not in after
        assert after["https_proxy"] == "http://proxy"  # pip may need it
        assert after["AWS_CONFIG_FILE"] == after["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
        assert after["AWS_EC2_METADATA_DISABLED"] == "true"

    def test_process_environ_is_a_copy(self) -> None:
        """Changing it changes nothing for anybody else."""
        process_environ()["MULTISTACK_TEST_COPY"] = "x"
        assert "MULTISTACK_TEST_COPY" not in os.environ


def test_importing_config_stays_light() -> None:
    """Help and completion answer at once."""
    code = "import sys, emulator.config; print([m for m in ('boto3', 'samtranslator', 'flask') if m in sys.modules])"
    assert run_python(code, {}).strip() == "[]"


def test_a_copy_of_a_project_has_the_environments_of_the_original(tmp_path: Path) -> None:
    """Where the state folder is a link to another project's, source is here, and what runs belongs there."""
    home, copy = tmp_path / "home", tmp_path / "copy"
    for folder in (home, copy):
        folder.mkdir()
        (folder / "multistack.toml").write_text(MINIMAL)
        (folder / "template.yaml").write_text("Resources: {}\n")
    (home / ".multistack").mkdir()
    (copy / ".multistack").symlink_to(home / ".multistack")
    original, copied = (load_project(file=None, environ={}, cwd=folder) for folder in (home, copy))
    assert (copied.root, copied.template.parent) == (copy, copy)
    assert (copied.home, copied.state) == (home, home / ".multistack")
    assert name_of(copied, "test") == name_of(original, "test")


def test_a_state_folder_that_is_kept_elsewhere_makes_no_copy(tmp_path: Path) -> None:
    """Whoever moved it to another disk has one project still, with its own names."""
    (tmp_path / "project").mkdir()
    (tmp_path / "disk" / ".multistack").mkdir(parents=True)
    (tmp_path / "project" / "multistack.toml").write_text(MINIMAL)
    (tmp_path / "project" / ".multistack").symlink_to(tmp_path / "disk" / ".multistack")
    found = load_project(file=None, environ={}, cwd=tmp_path / "project", needs_template=False)
    assert (found.home, found.copied_from) == (found.root, None)


class TestComparison:
    """``[compare]``"""

    def test_what_is_declared_reaches_the_project(self, load: Load) -> None:
        """Every key of it, with any two environments unless two are named."""
        text = """
service = "orders"
[environments.test]
[environments.prod]
[compare]
ignore_order = ["$.items"]
[[compare.expected]]
between = ["prod", "test"]
json_path = "$..at"
regex = '\\d+'
reason = "why"
[[compare.expected]]
between = "all"
header = "ETag"
"""
        rules = load(text).rules.comparison

        assert rules.ignore_order == ("$.items",)
        assert rules.expected == (
            ExpectedDifference(between=("prod", "test"), json_path="$..at", regex=r"\d+", reason="why"),
            ExpectedDifference(header="ETag"),
        )

    @pytest.mark.parametrize(
        ("declared", "problem"),
        [
            ('between = ["test", "pord"]\nregex = "a"', 'between: environment "pord" is not there; there are test'),
            ('between = ["test", "test"]\nregex = "a"', 'between: "test" and itself'),
            ('reason = "a"', "one of json_path, header and regex is needed"),
            ('json_path = "$.a"\nheader = "b"', "json_path and header: only one of them"),
            ('json_path = "$["', 'json_path: "$[" is no JSON path: '),
            ("json_path = \"$[?match(@.a, 'b')]\"", "is no JSON path: function 'match' is not defined"),
            ('header = "a b"', 'header: "a b" is no name of a header'),
            ('regex = "("', 'regex: "(" can\'t be used: '),
            ('regex = "a*"', "can't be used: it matches the empty text"),
        ],
    )
    def test_what_cant_be_declared_is_named(self, load: Load, declared: str, problem: str) -> None:
        """With the line of the file and the number of the declaration."""
        (found,) = problems_of(load, f"{MINIMAL}\n[[compare.expected]]\n{declared}\n")

        assert found.startswith("multistack.toml:")
        assert f"compare.expected, number 1: {problem}" in found or problem in found

    @pytest.mark.parametrize(
        ("wrong", "problem"),
        [
            ('regex = "("', "compare.expected, number 2: regex: "),
            ('jsonpath = "$.a"', "compare.expected, number 2: unknown key jsonpath, did you mean json_path?"),
            ("foo = 1", "number 2: unknown key foo; known here are between, json_path, header, regex, reason"),
        ],
    )
    def test_an_entry_of_an_array_is_found_by_its_line(self, load: Load, wrong: str, problem: str) -> None:
        """Not the first of its array."""
        text = f'{MINIMAL}\n[[compare.expected]]\nheader = "A"\n\n[[compare.expected]]\n'
        (found,) = problems_of(load, f"{text}{wrong}\n")
        line = text.count("\n") + ("key" in problem)
        assert found.startswith(f"multistack.toml:{line}: ")
        assert problem in found

    def test_a_path_without_order_must_be_one(self, load: Load) -> None:
        """Like all others."""
        (found,) = problems_of(load, f'{MINIMAL}\n[compare]\nignore_order = ["a b"]\n')

        assert found == 'multistack.toml:6: compare.ignore_order: "a b" is no JSON path: it has to begin with $'
