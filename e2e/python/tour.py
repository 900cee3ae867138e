"""The registry and piste, called operation by operation, by whatever client was generated of their documents.

The operations and the statuses of each are those of the document, so that one that is added and not
called fails. A client is an object with

- `tour`, a `Tour` of the document
- `caller(url, header=.., value=..)`, one who sends this header with each call
- `call(operation, status, caller, *path, **arguments)`, which calls the operation, holds its answer
  against the document by `tour.saw`, looks at failures by `is_problem`, and gives the parsed body and
  the headers
- `make(model, **members)`, a body
- `sort(*fields)`, the value of a parameter `sort`

and for the service that says what it has read also with

- `enum(model, value)`, `parameter(operation, name, value)`, a word of several: of a component, of a parameter
- `form(operation, status, caller, model, **members)`, which calls an operation with a form
- `read(model, json)`, `plain(model)`, a body of JSON and back
"""
import datetime
import json
import uuid

# Statuses that a client alone can provoke. Others (429, 503 ..) need a service in trouble.
PROVOKED = {200, 201, 204, 304, 401, 403, 404, 409, 412, 422}

# They need a user who was deleted since, and tokens that piste does not make.
UNREACHABLE = {('user_me', 404), ('user_me', 403), ('user_me', 422), ('peer_me', 403), ('peer_me', 422),
               ('user_login', 422)}  # a client with types sends both members


class Tour:
    """The operations of a document, and what each has answered so far."""

    def __init__(self, document, unreachable=()):
        """`unreachable` are pairs of operation and status that this client cannot provoke."""
        with open(document, encoding='utf-8') as file:
            paths = json.load(file)['paths']
        self.documented = {
            operation['operationId']: {int(status) for status in operation['responses'] if status != 'default'}
            for path in paths.values()
            for operation in path.values()
            if isinstance(operation, dict)
        }
        self.unreachable = set(unreachable)
        self.seen = {name: set() for name in self.documented}
        self.calls = 0

    def saw(self, operation, status, expected):
        """Notes an answer; fails if it is not the expected one."""
        assert status == expected, f'{operation} answered {status} instead of {expected}'
        self.seen[operation].add(int(status))
        self.calls += 1

    def end(self, provoked=PROVOKED):
        """Fails if an operation was not called, answered by a status that is not documented for it, or did
        not answer by one that is."""
        missing = [
            f'{operation} {status}'
            for operation, statuses in self.documented.items()
            for status in sorted(statuses & provoked - self.seen[operation])
            if (operation, status) not in self.unreachable
        ]
        missing += [operation for operation, statuses in self.seen.items() if not statuses]
        undocumented = [
            f'{operation} {status}'
            for operation, statuses in self.seen.items()
            for status in sorted(statuses - self.documented[operation])
        ]
        assert not missing + undocumented, (
            f'documented and not seen: {", ".join(missing)}; seen and not documented: {", ".join(undocumented)}')
        return {'operations': len(self.seen), 'calls': self.calls}


def cnpj(number):
    """The CNPJ with these 12 digits and the right check digits."""
    digits = [int(digit) for digit in f'{number:012}']
    for _ in range(2):
        total = sum(digit * (2 + at % 8) for at, digit in enumerate(reversed(digits)))
        digits.append(0 if total % 11 < 2 else 11 - total % 11)
    return ''.join(map(str, digits))


def activation(log, address):
    """The token of the letter to this address, which stands in the log where nobody sends letters."""
    with open(log, encoding='utf-8') as file:
        line = next(line for line in file if f'activate {address} at' in line)
    return line.split('/user/activate/')[1][:36]


UNKNOWN = cnpj(999999990001)
WRONG = UNKNOWN[:13] + str((int(UNKNOWN[13]) + 1) % 10)


def is_problem(problem, content_type, status):
    """Fails if this is not the failure that the document describes."""
    assert type(problem).__name__ == 'Problem', f'{status}: {problem!r}'
    kind = getattr(problem, 'type_', None) or problem.type
    assert (problem.status, kind) == (status, 'about:blank') and problem.detail, problem
    assert content_type == 'application/problem+json', content_type


