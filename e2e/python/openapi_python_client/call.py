"""Calls every operation of the services by clients that openapi-python-client generates.

call.py TARGETS

TARGETS is a JSON file of `test_support::generated_clients`: where the services are, their keys and documents. The last line
is JSON: how many operations and calls of each service.
"""
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tour  # noqa: E402


def generate(name, document, folder):
    """Generates the package `name`; a warning fails, because something of the document is left out then."""
    config = os.path.join(folder, 'config.json')
    with open(config, 'w', encoding='utf-8') as file:
        # Nobody reads the code, so that it need not be formatted.
        json.dump({'post_hooks': []}, file)
    generator = os.path.join(os.path.dirname(sys.executable), 'openapi-python-client')
    options = ['--meta=none', '--fail-on-warning', f'--config={config}', f'--path={document}',
               f'--output-path={os.path.join(folder, name)}']
    ran = subprocess.run([generator, 'generate', *options], text=True, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return importlib.import_module(name)


class Client:
    """What `tour` asks of a client."""

    UNREACHABLE = tour.UNREACHABLE

    def __init__(self, name, service, folder):
        self.package = generate(name, service['document'], folder)
        self.models = importlib.import_module(f'{name}.models')
        self.tour = tour.Tour(service['document'], self.UNREACHABLE)
        api = importlib.import_module(f'{name}.api')
        modules = [path.name for path in pkgutil.walk_packages(api.__path__, f'{name}.api.') if not path.ispkg]
        self.operations = {path.rsplit('.', 1)[1]: importlib.import_module(path) for path in modules}

    def caller(self, url, header=None, value=None):
        if header is None:
            return self.package.Client(base_url=url)
        return self.package.AuthenticatedClient(base_url=url, token=value, prefix='', auth_header_name=header)

    def call(self, operation, expected, by, *path, **arguments):
        answer = self.operations[operation].sync_detailed(*path, client=by, **arguments)
        self.tour.saw(operation, answer.status_code, expected)
        if expected >= 400:
            tour.is_problem(answer.parsed, answer.headers['content-type'], expected)
        return answer.parsed, answer.headers

    def make(self, model, **members):
        return getattr(self.models, model)(**members)

    def sort(self, *fields):
        return [self.models.CompaniesListSortItem(field) for field in fields]

    def enum(self, model, value):
        return getattr(self.models, model)(value)

    def parameter(self, operation, name, value):
        return self.enum(operation.capitalize() + name.capitalize(), value)

    def form(self, operation, expected, by, model, **members):
        return self.call(operation, expected, by, body=self.make(model, **members))

    def read(self, model, plain):
        return getattr(self.models, model).from_dict(plain)

    def plain(self, model):
        return model.to_dict()


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        targets = json.load(file)
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        print(json.dumps(tour.all_of(targets, 'openapi-python-client', lambda *service: Client(*service, folder))))


main()
