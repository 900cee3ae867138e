// Sends each form of parameter and body to a service that says what it has read.

import createClient from 'openapi-fetch';
import type { components, paths } from './types/forms';
import { equal, good, type Surroundings } from './answers.js';

export async function forms(targets: { url: string }, { watch }: Surroundings): Promise<void> {
  const us = createClient<paths>({ baseUrl: targets.url });
  us.use(watch('forms'));

  type Scalars = paths['/forms/scalars']['get']['parameters']['query'];
  const scalars: Scalars[] = [
    {
      text: 'a b&c=d+é',
      // The largest integer that JavaScript keeps exactly.
      wide: Number.MAX_SAFE_INTEGER,
      kind: 'rather-fancy',
      small: -32768,
      count: 4294967295,
      ratio: -0.25,
      flag: true,
      id: '0d4f4f4e-65d1-4b2b-9a3e-3a1e9f6a7c11',
      day: '2026-02-28',
      moment: '2026-02-28T18:29:58.123456Z',
    },
    { text: '', wide: 0, kind: 'plain', flag: false },
  ];
  for (const query of scalars) {
    const read = good(await us.GET('/forms/scalars', { params: { query } }), 200);
    for (const [name, value] of Object.entries(query)) equal(read[name as keyof typeof read], value, name);
  }

  type Lists = NonNullable<paths['/forms/lists']['get']['parameters']['query']>;
  const lists: Lists[] = [
    { tags: ['a b', 'x,y', 'é'], numbers: [1, 4294967295], kinds: ['rather-fancy', 'plain'] },
    { tags: ['one'], numbers: [5], kinds: ['plain'] },
  ];
  for (const query of lists) equal(good(await us.GET('/forms/lists', { params: { query } }), 200), query, 'lists');
  const none = good(await us.GET('/forms/lists'), 200);
  equal([none.tags, none.kinds, none.numbers], [[], [], null], 'no lists');

  type Flat = NonNullable<paths['/forms/flat']['get']['parameters']['query']>;
  const flat: Flat = { q: 'x', page: 3, after: Number.MAX_SAFE_INTEGER, since: '2026-02-28', finished: true };
  equal(good(await us.GET('/forms/flat', { params: { query: flat } }), 200), flat, 'flat');

  const path = { day: '2026-02-28', kind: 'rather-fancy', name: 'a b/c?d#é%', number: -2147483648 } as const;
  const params = { params: { path } };
  equal(good(await us.GET('/forms/path/{day}/{kind}/{name}/{number}', params), 200), path, 'path');

  type Shape = paths['/forms/shape']['get']['parameters']['query'];
  const shape = (query: Shape) => us.GET('/forms/shape', { params: { query } });
  equal(good(await shape({ shape: 'square', side: 4, tilted: false }), 200), { shape: 'square', side: 4, tilted: false }, 'shape');
  equal(good(await shape({ shape: 'circle', radius: 1.5 }), 200), { shape: 'circle', radius: 1.5 }, 'shape');
  equal((await shape({ shape: 'circle', side: 4 })).response.status, 422, 'a circle has no sides');

  const filled = { name: 'é & =+', amounts: [Number.MAX_SAFE_INTEGER, 0], kind: 'plain' as const, when: '2026-02-28T18:29:58Z' };
  // It sends JSON unless told otherwise, and writes the lists of a form with commas.
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const bodySerializer = (form: object) =>
    new URLSearchParams(Object.entries(form).flatMap(([name, value]) => [value].flat().map((item) => [name, String(item)])));
  const sent = await us.POST('/forms/form', { body: filled, bodySerializer, headers });
  equal(good(sent, 200), filled, 'form');

  type Document = components['schemas']['DocumentInput'];
  const document: Document = {
    id: Number.MAX_SAFE_INTEGER,
    counts: { 'a b': 7, c: 0 },
    shape: { shape: 'square', side: 4, tilted: true },
    inner: { key: '0d4f4f4e-65d1-4b2b-9a3e-3a1e9f6a7c11', note: null },
    list: [{ key: '0d4f4f4e-65d1-4b2b-9a3e-3a1e9f6a7c11', note: 'é' }],
    when: '2026-02-28T18:29:58.123456Z',
    day: '2026-02-28',
    kind: 'rather-fancy',
  };
  for (const change of [{}, { shape: { shape: 'circle' as const, radius: 0.5 }, inner: null, day: null }]) {
    const one = { ...document, ...change };
    equal(good(await us.POST('/forms/body', { body: one }), 200), one, 'body');
  }
}
