// The registry and piste, called operation by operation, by the types that openapi-typescript makes of
// their documents. That this compiles is half of the test: a member that is not documented, or is of
// another type than it is used as, is an error of `tsc`.

import createClient from 'openapi-fetch';
import type { components, paths as RegistryPaths } from './types/registry';
import type { paths as PistePaths } from './types/piste';
import { equal, good, holds, type Surroundings } from './answers.js';

type Problem = components['responses']['problem']['content']['application/problem+json'];
type Company = components['schemas']['Company'];

/** Where the services are: the JSON file of `test_support::generated_clients::ServicesUnderTest`. */
export interface Targets {
  registry: { url: string; key: string; reader_key: string; writer_key: string; known: string; unknown: string };
  piste: { url: string };
}

/** Gives the failure that an answer has to be. Its type is that of the document. */
function bad(answer: { error?: Problem; response: Response }, status: number): Problem {
  equal(answer.response.status, status, answer.response.url);
  const problem = answer.error;
  holds(problem, `${answer.response.url} says what is wrong`);
  equal([problem.status, problem.type], [status, 'about:blank'], answer.response.url);
  holds(problem.detail, 'a failure has a text');
  equal(answer.response.headers.get('content-type'), 'application/problem+json', answer.response.url);
  return problem;
}

