"""Dagster's pages and the reports, served on loopback until interrupted.

What does not belong here: anything that answers to another machine; put a proxy with sign-on in front for that.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from aclf_pipeline.assets.instance import prepare_home
from aclf_pipeline.errors import UserError
from aclf_pipeline.settings import Settings

LOOPBACK = "127.0.0.1"


class _Quiet(SimpleHTTPRequestHandler):
    """Static files without a line per request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def reports_server(settings: Settings, port: int) -> ThreadingHTTPServer:
    """A server of this study's pages; the caller starts and stops it."""
    settings.reports.mkdir(parents=True, exist_ok=True)
    handler = functools.partial(_Quiet, directory=str(settings.reports))
    try:
        return ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError as error:
        raise UserError(f"ui: port {port} on {LOOPBACK} cannot be opened ({error.strerror}). Try --port.") from error


def environment(settings: Settings, reports_port: int) -> dict[str, str]:
    """The surroundings a Dagster process needs to see the same house."""
    given = {
        "DAGSTER_HOME": str(prepare_home(settings.dagster_home)),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "ACLF_HOME": str(settings.root),
        "ACLF_STUDY": settings.study,
        "ACLF_SOURCE": settings.source,
        "ACLF_EXPORTS_DIR": str(settings.exports),
        "ACLF_REPORTS_URL": f"http://{LOOPBACK}:{reports_port}",
    }
    return {**os.environ, **given}


def serve(settings: Settings, port: int) -> int:
    """Run `dagster dev` and the reports' server; returns Dagster's exit code when it ends."""
    server = reports_server(settings, port + 1)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [sys.executable, "-m", "dagster", "dev", "-m", "aclf_pipeline.definitions"]
    try:
        return subprocess.call(  # noqa: S603
            [*command, "-h", LOOPBACK, "-p", str(port)], env=environment(settings, port + 1)
        )
    except KeyboardInterrupt:
        return 0
    finally:
        server.shutdown()
