"""A worker of the tasks in Python. Arguments are those of `celery worker`."""

import sys

from shop import app

if __name__ == "__main__":
    app.worker_main(["worker", "--loglevel=warning", *sys.argv[1:]])
