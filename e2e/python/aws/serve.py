"""moto's queues and mail, as if they were Amazon's: `serve.py PORT`. It forgets everything when it ends."""
import sys

from moto.server import main

main(['-H', '127.0.0.1', '-p', sys.argv[1]])
