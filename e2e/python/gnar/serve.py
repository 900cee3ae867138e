"""Serves the Gnar app `piste`: serve.py PORT [development]."""
import sys

from piste.app.main import main

main(production=sys.argv[2:] != ['development'], port=int(sys.argv[1]))
