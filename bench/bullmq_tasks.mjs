// BullMQ on Redis, as `cargo xtask bench tasks --broker redis` measures it.
//
//     bullmq_tasks.mjs PORT send COUNT CALLERS          prints sent_per_second
//     bullmq_tasks.mjs PORT send-timed COUNT PAUSE_MS   sends tasks that measure their latency
//     bullmq_tasks.mjs PORT worker COUNT [keep]         runs COUNT tasks, prints the rate or the latencies; keeps their results
//     bullmq_tasks.mjs PORT idle                        runs a worker until it is stopped

import { createRequire } from "node:module";

// Installed in target/node/bullmq: the working directory.
const require = createRequire(`${process.cwd()}/`);
const { Queue, Worker } = require("bullmq");

const [port, command, countText, option] = process.argv.slice(2);
const count = Number(countText);
const CONCURRENCY = 100;
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };
const now = () => performance.timeOrigin + performance.now();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function send() {
  const queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
  const callers = Number(option);
  const started = performance.now();
  const caller = async () => {
    for (let n = 0; n < count / callers; n++) {
      await queue.add("add", { x: n, y: n });
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  console.log(`sent_per_second ${((1000 * count) / (performance.now() - started)).toFixed(1)}`);
  await queue.close();
}

async function sendTimed() {
  const queue = new Queue("bench", { connection });
  for (let n = 0; n < count; n++) {
    await queue.add("timed", { sent: now() });
    await sleep(Number(option));
  }
  await queue.close();
}

async function work() {
  let [done, first] = [0, 0];
  const latencies = [];
  const removal = option === "keep" ? {} : { removeOnComplete: { count: 0 } };
  const run = async (job) => {
    if (job.name === "timed") {
      latencies.push(now() - job.data.sent);
      return null;
    }
    if (done++ === 0) first = performance.now();
    return job.data.x + job.data.y;
  };
  const worker = new Worker("bench", run, { connection, concurrency: CONCURRENCY, ...removal });
  while (done + latencies.length < count) {
    await sleep(5);
  }
  if (done > 0) {
    console.log(`consumed_per_second ${((1000 * done) / (performance.now() - first)).toFixed(1)}`);
  }
  if (latencies.length > 0) {
    latencies.sort((a, b) => a - b);
    for (const [name, share] of [["p50", 0.5], ["p99", 0.99]]) {
      console.log(`latency_${name}_ms ${latencies[Math.floor((latencies.length - 1) * share)].toFixed(3)}`);
    }
  }
  await worker.close();
}

switch (command) {
  case "send":
    await send();
    break;
  case "send-timed":
    await sendTimed();
    break;
  case "worker":
    await work();
    break;
  default:
    new Worker("bench", async () => null, { connection, concurrency: CONCURRENCY });
}
