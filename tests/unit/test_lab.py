"""Experiments as data: what they are expected to do, how they are shown, what is kept of them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Generator
from dataclasses import asdict, replace
from pathlib import Path

import click
import pytest
from botocore.exceptions import ClientError

from emulator.capabilities import read_capabilities
from emulator.errors import ConfigError, MultistackError
from emulator.lab.code import BROKEN, GOOD, zip_of
from emulator.lab.experiment import UNHURT, UNSEEN, WRONG_DATA, Effect, Expected, Otherwise, fails
from emulator.lab.experiments import EXPERIMENTS, find_experiment
from emulator.lab.operator import Operator, only_show, shown
from emulator.lab.project import lab_folder, make_lab, open_project, remove_lab, sample_folder
from emulator.lab.results import Moment, Outcome, TypedLine, keep_results, read_results
from emulator.lab.running import rehearse
from emulator.lab.seen import read_seen
from emulator.lab.showing import described, details, matrix, typed_lines
from emulator.lab.topologies import Topology
from emulator.lab.traffic import ORDERS, Measurement, Sample, Verdict, enough, well
from tests.conftest import REPOSITORY
from tests.unit.lab_results import make_result

RESULT = make_result(
    requests=30,
    wrong=25,
    undone_at=0.5,
    typed=[TypedLine(phase="mistake", line="aws apigateway update-stage")],
    timeline=[Moment(at=-0.1, status=200, verdict="good"), Moment(at=0.02, status=200, verdict="wrong")],
)


def sample(sent: float, verdict: Verdict = Verdict.GOOD, status: int = 200) -> Sample:
    """A request that took a hundredth of a second."""
    return Sample(sent=sent, ended=sent + 0.01, status=status, verdict=verdict)


def measured(*samples: Sample, is_recovered: bool = True) -> Measurement:
    """A mistake made from 1 s to 1.5 s and undone from 2 s on."""
    return Measurement(samples=samples, mistake=1.0, made=1.5, undo=2.0, is_recovered=is_recovered)


FAILING = measured(
    sample(0.5),
    sample(1.1),
    sample(1.3, Verdict.FAILED, 502),
    sample(1.6, Verdict.FAILED, 502),
    sample(1.8),
    sample(2.1),
)


def test_requests_before_the_mistake_don_t_count() -> None:
    """What is told of prod is what it saw from the moment in which the operator began to type."""
    early = measured(sample(0.5, Verdict.FAILED, 500), sample(1.6))
    assert (early.hurt, early.count(Verdict.FAILED), early.count(Verdict.GOOD)) == ([], 0, 1)


def test_the_first_failure_counts_from_the_mistake() -> None:
    """A person wants to know how long nobody noticed anything."""
    assert FAILING.first_failure_after == pytest.approx(0.31)
    assert measured(sample(1.6)).first_failure_after is None


def test_the_share_is_of_the_calls_while_the_mistake_was_in_force() -> None:
    """Those sent while it was typed, or while it was undone, could be either."""
    assert FAILING.share == 0.5
    assert measured().share == 0.0


def test_recovery_counts_from_the_undo_to_the_last_hurt_call() -> None:
    """One that never came has no length."""
    late = (sample(1.6, Verdict.FAILED, 502), sample(2.2, Verdict.FAILED, 502), sample(2.4))
    assert measured(*late).recovered_after == pytest.approx(0.21)
    assert measured(*late, is_recovered=False).recovered_after is None
    assert measured(sample(1.6)).recovered_after is None


@pytest.mark.parametrize(
    ("expected", "seen", "driver", "told"),
    [
        pytest.param(fails(502, share=(0.4, 0.6)), Effect.FAILS, "embedded", "", id="as it should"),
        pytest.param(UNHURT, Effect.FAILS, "embedded", "expected unhurt, saw fails", id="hurt"),
        pytest.param(WRONG_DATA, Effect.UNHURT, "embedded", "expected wrong data, saw unhurt", id="not hurt"),
        pytest.param(fails(500), Effect.FAILS, "embedded", "expected 500, saw 502", id="another status"),
        pytest.param(
            fails(500, localstack=Otherwise(502, "is lax"), share=(0.4, 0.6)),
            Effect.FAILS,
            "localstack",
            "",
            id="a driver's own status",
        ),
        pytest.param(
            fails(502),
            Effect.FAILS,
            "embedded",
            "expected 90% to 100% of the calls to be hurt, saw 50%",
            id="too small a share",
        ),
        pytest.param(UNSEEN, Effect.UNSEEN, "embedded", "", id="no request shows it"),
    ],
)
def test_what_is_seen_is_held_against_what_is_expected(
    expected: Expected, seen: Effect, driver: str, told: str
) -> None:
    """Effect, status and share must all be as the rules of AWS have it."""
    assert expected.differs(seen, FAILING, driver) == told


def test_prod_is_well_when_the_last_requests_were() -> None:
    """A single good answer among bad ones, as a weighted alias gives, is no recovery."""
    good, bad = sample(1), sample(2, Verdict.WRONG)
    assert [well(2)(samples) for samples in ([good], [bad, good, good], [good, good, bad])] == [False, True, False]
    assert [enough(2)(samples) for samples in ([good], [good, bad])] == [False, True]


@pytest.mark.parametrize(
    ("body", "is_right"),
    [(b'{"qty": 7}', True), (b'{"qty": 1}', False), (b"[]", False), (b"\xff", False), (b"null", False)],
)
def test_a_probe_knows_prod_s_order_from_test_s(body: bytes, is_right: bool) -> None:
    """A status of 200 says nothing about whose data it is."""
    assert ORDERS[0].is_right(body) is is_right


def test_a_call_is_shown_as_it_would_be_typed() -> None:
    """Words of AWS's own command, quoted for a shell; bytes are a file."""
    parameters = {"FunctionName": "it's", "ZipFile": b"PK", "patchOperations": [{"op": "remove"}], "Size": 3}
    assert shown("lambda", "update_function_code", parameters) == (
        "aws lambda update-function-code --function-name 'it'\"'\"'s' --zip-file fileb://orders.zip "
        '--patch-operations \'[{"op": "remove"}]\' --size 3'
    )


