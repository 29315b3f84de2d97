"""Lab 1: the same service three times, and nothing shared."""

from __future__ import annotations

from emulator.workshop.lab import PROXY, Check, Lab, Step
from emulator.workshop.scene import NAMES, Scene, one_digest, ready

ORDER = "lab-1"


def three_apis(scene: Scene) -> str | None:
    """Every environment has an API of its own."""
    ids = {name: {api.path.split("/")[3] for api in one.apis} for name, one in scene.current().items()}
    if len(set.union(*ids.values())) == len(NAMES):
        return None
    return "the environments don't have an API each; `multistack workshop reset 1`, then `multistack up`"


def own_orders(scene: Scene) -> str | None:
    """Every environment has its own order of the same id."""
    quantities = {}
    for name in NAMES:
        reply = scene.get(name, f"/orders/{ORDER}")
        if reply.status == 0:
            return f"{name} does not answer; `multistack up`"
        if reply.status != 200:
            return f"{name} has no order {ORDER}: post one to {PROXY}/{name}/orders"
        quantities[name] = reply.value("qty")
    if len(set(quantities.values())) == len(NAMES):
        return None
    told = ", ".join(f"{name} {qty}" for name, qty in quantities.items())
    return f"the orders can't be told apart ({told}): delete {ORDER} where it repeats, and post it with another qty"


def _post(environment: str, quantity: int) -> str:
    order = f'{{"id": "{ORDER}", "item": "tea", "qty": {quantity}, "price": 2.50}}'
    return f"curl -s -d '{order}' {PROXY}/{environment}/orders"


LAB = Lab(
    number=1,
    name="three-stacks",
    title="Three stacks",
    minutes=20,
    goal="test, staging and prod are complete copies, and an order of one is in no other",
    checks=(
        Check("test, staging and prod run", ready),
        Check("one digest: the same artifact serves in all of them", one_digest),
        Check("three APIs, one each", three_apis),
        Check(f"each has its own order {ORDER}", own_orders),
    ),
    hints=(
        "Nothing is there until something is started: which command starts all environments?",
        "`multistack up`, then one order for each environment: the same id, another qty.",
        f"{_post('test', 1)}  # and the same for staging with qty 2, for prod with qty 3",
    ),
    solution=(
        Step("Start three emulated accounts, and put the same service into each.", "multistack up"),
        Step("An order for test.", _post("test", 1)),
        Step("The same id in staging is no conflict: it is another table.", _post("staging", 2)),
        Step("And in prod.", _post("prod", 3)),
        Step("What prod answers is its own.", f"curl -s {PROXY}/prod/orders/{ORDER}"),
    ),
)
