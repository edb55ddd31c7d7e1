from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tokonomics.embedded import locks, serving

ROOT = Path(__file__).parents[3]
ASK = "import json, django; from django.conf import settings; print(json.dumps([settings.PORT, settings.PUBLIC_URL]))"


def test_a_port_is_known_while_the_product_serves(tmp_path: Path) -> None:
    with locks.sole(serving.lock(tmp_path)):
        assert serving.served_port(tmp_path) is None
        serving.tell(tmp_path, 8123)
        assert serving.served_port(tmp_path) == 8123
    assert serving.served_port(tmp_path) is None


def asked(data_dir: Path, **environment: str) -> tuple[int, str]:
    """Port and address as a command sees them that is run beside the product."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PORT", "PUBLIC_URL")}
    own = {"DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "tokonomics.settings"}
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(command, cwd=ROOT, env={**kept, **own, **environment}, capture_output=True, check=True)
    port, url = json.loads(done.stdout)
    return port, url


def test_commands_find_the_product_that_serves(tmp_path: Path) -> None:
    assert asked(tmp_path) == (8000, "http://127.0.0.1:8000")
    with locks.sole(serving.lock(tmp_path)):
        serving.tell(tmp_path, 8123)
        assert asked(tmp_path) == (8123, "http://127.0.0.1:8123")
        assert asked(tmp_path, PORT="9000") == (9000, "http://127.0.0.1:9000")
        assert asked(tmp_path, PUBLIC_URL="https://meter.example.com") == (8123, "https://meter.example.com")
