// Lints documents with Redocly's recommended rules and Spectral's for OpenAPI.
//
// node lint.mjs [--errors-only] DOCUMENT..
//
// Fails on errors, and on warnings but those of `ACCEPTED`, unless only errors are asked for. The last line is JSON: how many rules were broken
// by each linter, the accepted included.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ACCEPTED = {
  // It has no input, and asks nobody who is calling.
  'operation-4xx-response': (where) => where.includes('/paths/~1user~1get/get/'),
};

const errorsOnly = process.argv[2] === '--errors-only';
const documents = process.argv.slice(errorsOnly ? 3 : 2);
const modules = process.env.NODE_PATH;

function run(program, words) {
  const environment = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const options = { encoding: 'utf8', env: environment, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 };
  try {
    return execFileSync(process.execPath, [join(modules, program), ...words], options);
  } catch (error) {
    // A linter that finds something ends with 1, and has printed it.
    if (error.stdout) return error.stdout;
    throw new Error(`${program} ended with ${error.status}: ${error.stderr}`);
  }
}

function redocly(document) {
  const report = JSON.parse(run('@redocly/cli/bin/cli.js', ['lint', document, '--extends=recommended', '--format=json']));
  return report.problems.map(({ ruleId, severity, message, location }) => ({
    rule: ruleId, severity, message, where: location.map(({ pointer }) => pointer).join(' '),
  }));
}

function spectral(document) {
  const ruleset = resolve('ruleset.json');
  writeFileSync(ruleset, '{"extends":["spectral:oas"]}');
  const words = ['lint', '--ruleset', ruleset, '--format=json', '--quiet', document];
  const text = run('@stoplight/spectral-cli/dist/index.js', words);
  return JSON.parse(text || '[]').map(({ code, severity, message, path }) => ({
    rule: code, severity: ['error', 'warn', 'info', 'hint'][severity], message, where: path.join('.'),
  }));
}

let refused = 0;
const counts = {};
for (const document of documents) {
  for (const [name, lint] of Object.entries({ redocly, spectral })) {
    const found = lint(document);
    counts[name] = (counts[name] ?? 0) + found.length;
    for (const { rule, severity, message, where } of found) {
      if (severity !== 'error' && (errorsOnly || ACCEPTED[rule]?.(where))) continue;
      refused += 1;
      console.log(`${name} ${document}: ${severity} ${rule} at ${where}: ${message}`);
    }
  }
}
console.log(JSON.stringify(counts));
process.exitCode = refused > 0 ? 1 : 0;
