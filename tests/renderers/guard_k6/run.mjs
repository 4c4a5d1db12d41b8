// Runs a k6 script under Node with as much of k6 as it uses, and ends as k6 does: 99 where a threshold does not hold,
// 107 where the script throws before anything is sent.
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { counters } from './metrics.mjs';

register('./hooks.mjs', import.meta.url);
const path = resolve(process.argv[2]);
globalThis.__ENV = process.env;
globalThis.open = (name) => readFileSync(resolve(dirname(path), name), 'utf8');

const script = await import(pathToFileURL(path)).catch((error) => {
  console.error(error.message);
  process.exit(107);
});
await script.default();
for (const [name, conditions] of Object.entries(script.options.thresholds)) {
  for (const condition of conditions) {
    const [, comparison, wanted] = /^count(==|>=)([0-9]+)$/.exec(condition);
    const count = counters[name];
    const holds = comparison === '==' ? count === Number(wanted) : count >= Number(wanted);
    if (!holds) {
      console.error(`threshold ${name} ${condition} does not hold: ${count}`);
      process.exitCode = 99;
    }
  }
}
