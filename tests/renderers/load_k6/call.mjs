// Prints what a function of a bundled module returns for each list of arguments: node call.mjs module.js name args.json
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , module, name, path] = process.argv;
const { [name]: call } = await import(pathToFileURL(resolve(module)));
process.stdout.write(JSON.stringify(JSON.parse(readFileSync(path, 'utf8')).map((given) => call(...given))));