def registry(client, service):
    """Calls every operation of the registry."""
    call, make = client.call, client.make

    def caller(key):
        return client.caller(service['url'], header='X-API-Key', value=key)

    us, stranger = caller(service['key']), caller('not a key')
    reader, writer = caller(service['reader_key']), caller(service['writer_key'])
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)
    numbers = [cnpj(100000000001 + number) for number in range(3)]
    first = numbers[0]

    def partner():
        return make('Partner', name='Ana Souza', cpf='52998224725', share=12.5)

    for number, state in zip(numbers, ['SP', 'RJ', 'MG'], strict=True):
        new = make('NewCompany', cnpj=number, name=f'Padaria {state} & Filhos', state=state, partners=[partner()])
        company, headers = call('companies_create', 201, us, body=new)
        assert (company.cnpj, company.state, company.revision) == (number, state, 1), company
        assert (company.partners[0].share, company.partners[0].cpf) == (12.5, '52998224725'), company
        assert begin < company.created_at <= datetime.datetime.now(datetime.timezone.utc), company
        assert headers['location'].endswith(f'/api/companies/{number}'), headers
    call('companies_create', 409, us, body=new)
    wrong = make('NewCompany', cnpj=WRONG, name='Padaria', state='SP')
    problem, _ = call('companies_create', 422, us, body=wrong)
    assert [fault.pointer for fault in problem.errors] == ['#/cnpj'], problem
    call('companies_create', 401, stranger, body=new)
    call('companies_create', 403, reader, body=new)

    company, headers = call('companies_show', 200, reader, first)
    assert company.name == 'Padaria SP & Filhos' and company.updated_at == company.created_at, company
    call('companies_show', 304, us, first, if_none_match=headers['etag'])
    call('companies_show', 404, us, UNKNOWN)
    problem, _ = call('companies_show', 422, us, WRONG)
    assert problem.errors[0].parameter == 'cnpj', problem
    call('companies_show', 401, stranger, first)
    call('companies_show', 403, writer, first)

    lists(client, us, begin)
    _, headers = call('companies_list', 200, us)
    call('companies_list', 304, us, if_none_match=headers['etag'])
    call('companies_list', 422, us, state=['XX'])
    call('companies_list', 401, stranger)
    call('companies_list', 403, writer)

    writes(client, us, stranger, reader, first)

    entries, headers = call('companies_history', 200, us, first, per_page=2)
    assert entries[0].revision == entries[1].revision + 1, entries
    assert entries[0].at >= entries[1].at > begin and 'rel="next"' in headers['link'], headers
    entries, headers = call('companies_history', 200, us, first)
    assert entries[-1].action.value == 'insert' and entries[-1].company.partners[0].name == 'Ana Souza', entries
    call('companies_history', 304, us, first, if_none_match=headers['etag'])
    call('companies_history', 404, us, UNKNOWN)
    call('companies_history', 422, us, WRONG)
    call('companies_history', 401, stranger, first)
    call('companies_history', 403, writer, first)

    card, headers = call('workflow_open', 201, us, first)
    assert card.id and headers['location'] == card.url, card
    call('workflow_open', 404, us, UNKNOWN)
    call('workflow_open', 422, us, WRONG)
    call('workflow_open', 401, stranger, first)
    call('workflow_open', 403, reader, first)

    known, unknown = service['known'], service['unknown']
    registered, _ = call('register_look_up', 200, us, known)
    assert registered.cnpj == known and registered.name, registered
    call('register_look_up', 404, us, unknown)
    call('register_look_up', 422, us, WRONG)
    call('register_look_up', 401, stranger, known)
    call('register_look_up', 403, writer, known)

    sent, headers = call('enrichment_start', 202, us, first)
    assert headers['location'] == f'/tasks/{sent.id}', headers
    call('enrichment_start', 404, us, UNKNOWN)
    call('enrichment_start', 422, us, WRONG)
    call('enrichment_start', 401, stranger, first)
    call('enrichment_start', 403, reader, first)
    task, _ = call('status_route_task_status', 200, reader, sent.id)
    assert task.id == sent.id and task.name == 'registry.enrich', task
    call('status_route_task_status', 404, us, 'unknown')
    call('status_route_task_status', 401, stranger, sent.id)
    call('status_route_task_status', 403, writer, sent.id)
    for operation, forbidden in [('reports_states', writer), ('reports_export_now', reader)]:
        call(operation, 202, us)
        call(operation, 401, stranger)
        call(operation, 403, forbidden)
    return client.tour.end()


