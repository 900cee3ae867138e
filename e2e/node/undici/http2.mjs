// undici with `allowH2`, and Node's own `http2`: `http2.mjs URL AUTHORITY.pem`.
//
// Prints what went wrong, then the sum as JSON.

import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { createRequire } from "node:module";

const { Pool } = createRequire(`${process.env.NODE_PATH}/`)("undici");
const [url, authority] = process.argv.slice(2);
const ca = readFileSync(authority);
const large = "x".repeat(100_000);
const early = { "/closed": 401, "/opened": 201, "/nowhere": 404 };
const total = { right: 0, requests: 0 };

function note(right, ...what) {
  total.requests += 1;
  total.right += right ? 1 : 0;
  if (!right) {
    console.log(...what);
  }
}

async function check(send, method, path, expected, body, text) {
  try {
    const [status, answer] = await send(method, path, body);
    note(status === expected && (text === undefined || answer === text), path, status, answer.slice(0, 80));
  } catch (error) {
    note(false, path, error.code, error.message);
  }
}

async function all(send) {
  for (let number = 0; number < 20; number++) {
    for (const [path, expected] of Object.entries(early)) {
      await check(send, "POST", path, expected, large);
      await check(send, "GET", `/number/${number}`, 200, undefined, String(number));
    }
  }
  const numbers = Array.from({ length: 50 }, (_, n) => n);
  await Promise.all([
    ...numbers.map((n) => check(send, "GET", `/number/${n}`, 200, undefined, String(n))),
    ...numbers.map(() => check(send, "POST", "/echo", 200, large, large)),
    ...numbers.map(() => check(send, "POST", "/closed", 401, large)),
  ]);
}

const pool = new Pool(url, { connections: 1, allowH2: true, connect: { ca }, pipelining: 100 });
await all(async (method, path, body) => {
  const answer = await pool.request({ method, path, body });
  return [answer.statusCode, await answer.body.text()];
});
await pool.destroy();

// Its own limit of 10 MB would refuse so many bodies at once.
const session = http2.connect(url, { ca, maxSessionMemory: 100 });
await all(
  (method, path, body) =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ":method": method, ":path": path }, { endStream: body === undefined });
      let [status, text] = [0, ""];
      stream.setEncoding("utf8");
      stream.on("response", (headers) => (status = headers[":status"]));
      stream.on("data", (part) => (text += part));
      stream.on("error", reject);
      stream.on("end", () => resolve([status, text]));
      if (body !== undefined) {
        stream.end(body);
      }
    }),
);
session.close();
console.log(JSON.stringify(total));
