from pathlib import Path

from gnar_gear import GnarApp

app = None

SCHEMA = Path(__file__).parents[1].joinpath('schema.sql').read_text()


def main(production, port):
    gnar_app = GnarApp('piste', production=production, port=port)
    gnar_app.postconfig = lambda: gnar_app.db.run(SCHEMA)
    gnar_app.run()