export async function registry(targets: Targets['registry'], { watch, cnpj }: Surroundings): Promise<void> {
  const caller = (key: string) => {
    const client = createClient<RegistryPaths>({ baseUrl: targets.url, headers: { 'X-API-Key': key } });
    client.use(watch('registry'));
    return client;
  };
  const [us, stranger] = [caller(targets.key), caller('not a key')];
  const [reader, writer] = [caller(targets.reader_key), caller(targets.writer_key)];
  const begin = new Date(Date.now() - 1000).toISOString();
  const unknown = cnpj(999999990002);
  const wrong = unknown.slice(0, 13) + ((Number(unknown[13]) + 1) % 10);
  const [first = '', ...rest] = [1, 2, 3].map((number) => cnpj(200000000000 + number));
  const states = ['SP', 'RJ', 'MG'];
  const partner = { name: 'Ana Souza', cpf: '52998224725', share: 12.5 };

  for (const [at, number] of [first, ...rest].entries()) {
    const state = states[at] ?? '';
    const body = { cnpj: number, name: `Confeitaria ${state} & Filhos`, state, partners: [partner] };
    const made = await us.POST('/api/companies', { body });
    const company = good(made, 201);
    equal([company.cnpj, company.state, company.revision, company.partners], [number, state, 1, [partner]], 'created');
    holds(company.created_at > begin && !Number.isNaN(Date.parse(company.created_at)), 'a moment is one');
    holds(made.response.headers.get('location')?.endsWith(`/api/companies/${number}`), 'it has an address');
  }
  const body = { cnpj: first, name: 'Confeitaria', state: 'SP' };
  bad(await us.POST('/api/companies', { body }), 409);
  const fault = bad(await us.POST('/api/companies', { body: { ...body, cnpj: wrong } }), 422).errors?.[0];
  equal(fault?.pointer, '#/cnpj', 'the fault has a place');
  bad(await stranger.POST('/api/companies', { body }), 401);
  bad(await reader.POST('/api/companies', { body }), 403);

  const at = (number: string) => ({ path: { cnpj: number } });
  const show = (number: string, by = us) => by.GET('/api/companies/{cnpj}', { params: at(number) });
  const shown = await show(first, reader);
  equal(good(shown, 200).name, 'Confeitaria SP & Filhos', 'shown');
  const tag = shown.response.headers.get('etag') ?? '';
  const known = { params: { ...at(first), header: { 'If-None-Match': tag } } };
  equal((await us.GET('/api/companies/{cnpj}', known)).response.status, 304, 'not modified');
  bad(await show(unknown), 404);
  equal(bad(await show(wrong), 422).errors?.[0]?.parameter, 'cnpj', 'the fault has a parameter');
  bad(await show(first, stranger), 401);
  bad(await show(first, writer), 403);

  type Query = NonNullable<RegistryPaths['/api/companies']['get']['parameters']['query']>;
  const list = (query: Query, by = us) => by.GET('/api/companies', { params: { query } });
  const found = async (expected: string[], query: Query) => {
    const answer = await list({ q: 'confeitaria', ...query });
    const page = good(answer, 200);
    equal(page.items.map((company) => company.state), expected, `list ${JSON.stringify(query)}`);
    return { page, link: answer.response.headers.get('link') ?? '' };
  };
  await found(['MG', 'RJ', 'SP'], {});
  await found(['RJ', 'SP'], { state: ['SP', 'RJ'] });
  await found(['SP', 'RJ'], { state: ['SP', 'RJ'], sort: ['-name'] });
  await found(['SP', 'RJ', 'MG'], { sort: ['-name', 'cnpj'] });
  await found(['SP'], { q: 'confeitaria sp & f' });
  await found(['MG', 'RJ', 'SP'], { updated_since: begin });
  await found([], { updated_since: new Date(Date.now() + 86_400_000).toISOString() });
  const { page, link } = await found(['RJ'], { page: 2, per_page: 1 });
  equal([page.page, page.per_page, page.total, page.pages], [2, 1, 3, 3], 'a page');
  holds(['first', 'prev', 'next', 'last'].every((rel) => link.includes(`rel="${rel}"`)), `links: ${link}`);
  const all = await list({});
  good(all, 200);
  const tagged = { header: { 'If-None-Match': all.response.headers.get('etag') ?? '' } };
  equal((await us.GET('/api/companies', { params: tagged })).response.status, 304, 'not modified');
  bad(await list({ per_page: 0 }), 422);
  bad(await list({}, stranger), 401);
  bad(await list({}, writer), 403);

  type Fields = components['schemas']['CompanyFields'];
  const fields: Fields = { name: 'Confeitaria Nova', state: 'SP' };
  const replace = (number: string, by = us, body = fields, header = {}) =>
    by.PUT('/api/companies/{cnpj}', { params: { ...at(number), header }, body });
  const replaced = good(await replace(first), 200);
  equal([replaced.name, replaced.partners, replaced.revision], ['Confeitaria Nova', null, 2], 'replaced');
  bad(await replace(unknown), 404);
  bad(await replace(first, us, { ...fields, name: '' }), 422);
  bad(await replace(first, stranger), 401);
  bad(await replace(first, reader), 403);
  equal(bad(await replace(first, us, { ...fields, cnpj: unknown }), 409).errors?.[0]?.pointer, '#/cnpj', 'another');

  type Patch = components['schemas']['CompanyPatch'];
  const change = (number: string, body: Patch, by = us, header = {}) =>
    by.PATCH('/api/companies/{cnpj}', { params: { ...at(number), header }, body });
  // A list, absent, null, absent: absent keeps what is known, and null forgets it.
  const steps: [Patch, Company['partners']][] = [
    [{ partners: [partner] }, [partner]],
    [{ state: 'RJ' }, [partner]],
    [{ partners: null }, null],
    [{ name: 'Confeitaria Velha' }, null],
  ];
  for (const [patch, partners] of steps) {
    equal(good(await change(first, patch), 200).partners, partners, JSON.stringify(patch));
  }
  bad(await change(unknown, { state: 'RJ' }), 404);
  bad(await change(first, { name: '' }), 422);
  bad(await change(first, { state: 'RJ' }, stranger), 401);
  bad(await change(first, { state: 'RJ' }, reader), 403);

  // A write with the tag of another state is refused, and does nothing.
  type Header = NonNullable<RegistryPaths['/api/companies/{cnpj}']['patch']['parameters']['header']>;
  const stale: Header = { 'If-Match': (await show(first)).response.headers.get('etag') ?? '' };
  good(await change(first, { state: 'SP' }, us, stale), 200);
  bad(await change(first, { state: 'MG' }, us, stale), 412);
  bad(await replace(first, us, fields, stale), 412);
  const current = await show(first);
  equal(good(current, 200).state, 'SP', 'what was refused');
  good(await replace(first, us, fields, { 'If-Match': current.response.headers.get('etag') ?? '' }), 200);

  type Paging = { page?: number; per_page?: number };
  const history = (number: string, query: Paging = {}, by = us) =>
    by.GET('/api/companies/{cnpj}/history', { params: { ...at(number), query } });
  const latest = good(await history(first, { per_page: 2 }), 200);
  equal(latest.map((entry) => entry.revision), [8, 7], 'the latest first');
  const changes = await history(first);
  const inserted = good(changes, 200).at(-1);
  equal([inserted?.action, inserted?.company.partners], ['insert', [partner]], 'what it was');
  const seen = { params: { ...at(first), header: { 'If-None-Match': changes.response.headers.get('etag') ?? '' } } };
  equal((await us.GET('/api/companies/{cnpj}/history', seen)).response.status, 304, 'not modified');
  bad(await history(unknown), 404);
  bad(await history(first, { page: 0 }), 422);
  bad(await history(first, {}, stranger), 401);
  bad(await history(first, {}, writer), 403);

  const open = (number: string, by = us) => by.POST('/api/companies/{cnpj}/card', { params: at(number) });
  const opened = await open(first);
  equal(opened.response.headers.get('location'), good(opened, 201).url, 'the card has an address');
  bad(await open(unknown), 404);
  bad(await open(wrong), 422);
  bad(await open(first, stranger), 401);
  bad(await open(first, reader), 403);

  const lookUp = (number: string, by = us) => by.GET('/api/register/{cnpj}', { params: at(number) });
  equal(good(await lookUp(targets.known), 200).cnpj, targets.known, 'looked up');
  bad(await lookUp(targets.unknown), 404);
  bad(await lookUp(wrong), 422);
  bad(await lookUp(targets.known, stranger), 401);
  bad(await lookUp(targets.known, writer), 403);

  const enrich = (number: string, by = us) => by.POST('/api/companies/{cnpj}/enrich', { params: at(number) });
  const sent = good(await enrich(first), 202);
  bad(await enrich(unknown), 404);
  bad(await enrich(wrong), 422);
  bad(await enrich(first, stranger), 401);
  bad(await enrich(first, reader), 403);
  const task = (id: string, by = us) => by.GET('/tasks/{id}', { params: { path: { id } } });
  good(await task(sent.id), 200);
  bad(await task('unknown'), 404);
  bad(await task(sent.id, stranger), 401);
  bad(await task(sent.id, writer), 403);
  good(await us.POST('/api/reports/states'), 202);
  bad(await stranger.POST('/api/reports/states'), 401);
  bad(await writer.POST('/api/reports/states'), 403);
  good(await us.POST('/api/reports/export'), 202);
  bad(await stranger.POST('/api/reports/export'), 401);
  bad(await reader.POST('/api/reports/export'), 403);
}