def test_a_yes_or_no_is_an_option_of_its_own() -> None:
    """AWS's command takes no value there, and refuses one."""
    parameters = {"StackName": "orders", "UsePreviousTemplate": True, "DisableRollback": False}
    line = shown("cloudformation", "update_stack", parameters)
    assert line.endswith("--stack-name orders --use-previous-template --no-disable-rollback")


def test_the_same_is_shown_each_time() -> None:
    """What is typed hangs on no clock, so that runs can be compared; only the partner's port is free to differ."""
    for experiment in EXPERIMENTS:
        if experiment.id != "C03":
            assert described(experiment, read_seen()) == described(experiment, read_seen())


def test_a_refusal_that_keeps_prod_well_must_have_been_one() -> None:
    """An emulator that carries out what AWS refuses proves nothing by a prod that was not hurt."""

    def refuse(*_call: object) -> None:
        raise ClientError({"Error": {"Code": "NotFoundException"}}, "UpdateAlias")

    refusing = Operator({"test": None}, perform=refuse)  # type: ignore[dict-item]
    refusing.is_refused("lambda", "update_alias", Name="prod")
    assert (refusing.typed[0].answer, refusing.doubts) == ("NotFoundException", [])
    willing = Operator({"test": None}, perform=lambda *_call: {})  # type: ignore[dict-item]
    willing.is_refused("lambda", "update_alias", Name="prod")
    assert willing.doubts == ["carried out, though AWS refuses it: aws lambda update-alias --name prod"]