def lists(client, us, begin):
    """Finds companies by each parameter."""
    def states(expected, **arguments):
        page, headers = client.call('companies_list', 200, us, **{'q': 'padaria', **arguments})
        assert [company.state for company in page.items] == expected, (arguments, page)
        return page, headers

    states(['MG', 'RJ', 'SP'])
    states(['RJ', 'SP'], state=['SP', 'RJ'])
    states(['SP', 'RJ'], state=['SP', 'RJ'], sort=client.sort('-name'))
    states(['SP', 'RJ', 'MG'], sort=client.sort('-name', 'cnpj'))
    states(['SP'], q='padaria sp & f')
    states(['MG', 'RJ', 'SP'], updated_since=begin)
    states([], updated_since=begin + datetime.timedelta(days=1))
    # A time zone that has to be percent-encoded, and a moment without a fraction of a second.
    east = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    states(['MG', 'RJ', 'SP'], updated_since=begin.astimezone(east).replace(microsecond=0))
    page, headers = states(['RJ'], page=2, per_page=1)
    assert (page.page, page.per_page, page.total, page.pages) == (2, 1, 3, 3), page
    assert all(f'rel="{rel}"' in headers['link'] for rel in ['first', 'prev', 'next', 'last']), headers


def writes(client, us, stranger, reader, number):
    """Replaces and changes a company."""
    call, make = client.call, client.make

    def replace(expected, number=number, by=us, cnpj=None, **arguments):
        members = {'name': 'Padaria Nova', 'state': 'SP'} | ({'cnpj': cnpj} if cnpj else {})
        return call('companies_replace', expected, by, number, body=make('CompanyFields', **members), **arguments)

    def change(expected, members, number=number, by=us, **arguments):
        return call('companies_change', expected, by, number, body=make('CompanyPatch', **members), **arguments)

    company, _ = replace(200)
    assert (company.name, company.partners, company.revision) == ('Padaria Nova', None, 2), company
    replace(404, UNKNOWN)
    replace(422, WRONG)
    replace(401, by=stranger)
    replace(403, by=reader)
    problem, _ = replace(409, cnpj=UNKNOWN)
    assert problem.errors[0].pointer == '#/cnpj', problem

    # A list, absent, null, absent: absent keeps what is known, and null forgets it.
    partner = make('Partner', name='Bia', cpf=None)
    for members, partners in [({'partners': [partner]}, 1), ({'state': 'RJ'}, 1), ({'partners': None}, None),
                              ({'name': 'Padaria Velha'}, None)]:
        company, _ = change(200, members)
        assert (company.partners if partners is None else len(company.partners)) == partners, (members, company)
    assert (company.name, company.state, company.revision) == ('Padaria Velha', 'RJ', 6), company
    change(404, {'state': 'RJ'}, UNKNOWN)
    change(422, {'state': 'RJ'}, WRONG)
    change(401, {'state': 'RJ'}, by=stranger)
    change(403, {'state': 'RJ'}, by=reader)

    # A write with the tag of another state is refused, and does nothing.
    _, headers = call('companies_show', 200, us, number)
    stale = headers['etag']
    change(200, {'state': 'SP'}, if_match=stale)
    change(412, {'state': 'MG'}, if_match=stale)
    replace(412, if_match=stale)
    company, headers = call('companies_show', 200, us, number)
    assert company.state == 'SP', company
    replace(200, if_match=headers['etag'])


def piste(client, service, name):
    """Calls every operation of piste; `name` is that of the tool, which signs up."""
    call, make = client.call, client.make

    def caller(token):
        return client.caller(service['url'], header='Authorization', value=f'Bearer {token}')

    nobody, stranger = client.caller(service['url']), caller('not.a.token')
    address = f'{name}@example.org'
    user = make('Signup', email=address, password='correct horse', name='Ada')
    login = make('Login', email=address, password='correct horse')
    account, _ = call('user_signup', 200, nobody, body=user)
    assert account.email == address, account
    call('user_signup', 409, nobody, body=user)
    call('user_signup', 422, nobody, body=make('Signup', email='nobody', password='correct horse', name=None))
    call('user_login', 403, nobody, body=login)
    call('user_login', 401, nobody, body=make('Login', email=address, password='wrong'))

    account, _ = call('user_activate', 200, nobody, activation(service['log'], address))
    assert account.email == address, account
    call('user_activate', 404, nobody, 'not a/token')
    token, _ = call('user_login', 200, nobody, body=login)
    us = caller(token.token)

    me, _ = call('user_me', 200, us)
    assert (me.email, me.name, me.active) == (address, 'Ada', True), me
    call('user_me', 401, stranger)
    call('peer_me', 200, us)
    call('peer_me', 401, stranger)
    status, _ = call('user_status', 200, nobody)
    assert status.status == 'ok', status

    messages, _ = call('messages_list', 200, nobody)
    assert len(messages) == 3 and messages[0].id > messages[2].id, messages
    assert messages[0].received_at.tzinfo and messages[0].received_at.year >= 2026, messages
    older, _ = call('messages_list', 200, nobody, limit=1, before=messages[1].id)
    assert older == messages[2:], older
    if ('messages_list', 422) not in client.tour.unreachable:
        call('messages_list', 422, nobody, limit=-1)
    return client.tour.end()


