// graphile-worker's two sides.

import { createRequire } from "node:module";

import { answerCalls, batches, KINDS } from "./calls.mjs";

const require = createRequire(process.env.BENCH_PACKAGES);
const { Logger, makeWorkerUtils, run } = require("graphile-worker");

const connectionString = process.env.BENCH_URL;
const logger = new Logger(() => (level, message) => {
  if (level === "error") console.error(message);
});
const [side, setting] = process.argv.slice(2);

if (side === "worker") {
  const taskList = Object.fromEntries(
    Object.entries(KINDS).map(([kind, work]) => [kind, (payload) => work(payload.n)]),
  );
  const runner = await run({ preset: { worker: { connectionString, logger, ...JSON.parse(setting) } }, taskList });
  await runner.promise;
} else {
  const utils = await makeWorkerUtils({ connectionString, logger, maxPoolSize: 1 });
  await answerCalls({
    prepare: () => utils.migrate(),
    empty: () => utils.withPgClient((client) => client.query("TRUNCATE graphile_worker._private_jobs")),
    fill: async (kind, count) => {
      for (const numbers of batches(count, 5000)) {
        await utils.addJobs(numbers.map((n) => ({ identifier: kind, payload: { n } })));
      }
    },
    add: (kind, n) => utils.addJob(kind, { n }),
    addInTransaction: (kind, count) =>
      utils.withPgClient(async (client) => {
        await client.query("BEGIN");
        for (let n = 0; n < count; n++) {
          await client.query("SELECT graphile_worker.add_job($1, json_build_object('n', $2::int))", [kind, n]);
        }
        await client.query("COMMIT");
      }),
  });
  await utils.release();
}
