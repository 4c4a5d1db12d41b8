import { host } from './host.mjs';

// As k6 has it: the function is called once for all, each element is kept as JSON and parsed at each look.
export class SharedArray {
  constructor(name, make) {
    host.shared[name] ??= make().map((element) => JSON.stringify(element));
    const kept = host.shared[name];
    return new Proxy([], {
      get: (target, key) => {
        if (key === 'length') {
          return kept.length;
        }
        return typeof key === 'string' && /^[0-9]+$/.test(key) ? frozen(JSON.parse(kept[key] ?? 'null')) : target[key];
      },
      has: (target, key) => key in kept || key in target,
      set: () => {
        throw new TypeError('SharedArray is immutable');
      },
    });
  }
}

function frozen(value) {
  if (value !== null && typeof value === 'object') {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value ?? undefined;
}
