// pg-boss' two sides.

import { createRequire } from "node:module";

import { answerCalls, batches, KINDS } from "./calls.mjs";

const require = createRequire(process.env.BENCH_PACKAGES);
const { PgBoss } = require("pg-boss");
const { Client } = require("pg");

const connectionString = process.env.BENCH_URL;
const [side, setting] = process.argv.slice(2);
const { boss: more = {}, work: options = {} } = JSON.parse(setting ?? "{}");
// What only enqueues needs no maintenance.
const boss = new PgBoss({ connectionString, ...(side === "worker" ? more : { supervise: false, schedule: false }) });
boss.on("error", console.error);
await boss.start();

if (side === "worker") {
  for (const [kind, work] of Object.entries(KINDS)) {
    await boss.work(kind, options, (jobs) => Promise.all(jobs.map((job) => work(job.data.n))));
  }
  process.on("SIGTERM", () => boss.stop({ graceful: true, timeout: 5000 }).then(() => process.exit(0)));
} else {
  const client = new Client({ connectionString });
  await client.connect();
  const db = { executeSql: (text, values) => client.query(text, values) };
  await answerCalls({
    prepare: async () => {
      for (const kind of Object.keys(KINDS)) await boss.createQueue(kind, { notify: true });
    },
    empty: () => boss.deleteAllJobs(),
    fill: async (kind, count) => {
      for (const numbers of batches(count, 5000)) await boss.insert(kind, numbers.map((n) => ({ data: { n } })));
    },
    add: (kind, n) => boss.send(kind, { n }),
    addInTransaction: async (kind, count) => {
      await client.query("BEGIN");
      for (let n = 0; n < count; n++) await boss.send(kind, { n }, { db });
      await client.query("COMMIT");
    },
  });
  await client.end();
  await boss.stop({ graceful: false });
  process.exit(0);
}
