"""Lab 8: an environment for a branch, and nothing left of it afterwards."""

from __future__ import annotations

from emulator.created import read_created
from emulator.process import labelled
from emulator.workshop.lab import PROXY, Check, Lab, Step
from emulator.workshop.scene import NAMES, Scene, ready

_BRANCH, _NAME = "feature/gift-wrap", "feature-gift-wrap"


def _made(scene: Scene) -> list[str]:
    """Environments beside the three that something was deployed into, in their order."""
    return list(
        dict.fromkeys(one.environment for one in scene.workspace.history.deployments() if one.environment not in NAMES)
    )


def was_made(scene: Scene) -> str | None:
    """There was one."""
    if _made(scene):
        return None
    return "no environment was created yet: `multistack create --from-branch --like test --ttl 2h` on a branch"


def was_tested(scene: Scene) -> str | None:
    """The branch's own source was tried in it."""
    if any(one.is_verified for name in _made(scene) for one in scene.past(name)):
        return None
    return f"nothing was tested in {_made(scene)[-1]}: `multistack deploy {_made(scene)[-1]} --verify`"


def nothing_left(scene: Scene) -> str | None:
    """No process, port, file or container of it, and no URL."""
    state = scene.workspace.project.state
    created = read_created(state).environments
    if created:
        return f"{', '.join(created)}: still there; `multistack destroy {next(iter(created))}`"
    running = {one.name for one in scene.workspace.drivers.leftovers()}
    for name in _made(scene):
        folder = state / "environments" / name
        if name in running or folder.exists() or labelled(below=folder):
            return f"{name}: something of it is left; `multistack prune`"
        if scene.get(name, "/config").status not in (0, 404):
            return f"{name}: its URL still leads somewhere; `multistack up` tells the proxy what there is"
    return None


def others_untouched(scene: Scene) -> str | None:
    """Test, staging and prod are as they were."""
    touched = [name for name in NAMES if len(scene.past(name)) != 1]
    if not touched:
        return None
    return f"{', '.join(touched)}: deployed into meanwhile; begin again: `multistack workshop reset 8`"


LAB = Lab(
    number=8,
    name="feature-branch",
    title="Feature-branch environment",
    minutes=25,
    goal="a whole environment for a branch came and went; the others never noticed",
    needs_git=True,
    checks=(
        Check("test, staging and prod run", ready),
        Check("an environment was created for a branch", was_made),
        Check("the branch was tested in it", was_tested),
        Check("nothing of it is left", nothing_left),
        Check("test, staging and prod were not touched", others_untouched),
    ),
    hints=(
        "`multistack create` makes a whole environment beside the others, for as long as the branch lives.",
        "git switch -c a branch, change something, `multistack create --from-branch --like test --ttl 2h`, deploy into "
        "it with --verify, `multistack destroy` it.",
        f"git switch -c {_BRANCH}; multistack create --from-branch --like test --ttl 2h; "
        f"multistack deploy {_NAME} --verify; multistack destroy {_NAME}",
    ),
    solution=(
        Step("Start with the first release everywhere.", "multistack up"),
        Step("A branch for the feature.", f"git switch -q -c {_BRANCH}"),
        Step("The feature: longer names of items.", "sed -i 's/LONGEST_ITEM = 200/LONGEST_ITEM = 240/' src/orders.py"),
        Step("It is on the branch.", "git commit -q -a -m 'Longer names for gifts'"),
        Step(
            "A whole environment for it, gone in two hours at the latest.",
            "multistack create --from-branch --like test --ttl 2h",
        ),
        Step("The branch's source goes there, and only there.", f"multistack deploy {_NAME} --verify"),
        Step("It has a URL of its own.", f"curl -s {PROXY}/{_NAME}/config"),
        Step("How long it stays.", "multistack list"),
        Step("The branch is merged: away with it.", f"multistack destroy {_NAME}"),
        Step("Its URL is gone, and the others serve what they served.", "multistack status"),
    ),
)
