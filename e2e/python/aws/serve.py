"""moto's queues and mail, as if they were Amazon's: `serve.py PORT`. It forgets everything when it ends."""
import logging
import sys

from moto.server import main

# A line a request is more than anybody reads.
logging.getLogger('werkzeug').setLevel(logging.ERROR)
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
