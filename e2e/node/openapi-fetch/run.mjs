// Makes types of the documents, compiles the tours with them, and takes the tours.
//
// node run.mjs TARGETS [--through-prism]
//
// TARGETS is a JSON file of `test_support::generated_clients`: of the registry and piste, or of the service that says what it has
// read. Fails if an operation of a document was not called, if one
// answered by a status that is not documented for it, or did not answer by one that is. With
// `--through-prism` the addresses are those of validating proxies, whose complaints fail, too. The last
// line is JSON: how many operations and calls of each service.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [targetsFile, ...flags] = process.argv.slice(2);
const throughPrism = flags.includes('--through-prism');
const targets = JSON.parse(readFileSync(targetsFile, 'utf8'));
const services = Object.keys(targets);
const source = 'forms' in targets ? 'forms' : 'tour';
// Statuses that a client alone can provoke. Others (429, 503 ..) need a service in trouble.
const PROVOKED = 'forms' in targets ? [200] : [200, 201, 204, 304, 401, 403, 404, 409, 412, 422];

// They need a user who was deleted since, and tokens that piste does not make.
const UNREACHABLE = { user_me: [403, 404, 422], peer_me: [403, 422] };

function compile() {
  const folder = join(process.cwd(), 'tour');
  mkdirSync(join(folder, 'types'), { recursive: true });
  for (const file of [`${source}.ts`, 'answers.ts']) cpSync(join(import.meta.dirname, file), join(folder, file));
  const options = JSON.parse(readFileSync(join(import.meta.dirname, 'tsconfig.json'), 'utf8'));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ ...options, files: [`${source}.ts`] }));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  // ECMAScript's modules are not looked for in NODE_PATH.
  symlinkSync(process.env.NODE_PATH, join(folder, 'node_modules'));
  const node = (...words) => {
    try {
      execFileSync(process.execPath, words, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
    } catch (error) {
      throw new Error(`${words.join(' ')}\n${error.stdout}${error.stderr}`);
    }
  };
  for (const name of services) {
    node('node_modules/openapi-typescript/bin/cli.js', targets[name].document, '-o', `types/${name}.d.ts`);
  }
  node('node_modules/typescript/bin/tsc', '-p', '.');
  return join(folder, `out/${source}.js`);
}

class Tour {
  constructor(name) {
    const { paths } = JSON.parse(readFileSync(targets[name].document, 'utf8'));
    this.calls = 0;
    this.complaints = [];
    this.operations = new Map();
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (!operation.operationId) continue;
        const documented = Object.keys(operation.responses).filter((status) => status !== 'default').map(Number);
        this.operations.set(`${method.toUpperCase()} ${path}`, { id: operation.operationId, documented, seen: new Set() });
      }
    }
  }

  onResponse({ request, response, schemaPath }) {
    this.calls += 1;
    const { id, seen, documented } = this.operations.get(`${request.method} ${schemaPath}`);
    seen.add(response.status);
    if (!documented.includes(response.status)) this.complaints.push(`${id} ${response.status} is not documented`);
    const violations = JSON.parse(response.headers.get('sl-violations') ?? '[]');
    for (const { location, message } of violations) {
      // What the service refuses may violate the document; what it accepts may not.
      if (location[0] === 'response' || response.status < 400) {
        this.complaints.push(`${id} ${response.status} ${location.join('.')}: ${message}`);
      }
    }
  }

  end() {
    for (const { id, documented, seen } of this.operations.values()) {
      if (seen.size === 0) this.complaints.push(`${id} was not called`);
      const missing = documented.filter((status) => PROVOKED.includes(status) && !seen.has(status));
      const reachable = missing.filter((status) => !UNREACHABLE[id]?.includes(status));
      if (reachable.length > 0) this.complaints.push(`${id} is documented and did not answer ${reachable}`);
    }
    if (this.complaints.length > 0) throw new Error([...new Set(this.complaints)].join('\n'));
    return { operations: this.operations.size, calls: this.calls };
  }
}

function cnpj(number) {
  const digits = [...String(number).padStart(12, '0')].map(Number);
  for (let digit = 0; digit < 2; digit += 1) {
    const sum = digits.toReversed().reduce((total, value, at) => total + value * (2 + (at % 8)), 0);
    digits.push(sum % 11 < 2 ? 0 : 11 - (sum % 11));
  }
  return digits.join('');
}

function activation(address) {
  const lines = readFileSync(targets.piste.log, 'utf8').split('\n');
  return lines.find((line) => line.includes(`activate ${address} at`)).split('/user/activate/')[1].slice(0, 36);
}

const tours = await import(pathToFileURL(compile()));
const result = {};
for (const name of services) {
  const tour = new Tour(name);
  if (throughPrism) targets[name].url = targets[name].prism;
  await tours[name](targets[name], { watch: () => ({ onResponse: (seen) => tour.onResponse(seen) }), cnpj, activation });
  result[name] = tour.end();
}
console.log(JSON.stringify(result));