def forms(client, service):
    """Sends each form of parameter and body to a service that says what it has read."""
    us = client.caller(service['url'])
    day, key = datetime.date(2026, 2, 28), uuid.UUID('0d4f4f4e-65d1-4b2b-9a3e-3a1e9f6a7c11')
    east = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    moment = datetime.datetime(2026, 2, 28, 23, 59, 58, 123456, tzinfo=east)
    fancy, plain = client.enum('Kind', 'rather-fancy'), client.enum('Kind', 'plain')

    def echo(operation, *path, body=None, **arguments):
        given = {} if body is None else {'body': body}
        answer, _ = client.call(operation, 200, us, *path, **given, **arguments)
        for name, value in arguments.items():
            same(name, getattr(answer, name), value)
        return answer

    def same(name, read, sent):
        if isinstance(sent, list):
            assert len(read) == len(sent), f'{name}: {read} of {sent}'
            for item in zip(read, sent, strict=True):
                same(name, *item)
        elif isinstance(sent, datetime.datetime):
            assert read == sent, f'{name}: {read} of {sent}'
        else:
            assert text(read) == text(sent), f'{name}: {read!r} of {sent!r}'

    def text(value):
        return str(getattr(value, 'value', value))

    echo('scalars', text='a b&c=d+é', wide=2**63 - 1, kind=fancy, small=-32768, count=2**32 - 1, ratio=-0.25,
         flag=True, id=key, day=day, moment=moment)
    short = echo('scalars', text='', wide=0, kind=plain, flag=False)
    assert not short.small and not short.id and not short.moment, short
    echo('lists', tags=['a b', 'x,y', 'é'], numbers=[1, 2**32 - 1], kinds=[fancy, plain])
    echo('lists', tags=['one'], numbers=[5], kinds=[plain])
    none = echo('lists')
    assert (none.tags, none.kinds) == ([], []) and not none.numbers, none
    echo('flat', q='x', page=3, after=2**63 - 1, since=day, finished=True)
    assert not echo('flat', page=3).q

    echo('path', day, fancy, 'a b/c?d#é%', -2**31)

    client.call('shape', 200, us, shape=client.parameter('shape', 'shape', 'square'), side=4, tilted=False)
    client.call('shape', 200, us, shape=client.parameter('shape', 'shape', 'circle'), radius=1.5)
    client.call('shape', 422, us, shape=client.parameter('shape', 'shape', 'circle'), side=4)

    filled, _ = client.form('form', 200, us, 'FilledInput', name='é & =+', amounts=[2**63 - 1, 0], kind=fancy, when=moment)
    for name, value in {'name': 'é & =+', 'amounts': [2**63 - 1, 0], 'kind': fancy, 'when': moment}.items():
        same(name, getattr(filled, name), value)

    document = {
        'id': 2**63 - 1, 'counts': {'a b': 2**63 - 1, 'c': 0}, 'shape': {'shape': 'square', 'side': 4, 'tilted': True},
        'inner': {'key': str(key), 'note': None}, 'list': [{'key': str(key), 'note': 'é'}],
        'when': '2026-02-28T18:29:58.123456+00:00', 'day': '2026-02-28', 'kind': 'rather-fancy',
    }
    for shape in [document['shape'], {'shape': 'circle', 'radius': 0.5}]:
        sent = document | {'shape': shape}
        answer, _ = client.call('body', 200, us, body=client.read('DocumentInput', sent))
        read = client.plain(answer)
        read['when'] = read['when'].replace('Z', '+00:00')
        assert read == sent, f'{read} of {sent}'
    # What it refuses is not what it is for.
    return client.tour.end({200})


def all_of(targets, tool, client):
    """Calls every operation of each service there is; `client(name, service)` makes a client of its document."""
    tours = {'registry': registry, 'piste': lambda *both: piste(*both, tool), 'forms': forms}
    return {name: tours[name](client(f'{name}_client', service), service) for name, service in targets.items()}
