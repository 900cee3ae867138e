// What the tours have in common: looking at answers.
//
// Members of objects may stand in any order, those of lists may not.

import type { Middleware } from 'openapi-fetch';

/** What the caller of the tours gives them. */
export interface Surroundings {
  /** Sees every answer of the service `name`. */
  watch: (name: string) => Middleware;
  /** The CNPJ with these 12 digits. */
  cnpj: (number: number) => string;
  /** The token of the letter to this address. */
  activation: (address: string) => string;
}

export function equal(actual: unknown, expected: unknown, what: string): void {
  const [left, right] = [JSON.stringify(sorted(actual)), JSON.stringify(sorted(expected))];
  if (left !== right) throw new Error(`${what}: ${left} instead of ${right}`);
}

export function holds(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** Gives the body of an answer that has to have this status. */
export function good<Data>(answer: Answer<Data>, status: number): Data {
  equal(answer.response.status, status, `${answer.response.url}: ${JSON.stringify(answer.error)}`);
  holds(answer.data !== undefined, `${answer.response.url} has a body`);
  return answer.data;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}
