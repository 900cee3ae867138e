"""Flower, on a port of the loopback: flower_server.py PORT."""

import sys

from shop import app

if __name__ == "__main__":
    app.start(["flower", f"--port={sys.argv[1]}", "--address=127.0.0.1", "--logging=warning"])
