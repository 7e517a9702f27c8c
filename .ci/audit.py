"""Known vulnerabilities of pinned packages, by pip-audit: ``python .ci/audit.py FILE.txt... [pip-audit's options]``.

Exit codes: 0 all packages were looked up and nothing is known of them; 1 something is known, and printed; 3 no verdict:
where the advisories come from has none, or cannot be reached. pip-audit says 1 for both of the last.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import dropwhile
from pathlib import Path
from typing import Any

KNOWN, NO_VERDICT = 1, 3
AUDIT = ("--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json")


def main(arguments: list[str]) -> int:
    """Looks at each file by itself, as two may pin different versions of a package; the worst counts."""
    options = list(dropwhile(lambda argument: argument.endswith(".txt"), arguments))
    verdicts = {audit(pins, options) for pins in arguments[: len(arguments) - len(options)]}
    return next((code for code in (KNOWN, NO_VERDICT) if code in verdicts), 0)


def audit(pins: str, options: list[str]) -> int:
    """Prints a line a vulnerability, and what was not looked up."""
    program = Path(sys.executable).with_name("pip-audit")
    done = subprocess.run([program, *AUDIT, "-r", pins, *options], capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.stderr.write(f"{pins}: no verdict: {why}\n")
        return NO_VERDICT
    for package in packages:
        for known in package.get("vulns", ()):
            better = ", ".join(known["fix_versions"]) or "no version yet"
            sys.stdout.write(f"{package['name']} {package['version']}: {known['id']}, fixed by {better}\n")
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown:
        sys.stderr.write(
            f"{pins}: no verdict on {len(unknown)} of {len(packages)} packages ({', '.join(unknown[:3])} …): none are "
            'to be had of them here. ARGS="--vulnerability-service osv" asks osv.dev, --osv-url URL a mirror of it\n'
        )
    if any(package.get("vulns") for package in packages):
        return KNOWN
    if unknown:
        return NO_VERDICT
    sys.stdout.write(f"{pins}: {len(packages)} packages were looked up: no vulnerability is known of them\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
