"""Serves app.py with gunicorn, as in production: serve.py PORT."""
import os
import sys
from pathlib import Path

os.execv(sys.executable, [sys.executable, '-m', 'gunicorn', '--bind', '127.0.0.1:' + sys.argv[1], '--workers', '2',
                          '--chdir', str(Path(__file__).parent), 'app:app'])
