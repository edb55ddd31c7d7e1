"""Look the locked packages up among the published vulnerabilities; say so plainly where that cannot be done."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

UNREACHABLE = (
    "pip-audit: the advisory service cannot be reached from here, so NOTHING was audited. Run it where it can be."
)


def main() -> int:
    """0: nothing is known against any package, or nothing could be asked; 1: something is, or could not be asked."""
    files = ["-r", "requirements.txt", "-r", "requirements-dev.txt"]
    flags = ["--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json"]
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *files, *flags], capture_output=True, text=True, check=False
    )
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        network = any(name in done.stderr for name in ("ConnectionError", "Timeout", "SSLError", "ProxyError"))
        print(UNREACHABLE if network else done.stderr)
        return 0 if network else 1
    skipped = [f"{package['name']}: {package['skip_reason']}" for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        print(UNREACHABLE)
        return 0
    known = [
        f"{package['name']} {package['version']}: {found['id']}, fixed in {found['fix_versions'] or 'no version'}"
        for package in packages
        for found in package.get("vulns", [])
    ]
    print("\n".join([*skipped, *known]) or f"pip-audit: nothing is known against {len(packages)} packages.")
    return 1 if known or skipped else 0


if __name__ == "__main__":
    sys.exit(main())
