"""
Keep what CDK makes of this app, for tests where there is no CDK: ``python record.py``, with aws-cdk-lib installed.

What nothing reads is left out: the tree of constructs, reports, and metadata.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_OUT = _HERE / "recorded"


def main() -> None:
    """Run the app as CDK's own command does."""
    shutil.rmtree(_OUT, ignore_errors=True)
    context = json.dumps({"stage": "recorded", "aws:cdk:version-reporting": True})
    environ = {**os.environ, "CDK_OUTDIR": str(_OUT), "CDK_CONTEXT_JSON": context}
    subprocess.run([sys.executable, "app.py"], cwd=_HERE, env=environ, check=True)
    manifest = json.loads((_OUT / "manifest.json").read_text())
    kept = {"cdk:asset-manifest", "aws:cloudformation:stack"}
    manifest["artifacts"] = {name: one for name, one in manifest["artifacts"].items() if one["type"] in kept}
    (_OUT / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    for name in (
        "tree.json",
        "validation-report.json",
        "cdk.out",
        *(path.name for path in _OUT.glob("*.metadata.json")),
    ):
        (_OUT / name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
