# SPDX-License-Identifier: Apache-2.0
"""The workload of rollout_test.py whose requests take long: server.py COLOUR [SECONDS], on port 8080.

It knows nothing of draining: TERM ends it at once, with whatever is under way. /at-once answers at once, /health says
whether /task/ready is there.
"""
import http.server
import os
import sys
import time

COLOUR = sys.argv[1]
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the colour."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        code = 200
        if self.path == "/health":
            code = 200 if os.path.exists("/task/ready") else 503
        elif self.path != "/at-once":
            time.sleep(SECONDS)
        text = f"{COLOUR}\n".encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """Nothing: what arrives is counted at the balancer."""


class Server(http.server.ThreadingHTTPServer):
    """A thread for each connection."""

    request_queue_size = 512


Server(("", 8080), Handler).serve_forever()
