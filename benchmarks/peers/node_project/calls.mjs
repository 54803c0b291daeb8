// Answers calls that come as lines of JSON on stdin, ["name", argument, ...], one after the other.

import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";

export async function answerCalls(methods) {
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...given] = JSON.parse(line);
    let error = null;
    try {
      await methods[name](...given);
    } catch (raised) {
      error = String(raised.stack ?? raised);
    }
    process.stdout.write(JSON.stringify({ error }) + "\n");
  }
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// The tasks, which get their number.
export const KINDS = {
  noop: async () => {},
  sleep1: () => sleep(1),
  sleep20: () => sleep(20),
  stamp: async (n) => {
    // Its clock has whole milliseconds only beside a start with a fraction.
    const now = (performance.timeOrigin + performance.now()) / 1000;
    appendFileSync(process.env.BENCH_STAMPS, `${n} ${now.toFixed(6)}\n`);
  },
};

export function* batches(count, size) {
  for (let first = 0; first < count; first += size) {
    yield Array.from({ length: Math.min(size, count - first) }, (_, i) => first + i);
  }
}
