"""Adds a user to the database that FLASK_DATABASE names: add_user.py EMAIL PASSWORD [NAME]."""
import sys

from app import add_user, app

with app.app_context():
    add_user(*sys.argv[1:])