def test_only_showing_makes_no_call() -> None:
    """What it would answer is named; what is no AWS call isn't done either, and nothing can be found."""

    def script(operator: Operator) -> Generator[None, None, None]:
        variables = {**operator.aws("lambda", "get_function")["Environment"]["Variables"], "A": "b"}
        yield
        done = operator.does("rm -r /", lambda: pytest.fail("it was done"))
        operator.finds("something", when=bool(done))
        operator.tries("lambda", "invoke", Variables=variables)
        yield

    operator = Operator({"test": None, "prod": None}, perform=only_show)  # type: ignore[dict-item]
    lines = rehearse(script, operator)
    assert [(one.phase, one.line) for one in lines] == [
        ("set-up", "aws lambda get-function"),
        ("mistake", "rm -r /"),
        ("mistake", 'aws lambda invoke --variables \'{"A": "b"}\''),
    ]
    assert operator.findings == []


EVERYWHERE = [pytest.param(one, id=one.id) for one in EXPERIMENTS]


@pytest.mark.parametrize("experiment", EVERYWHERE)
def test_every_experiment_can_be_shown(experiment) -> None:  # type: ignore[no-untyped-def]
    """In each topology a mistake is typed; shown or run, the script is the same."""
    assert set(experiment.variants) == set(Topology)
    for topology, variant in experiment.variants.items():
        assert "mistake" in {one.phase for one in typed_lines(variant, topology)}
    assert experiment.title in described(experiment, read_seen())
    assert json.loads(json.dumps(details(experiment, read_seen()), default=asdict))["id"] == experiment.id


@pytest.mark.parametrize("experiment", EVERYWHERE)
def test_every_experiment_names_its_sources_and_needs(experiment) -> None:  # type: ignore[no-untyped-def]
    """Pages that can be read, and conformance cases that exist."""
    assert all(source.startswith("https://") for source in experiment.sources)
    assert experiment.sources
    assert set(experiment.needs) <= {case.id for case in read_capabilities().cases}


def test_ids_are_unique() -> None:
    """A result is known by its experiment's id."""
    ids = [one.id for one in EXPERIMENTS]
    assert sorted(set(ids)) == sorted(ids)


def test_an_experiment_is_found_in_whatever_case() -> None:
    """And a wrong name is answered with the nearest one."""
    assert find_experiment("x03").id == "X03"
    with pytest.raises(ConfigError) as caught:
        find_experiment("X033")
    assert caught.value.hint == "did you mean X03?"


def test_results_are_read_as_they_were_kept(tmp_path: Path) -> None:
    """A later result takes the place of one of the same experiment, topology and driver, and of no other."""
    path = tmp_path / "results.json"
    assert read_results(path) == []
    keep_results(path, [RESULT, replace(RESULT, driver="localstack")])
    keep_results(path, [replace(RESULT, seed=2)])
    assert read_results(path) == [
        replace(RESULT, seed=2, findings=[]),
        replace(RESULT, driver="localstack", findings=[]),
    ]


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2, "results": []}', '{"format": 1, "results": [{}]}'])
def test_broken_results_are_an_error_with_a_way_out(tmp_path: Path, content: str) -> None:
    """The file is for other programs too, so anybody may have written it."""
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(MultistackError, match="can't be read") as caught:
        read_results(path)
    assert caught.value.hint == f"remove it: rm {path}"


def test_the_matrix_says_what_differs_and_what_could_not_be_run() -> None:
    """Nothing is left blank without its reason."""
    results = [
        RESULT,
        replace(RESULT, topology="multi", outcome=Outcome.DIFFERS, seen="fails", told="502", reason="expected unhurt"),
        replace(RESULT, experiment="X09", outcome=Outcome.NOT_ON_DRIVER, seen="", told="", reason="no such rule"),
    ]
    assert click.unstyle(matrix(results)).splitlines() == [
        "PROD SEES  SINGLE                                    MULTI",
        "X03        200 with wrong data on 100% of the calls  502 (!)",
        "X09        not on this driver                        -",
        "X03 in multi: differs: expected unhurt",
        "X09 in single: not on this driver: no such rule",
    ]


