"""Serve the folder `site` on the loopback, load the server with `ab`, and end both: http_load.py SERVER REQUESTS."""

import getpass
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

AT_ONCE = 8
LONGEST = 300
"""Seconds after which the load ends, whatever was asked for."""
PATIENCE = 60
"""Seconds in which a server has to answer its first connection."""

NGINX = """\
{user}
daemon off;
worker_processes 1;
pid {out}/nginx.pid;
error_log {out}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {out}/body;
    proxy_temp_path {out}/proxy;
    fastcgi_temp_path {out}/fastcgi;
    uwsgi_temp_path {out}/uwsgi;
    scgi_temp_path {out}/scgi;
    server {{ listen 127.0.0.1:{port}; root {site}; }}
}}
"""


def choose_port() -> int:
    """Return a port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_python(port: int) -> "subprocess.Popen[bytes]":
    """Start Python's own server, which logs every request to standard error."""
    command = [sys.executable, "-S", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "site", str(port)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_nginx(port: int) -> "subprocess.Popen[bytes]":
    """Start nginx with a configuration of its own, everything it writes below `out`."""
    out = Path("out").resolve()
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    configuration = out / "nginx.conf"
    configuration.write_text(NGINX.format(user=user, out=out, port=port, site=Path("site").resolve()))
    return subprocess.Popen(["nginx", "-p", str(out), "-c", str(configuration)], stderr=subprocess.DEVNULL)


SERVERS = {"python": start_python, "nginx": start_nginx}


def wait_for_answer(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Wait until somebody accepts connections. Ends the program when the server ended instead."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
                return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.01)
    sys.exit("http_load.py: the server does not answer")


def main() -> None:
    """Load one server, and fail unless every request was answered."""
    name, requests = sys.argv[1:]
    port = choose_port()
    server = SERVERS[name](port)
    try:
        wait_for_answer(port, server)
        limits = ["-t", str(LONGEST), "-n", requests, "-c", str(min(AT_ONCE, int(requests)))]
        command = ["ab", "-q", *limits, f"http://127.0.0.1:{port}/index.html"]
        report = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    finally:
        server.terminate()
        server.wait()
    figures = [line.split() for line in report.splitlines()]
    if ["Complete", "requests:", requests] not in figures or ["Failed", "requests:", "0"] not in figures:
        sys.exit("http_load.py: not every request was answered")


if __name__ == "__main__":
    main()
