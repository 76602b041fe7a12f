"""JupyterLab without its news, update checks and the question about them; nothing asks another host."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
OPTIONS = ("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")


def command(*options: str) -> list[str]:
    """The command that starts JupyterLab quietly.

    The question about news is answered in the virtual environment's own settings, the only place that JupyterLab
    reads it from; settings that stand there already are kept.

    Arguments:
        options: further options for JupyterLab.
    """
    file = Path(sys.prefix) / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    if sys.prefix != sys.base_prefix:  # inside a virtual environment only
        found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(SETTINGS | found, indent=1), encoding="utf-8")
    return [sys.executable, "-m", "jupyterlab", *OPTIONS, *options]


def start(folder: Path, page: str) -> bool:
    """Open JupyterLab at a page below the folder; whether it ended well."""
    return subprocess.run(command(f"--LabApp.default_url=/lab/tree/{page}"), cwd=folder).returncode == 0