def test_the_same_package_is_the_same_zip() -> None:
    """Publishing it twice makes one version; a broken one is another."""
    zip_of.cache_clear()
    first = zip_of(GOOD)
    zip_of.cache_clear()
    assert (zip_of(GOOD) == first, zip_of(BROKEN) == first) == (True, False)


def test_a_package_that_no_longer_fits_the_sample_is_an_error() -> None:
    """Else a bad release would be a good one, and an experiment show nothing."""
    with pytest.raises(MultistackError, match=r"lacks what v9 changes"):
        zip_of(replace(GOOD, release="v9", changes=(("app.py", "no such line", ""),)))


@pytest.mark.parametrize(
    ("beside", "lab"),
    [
        ("shop", "shop/.multistack/lab"),
        ("shop/.multistack/lab", "shop/.multistack/lab"),
        ("lab", "lab/.multistack/lab"),
    ],
)
def test_a_lab_has_no_lab(tmp_path: Path, beside: str, lab: str) -> None:
    """Commands typed inside of a lab mean that one."""
    assert lab_folder(tmp_path / beside) == tmp_path / lab


def test_a_lab_keeps_the_driver_it_was_made_with(tmp_path: Path) -> None:
    """Nothing else of the caller's settings reaches it."""
    lab = lab_folder(tmp_path)
    make_lab(lab, environ={"MULTISTACK_DRIVER": "localstack"}, overrides={})
    environ = {"MULTISTACK_DRIVER": "embedded", "MULTISTACK_ENVIRONMENT_TEST_CONFIG_PAGESIZE": "1"}
    project = open_project(lab, environ=environ, overrides={"driver": "embedded"})
    assert {(one.driver.value, one.enforce_iam) for one in project.environments} == {("localstack", False)}
    assert project.environments[0].config["PageSize"] == "5"
    make_lab(lab, environ={}, overrides={"driver": "embedded"})
    assert open_project(lab, environ={}, overrides={}).environments[0].driver.value == "localstack"


def test_a_lab_on_the_embedded_driver_enforces_iam(tmp_path: Path) -> None:
    """Experiments with roles need it."""
    make_lab(lab_folder(tmp_path), environ={}, overrides={})
    assert all(one.enforce_iam for one in open_project(lab_folder(tmp_path), environ={}, overrides={}).environments)


@pytest.mark.parametrize("driver", ["external", "auto", "docker"])
def test_a_lab_needs_emulators_of_its_own(tmp_path: Path, driver: str) -> None:
    """And nothing is made for a driver that has none."""
    with pytest.raises(ConfigError, match=f"a lab can't run on driver {driver}"):
        make_lab(lab_folder(tmp_path), environ={}, overrides={"driver": driver})
    assert list(tmp_path.iterdir()) == []


def test_removing_a_lab_leaves_what_was_there_before(tmp_path: Path) -> None:
    """A folder for state that only the lab had goes with it; one with other things in it stays."""
    make_lab(lab_folder(tmp_path), environ={}, overrides={})
    remove_lab(lab_folder(tmp_path))
    assert list(tmp_path.iterdir()) == []
    make_lab(lab_folder(tmp_path), environ={}, overrides={})
    (tmp_path / ".multistack/history.sqlite").touch()
    remove_lab(lab_folder(tmp_path))
    assert (tmp_path / ".multistack/history.sqlite").exists()


def test_the_wheel_has_all_of_the_sample_that_a_lab_needs() -> None:
    """An installation from a wheel has no sample_service beside it."""
    told = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    included = told["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    packaged = {source for source, target in included.items() if target.startswith("emulator/lab/sample/")}
    left_out = {"README.md", ".vscode", ".multistack", "__pycache__", ".pytest_cache"}
    there = {f"sample_service/{path.name}" for path in sample_folder().iterdir() if path.name not in left_out}
    assert packaged == there
