// Sends the requests of a .http file, in its order, with httpyac.
//
// node send.mjs FILE DOCUMENT [VARIABLE=VALUE].. [OPERATION:STATUS]..
//
// The variables are edited in the file, as a person does: those of the command line do not replace them.
// Fails if an operation of the document has no request, or was answered otherwise than by a success that is
// documented, or by STATUS. The last line is JSON: the statuses by operation.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [file, document, ...options] = process.argv.slice(2);
const variables = options.filter((option) => /^\w+=/.test(option));
const expected = new Map(options.filter((option) => /^\w+:\d+$/.test(option)).map((option) => option.split(':')));
const program = join(process.env.NODE_PATH, 'httpyac/bin/httpyac.js');
let requestsText = readFileSync(file, 'utf8');
for (const [name, value] of variables.map((variable) => variable.split('='))) {
  const line = new RegExp(`^@${name} = .*$`, 'm');
  if (!line.test(requestsText)) throw new Error(`${file} has no variable ${name}`);
  requestsText = requestsText.replace(line, () => `@${name} = ${value}`);
}
// It takes none but files below its working folder.
writeFileSync('requests.http', requestsText);
const words = ['send', 'requests.http', '--all', '--json'];
let text;
try {
  text = execFileSync(process.execPath, [program, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
} catch (error) {
  text = error.stdout;
  if (!text) throw error;
}
const { requests } = JSON.parse(text);
const answers = new Map(requests.map((request) => [request.name, request]));
const { paths } = JSON.parse(readFileSync(document, 'utf8'));
const statuses = {};
const complaints = [];
for (const [path, methods] of Object.entries(paths)) {
  for (const [method, { operationId, responses }] of Object.entries(methods)) {
    if (!operationId) continue;
    const request = answers.get(operationId);
    const response = request?.response;
    statuses[operationId] = response?.statusCode;
    const others = expected.get(operationId);
    const good = Object.keys(responses).filter((status) => (others ? status === others : status.startsWith('2'))).map(Number);
    if (!good.includes(response?.statusCode)) {
      const why = response ? `${response.statusCode} ${response.body}` : request?.testResults[0].message;
      complaints.push(`${operationId} (${method} ${path}): ${why} instead of ${good}`);
    }
  }
}
console.log(complaints.join('\n'));
console.log(JSON.stringify(statuses));
process.exitCode = complaints.length > 0 ? 1 : 0;
