// Sends the requests of a .http file, in its order, with httpyac.
//
// node send.mjs FILE DOCUMENT [VARIABLE=VALUE]..
//
// Fails if an operation of the document has no request, or was answered otherwise than by a success that is
// documented. The last line is JSON: the statuses by operation.

import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [file, document, ...variables] = process.argv.slice(2);
const program = join(process.env.NODE_PATH, 'httpyac/bin/httpyac.js');
// It takes none but files below its working folder.
copyFileSync(file, 'requests.http');
const words = ['send', 'requests.http', '--all', '--json', ...(variables.length > 0 ? ['--var', ...variables] : [])];
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
    const good = Object.keys(responses).filter((status) => status.startsWith('2')).map(Number);
    if (!good.includes(response?.statusCode)) {
      const why = response ? `${response.statusCode} ${response.body}` : JSON.stringify(request?.testResults);
      complaints.push(`${operationId} (${method} ${path}): ${why} instead of ${good}`);
    }
  }
}
console.log(complaints.join('\n'));
console.log(JSON.stringify(statuses));
process.exitCode = complaints.length > 0 ? 1 : 0;
