"""Calls every operation of the services by clients in Python that OpenAPI Generator generates.

call.py TARGETS

TARGETS is a JSON file of `test_support::generated_clients`: where the services are, their keys and documents. The last line
is JSON: how many operations and calls of each service.
"""
import importlib
import json
import os
import sys
import tempfile

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tour  # noqa: E402
from generate import generate  # noqa: E402


class Client:
    """What `tour` asks of a client."""

    # The client refuses the number itself.
    UNREACHABLE = tour.UNREACHABLE | {('messages_list', 422)}

    def __init__(self, name, service, folder):
        target = os.path.join(folder, f'{name}-project')
        generate('python', service['document'], target, f'--package-name={name}')
        sys.path.insert(0, target)
        self.package = importlib.import_module(name)
        self.tour = tour.Tour(service['document'], self.UNREACHABLE)
        self.apis = [getattr(self.package, api) for api in dir(self.package) if api.endswith('Api')]

    def caller(self, url, header=None, value=None):
        client = self.package.ApiClient(self.package.Configuration(host=url))
        if header is not None:
            client.set_default_header(header, value)
        return client

    def call(self, operation, expected, by, *path, body=None, **arguments):
        api = next(api for api in self.apis if hasattr(api, operation))
        function = getattr(api(by), f'{operation}_with_http_info')
        words = path if body is None else (*path, body)
        try:
            answer = function(*words, **arguments)
            status, parsed = answer.status_code, answer.data
        except self.package.ApiException as failure:
            answer, status, parsed = failure, failure.status, failure.data
        self.tour.saw(operation, status, expected)
        if expected >= 400:
            tour.is_problem(parsed, answer.headers['content-type'], expected)
        return parsed, answer.headers

    def make(self, model, **members):
        return getattr(self.package, model)(**members)

    def sort(self, *fields):
        return list(fields)

    def enum(self, model, value):
        return getattr(self.package, model)(value)

    def parameter(self, operation, name, value):
        return value

    def form(self, operation, expected, by, model, **members):
        return self.call(operation, expected, by, **members)

    def read(self, model, plain):
        return getattr(self.package, model).from_dict(plain)

    def plain(self, model):
        return json.loads(model.to_json())


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        targets = json.load(file)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(tour.all_of(targets, 'openapi-generator', lambda *service: Client(*service, folder))))


main()
