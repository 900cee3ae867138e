// POSTs of 100 kB that a service answers before it has read them, by Node's undici: `early.mjs URL COUNT`.
//
// Prints a line of JSON for each kind of answer, then the sum, as e2e/python/httppeers/early.py does.

import { createRequire } from "node:module";

const { Pool } = createRequire(`${process.env.NODE_PATH}/`)("undici");
const [url, count] = [process.argv[2], Number(process.argv[3])];
const small = "x".repeat(100_000);
const kinds = {
  refused: ["/closed", small, 401],
  succeeded: ["/opened", small, 201],
  missing: ["/nowhere", small, 404],
  "too large": ["/echo", "x".repeat(3_000_000), 413],
};
const total = { right: 0, requests: 0 };

for (const [kind, [path, body, expected]] of Object.entries(kinds)) {
  const pool = new Pool(url, { connections: 1, headersTimeout: 20_000, bodyTimeout: 20_000 });
  const seen = { right: 0 };
  const judge = (what, right, outcome) => {
    const key = right ? "right" : `${what}: ${outcome}`;
    seen[key] = (seen[key] ?? 0) + 1;
  };
  const attempt = async (options) => {
    try {
      const answer = await pool.request(options);
      return [answer.statusCode, await answer.body.text()];
    } catch (error) {
      return [`${error.code}: ${error.message}`, ""];
    }
  };
  for (let number = 0; number < count; number++) {
    const [status] = await attempt({ method: "POST", path, body });
    judge("early", status === expected, status);
    const [next, text] = await attempt({ method: "GET", path: `/number/${number}` });
    judge("next", next === 200 && text === String(number), next);
  }
  await pool.destroy();
  console.log(JSON.stringify({ client: "undici", kind, of: 2 * count, ...seen }));
  total.right += seen.right;
  total.requests += 2 * count;
}
console.log(JSON.stringify(total));
