"""Lab 2: what differs between environments is config, and no line of code."""

from __future__ import annotations

from emulator.lint.check import lint, service_paths
from emulator.lint.finding import Words
from emulator.workshop.lab import PROXY, Check, Edit, Lab, Step
from emulator.workshop.scene import NAMES, Scene, one_digest, ready

_KEY = "PageSize"
_IN_SOURCE = 'RECEIPT_SECRET = "Zk7-pQ93-vLx2-Rt58-Ny41"'


def clean_source(scene: Scene) -> str | None:
    """Neither an environment's name nor a secret stands in the source."""
    project = scene.workspace.project
    found = lint(service_paths(project), Words.of(project), cwd=scene.folder)
    if not found:
        return None
    first = found[0]
    return f"{first.file}:{first.line}: {first.message}; {first.advice}"


def no_default(scene: Scene) -> str | None:
    """A key that somebody forgets is missed at deployment."""
    key = scene.workspace.project.config_keys.get(_KEY)
    if key is None:
        return f"multistack.toml no longer declares {_KEY}; `multistack workshop reset 2` brings it back"
    if key.default is None:
        return None
    return f"{_KEY} has a default, so nobody notices that prod has no value: take it out of [config.{_KEY}]"


def three_configs(scene: Scene) -> str | None:
    """Every environment has a config of its own."""
    hashes = {one.release.config_hash for one in scene.current().values()}
    return None if len(hashes) == len(NAMES) else "two environments have the same config; `multistack config list`"


def deployed(scene: Scene) -> str | None:
    """What was mended is what runs."""
    digest = scene.workspace.build().digest
    old = [name for name, one in scene.current().items() if one.release.digest != digest]
    return f"{', '.join(old)}: serves older source; `multistack deploy`" if old else None


def orders_answer(scene: Scene) -> str | None:
    """Every environment reads its own table."""
    for name in NAMES:
        reply = scene.get(name, "/orders")
        if reply.status != 200:
            return f"{name} answers GET /orders with {reply.status or 'nothing'}; `multistack logs {name}` says why"
    return None


LAB = Lab(
    number=2,
    name="config",
    title="Config in the environment",
    minutes=25,
    goal="one artifact, three configs; a forgotten key fails the deployment and no request",
    edits=(
        Edit(
            "template.yaml",
            "      BillingMode: PAY_PER_REQUEST\n",
            '      TableName: !Sub "orders-${MultistackEnvironment}"\n      BillingMode: PAY_PER_REQUEST\n',
        ),
        Edit("src/settings.py", 'table=environ["TABLE"],', 'table="orders-test",'),
        Edit(
            "src/app.py",
            'receipt_key=Cached(lambda: load_secret(client("secretsmanager"), settings.receipt_key)),',
            "receipt_key=lambda: Secret(RECEIPT_SECRET),",
        ),
        Edit("src/app.py", "LONGEST_REASON = 300", f"{_IN_SOURCE}\nLONGEST_REASON = 300"),
        Edit("multistack.toml", 'type = "integer"\n', 'type = "integer"\ndefault = 50\n'),
        Edit("multistack.toml", "PageSize = 50\n", ""),
    ),
    checks=(
        Check("test, staging and prod run", ready),
        Check("no environment's name and no secret in the source", clean_source),
        Check(f"{_KEY} has no default: whoever forgets it can't deploy", no_default),
        Check("what runs is the source of now", deployed),
        Check("one digest: the same artifact serves in all of them", one_digest),
        Check("three config hashes", three_configs),
        Check("every environment answers GET /orders", orders_answer),
    ),
    hints=(
        "Ask staging for its orders, and read its log. Then let `multistack lint` look at the source.",
        'The template passes the table as TABLE: `environ["TABLE"]`. `load_secret` reads the key from Secrets Manager. '
        "In multistack.toml, [config.PageSize] needs no default, and prod needs a value.",
        'src/settings.py: `table=environ["TABLE"],`; src/app.py: without RECEIPT_SECRET, and '
        '`receipt_key=Cached(lambda: load_secret(client("secretsmanager"), settings.receipt_key)),`; then '
        "`multistack config set prod PageSize 30` and `multistack deploy`.",
    ),
    solution=(
        Step("Start it as it is.", "multistack up"),
        Step("Staging can't list its orders.", f"curl -s {PROXY}/staging/orders"),
        Step("It asks for a table that its account does not have.", "multistack logs staging --tail 5"),
        Step("Find what ties the source to one environment.", "multistack lint", code=7),
        Step(
            "The table comes from the template, so from the environment.",
            'sed -i \'s/table="orders-test"/table=environ["TABLE"]/\' src/settings.py',
        ),
        Step(
            "The secret comes from Secrets Manager, which each account has its own of.",
            "sed -i -e '/^RECEIPT_SECRET/d' -e 's/receipt_key=lambda: Secret(RECEIPT_SECRET)/"
            'receipt_key=Cached(lambda: load_secret(client("secretsmanager"), settings.receipt_key))/\' src/app.py',
        ),
        Step("Nobody shall get a page size by accident.", "sed -i '/^default = 50$/d' multistack.toml"),
        Step("Now the deployment says what prod lacks, before any request does.", "multistack deploy", code=2),
        Step("Give prod its value.", "multistack config set prod PageSize 30"),
        Step("The same bytes go everywhere, each with its config.", "multistack deploy"),
        Step("Nothing is found any more.", "multistack lint"),
    ),
)