export async function piste(targets: Targets['piste'], { watch, activation }: Surroundings): Promise<void> {
  const caller = (token?: string) => {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const client = createClient<PistePaths>({ baseUrl: targets.url, headers });
    client.use(watch('piste'));
    return client;
  };
  const [nobody, stranger] = [caller(), caller('not.a.token')];
  const email = `openapi-fetch-${Date.now()}@example.org`;
  const password = 'correct horse';
  const signup = (body: { email: string; password: string; name?: string | null }) =>
    nobody.POST('/user/signup', { body });
  equal(good(await signup({ email, password, name: 'Ada' }), 200).email, email, 'signed up');
  bad(await signup({ email, password, name: null }), 409);
  bad(await signup({ email: 'nobody', password }), 422);
  const login = (body: { email: string; password: string }) => nobody.POST('/user/login', { body });
  bad(await login({ email, password }), 403);
  bad(await login({ email, password: 'wrong' }), 401);
  // The types do not let it be left out; a client in JavaScript may.
  bad(await login({ email } as { email: string; password: string }), 422);
  const activate = (token: string) => nobody.GET('/user/activate/{token}', { params: { path: { token } } });
  equal(good(await activate(activation(email)), 200).email, email, 'activated');
  bad(await activate('not a/token'), 404);

  const us = caller(good(await login({ email, password }), 200).token);
  equal(good(await us.GET('/user/me'), 200), { email, name: 'Ada', active: true }, 'who one is');
  bad(await stranger.GET('/user/me'), 401);
  good(await us.GET('/peer/me'), 200);
  bad(await stranger.GET('/peer/me'), 401);
  equal(good(await nobody.GET('/user/get'), 200).status, 'ok', 'status');

  const list = (query: { limit?: number; before?: number }) => nobody.GET('/messages', { params: { query } });
  const messages = good(await list({}), 200);
  equal(messages.length, 3, 'messages');
  holds(messages.every((message) => !Number.isNaN(Date.parse(message.received_at))), 'moments');
  equal(good(await list({ limit: 1, before: messages[1]?.id }), 200), messages.slice(2), 'older messages');
  bad(await list({ limit: -1 }), 422);
}
