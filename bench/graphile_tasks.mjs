// graphile-worker on PostgreSQL, as `cargo xtask bench tasks` measures it.
//
//     graphile_tasks.mjs URL send-batches COUNT SIZE      prints sent_per_second
//     graphile_tasks.mjs URL send-singly COUNT CALLERS    prints sent_per_second
//     graphile_tasks.mjs URL send-timed COUNT PAUSE_MS    sends tasks that measure their latency
//     graphile_tasks.mjs URL worker COUNT [PAUSE_MS]      runs COUNT tasks, prints the rate or the latencies;
//                                                         with PAUSE_MS it sends them itself
//     graphile_tasks.mjs URL idle                         runs a worker until it is stopped
//
// The worker has the batches of https://worker.graphile.org/docs/performance, "Quick stats". With 100 tasks at a time and 101
// connections it was as fast as with the 24 and 25 of that page, and faster than with 20 connections.

import { createRequire } from "node:module";

// Installed in target/node/graphile: the working directory.
const require = createRequire(`${process.cwd()}/`);
const { Logger, makeWorkerUtils, run } = await import(require.resolve("graphile-worker"));
const pg = require("pg");

const [connectionString, command, ...numbers] = process.argv.slice(2);
const [count, second] = numbers.map(Number);
const CONCURRENCY = 100;
const logger = new Logger(() => () => {});
const now = () => performance.timeOrigin + performance.now();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const add = (n) => ({ identifier: "add", payload: { x: n, y: n } });

async function withUtils(maxPoolSize, body) {
  const utils = await makeWorkerUtils({ connectionString, logger, maxPoolSize });
  await utils.migrate();
  await body(utils);
  await utils.release();
}

async function timed(sent, body) {
  const started = performance.now();
  await body();
  console.log(`sent_per_second ${((1000 * sent) / (performance.now() - started)).toFixed(1)}`);
}

async function sendBatches(utils) {
  await timed(count, async () => {
    for (let batch = 0; batch < count / second; batch++) {
      await utils.addJobs(Array.from({ length: second }, (_, n) => add(n)));
    }
  });
}

async function sendSingly(utils) {
  await timed(count, async () => {
    const caller = async () => {
      for (let n = 0; n < count / second; n++) {
        await utils.addJob("add", { x: n, y: n });
      }
    };
    await Promise.all(Array.from({ length: second }, caller));
  });
}

async function sendTimed(utils, pause) {
  for (let n = 0; n < count; n++) {
    await utils.addJob("timed", { sent: now() });
    await sleep(pause);
  }
}

async function startWorker(taskList) {
  return run({
    preset: {
      worker: {
        connectionString,
        concurrentJobs: CONCURRENCY,
        maxPoolSize: CONCURRENCY + 1,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        logger,
      },
    },
    taskList,
    noHandleSignals: true,
  });
}

// Runs `count` tasks, and waits until the database has none left.
async function work() {
  let [done, first, cpu] = [0, 0, process.cpuUsage()];
  const latencies = [];
  const runner = await startWorker({
    add: async ({ x, y }) => {
      if (done++ === 0) {
        [first, cpu] = [performance.now(), process.cpuUsage()];
      }
      return x + y;
    },
    timed: async ({ sent }) => {
      latencies.push(now() - sent);
    },
  });
  if (second) {
    await withUtils(10, (utils) => sendTimed(utils, second));
  }
  const pool = new pg.Pool({ connectionString, max: 1 });
  while (done + latencies.length < count || (await isAnyLeft(pool))) {
    await sleep(5);
  }
  if (done > 0) {
    const { user, system } = process.cpuUsage(cpu);
    console.log(`consumed_per_second ${((1000 * done) / (performance.now() - first)).toFixed(1)}`);
    console.log(`cpu_us_per_task ${((user + system) / done).toFixed(2)}`);
  }
  if (latencies.length > 0) {
    latencies.sort((a, b) => a - b);
    for (const [name, share] of [["p50", 0.5], ["p99", 0.99]]) {
      console.log(`latency_${name}_ms ${latencies[Math.floor((latencies.length - 1) * share)].toFixed(3)}`);
    }
  }
  await runner.stop();
  await pool.end();
}

async function isAnyLeft(pool) {
  const left = await pool.query("SELECT 1 FROM graphile_worker._private_jobs LIMIT 1");
  return left.rowCount > 0;
}

switch (command) {
  case "send-batches":
    await withUtils(10, sendBatches);
    break;
  case "send-singly":
    await withUtils(second, sendSingly);
    break;
  case "send-timed":
    await withUtils(10, (utils) => sendTimed(utils, second));
    break;
  case "worker":
    await work();
    break;
  case "idle":
    await startWorker({ add: async () => {} });
    break;
  default:
    throw new Error(`no command \`${command}\`; the head of this file lists them`);
}
