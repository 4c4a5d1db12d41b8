// Runs a bundled load test under Node with as much of k6 as it uses:
//   node run.mjs --log-format raw --console-output FILE -e NAME=value [--stop-after-s SECONDS] load.js
// --stop-after-s is somebody who stops the run then.
// It ends as k6 does: 0; 99 where a threshold does not hold; 107 where the script throws before anything is sent.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { host } from './host.mjs';
import { Measures } from './measures.mjs';
import { SharedIterations } from './shared_iterations.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    env: { type: 'string', short: 'e', multiple: true, default: [] },
    'console-output': { type: 'string' },
    'log-format': { type: 'string' },
    'stop-after-s': { type: 'string', default: 'Infinity' },
  },
});
const told = (text) => process.stderr.write(`${text}\n`);
const file = values['console-output'];
if (file && values['log-format'] !== 'raw') {
  throw new Error('k6 would write a time and a level before each line: the load test asks for --log-format raw');
}
const log = (text) => (file ? appendFileSync(file, `${text}\n`) : told(text));
const path = resolve(positionals[0]);
const script = withStandIns(path);
const pairs = values.env.map((pair) => /^([^=]+)=(.*)$/s.exec(pair).slice(1));
const environment = Object.fromEntries(pairs);

const measures = new Measures();
host.shared = {};
host.declare = (name, kind) => measures.declare(name, kind);
globalThis.__ENV = environment;
globalThis.open = (name) => readFileSync(resolve(dirname(path), name), 'utf8');

const loaded = await import(script).catch((error) => {
  told(error.message);
  process.exit(107);
});
const { scenarios, ...options } = loaded.options;
const [[, { executor, ...scenario }]] = Object.entries(scenarios);
if (executor !== 'shared-iterations') {
  throw new Error(`this runs shared-iterations; the script asks for ${executor}`);
}
const stopMs = 1000 * Number(values['stop-after-s']);
const run = new SharedIterations(scenario, { script, shared: host.shared, environment, measures, log, told, stopMs });
globalThis.console = { log };
loaded.setup?.();
await run.run();
for (const [name, text] of Object.entries(loaded.handleSummary(measures.summary(options)))) {
  if (name === 'stdout') {
    process.stdout.write(text);
  } else {
    writeFileSync(name, text);
  }
}
const broken = Object.entries(options.thresholds).flatMap(([key, conditions]) =>
  conditions.filter((condition) => !measures.holds(key, condition)).map((condition) => `${key} ${condition}`),
);
broken.forEach((one) => told(`threshold does not hold: ${one}`));
process.exit(broken.length > 0 ? 99 : 0);

// A copy of the bundle that imports the stand-ins where k6 would give its own modules.
function withStandIns(bundle) {
  const copy = `${bundle}.stand-ins.mjs`;
  const text = readFileSync(bundle, 'utf8').replace(/^(import .* from) "(k6(?:\/[a-z]+)?)";$/gm, (_, what, name) => {
    const ours = new URL(`./${name.replace('/', '_')}.mjs`, import.meta.url).href;
    return `${what} "${ours}";`;
  });
  writeFileSync(copy, text);
  return pathToFileURL(copy).href;
}
