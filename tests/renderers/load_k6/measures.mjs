// Samples, and the conditions on them, as k6 has them.
export class Measures {
  constructor() {
    this.kinds = { dropped_iterations: 'counter' };
    this.samples = [];
  }

  declare(name, kind) {
    this.kinds[name] = kind;
  }

  add(name, value, tags = {}) {
    this.samples.push({ name, value, tags });
  }

  // A metric by its name, or a part of it: name{tag:value}.
  values(key, stats) {
    const [, name, tag, wanted] = /^([a-z_]+)(?:\{([a-z]+):([a-z0-9]+)\})?$/.exec(key);
    const kind = this.kinds[name];
    if (kind === undefined) {
      throw new Error(`there is no metric ${name}`);
    }
    const found = this.samples.filter((each) => each.name === name && (!tag || each.tags[tag] === wanted));
    const values = found.map(({ value }) => value).sort((one, other) => one - other);
    const sum = values.reduce((total, value) => total + value, 0);
    if (kind === 'counter') {
      return { kind, seen: values.length, values: { count: sum } };
    }
    if (kind === 'rate') {
      const rate = values.length > 0 ? sum / values.length : 0;
      return { kind, seen: values.length, values: { rate, passes: sum, fails: values.length - sum } };
    }
    const told = stats.map((stat) => [stat, statOf(stat, values)]);
    return { kind, seen: values.length, values: Object.fromEntries(told) };
  }

  holds(key, condition) {
    const [, stat, comparison, limit] = /^([a-z]+(?:\([0-9.]+\))?)(==|<=|>=)([0-9.]+)$/.exec(condition);
    const value = this.values(key, [stat]).values[stat];
    if (value === undefined) {
      throw new Error(`${key} has no ${stat}`);
    }
    return { '==': value === Number(limit), '<=': value <= Number(limit), '>=': value >= Number(limit) }[comparison];
  }

  // What handleSummary is given: metrics with samples, metrics and parts with conditions.
  summary({ thresholds, summaryTrendStats }) {
    const metrics = {};
    for (const key of new Set([...Object.keys(this.kinds), ...Object.keys(thresholds)])) {
      const { kind, seen, values } = this.values(key, summaryTrendStats);
      const conditions = (thresholds[key] ?? []).map((one) => [one, { ok: this.holds(key, one) }]);
      if (seen > 0 || conditions.length > 0) {
        metrics[key] = { type: kind, values, thresholds: Object.fromEntries(conditions) };
      }
    }
    return { metrics };
  }
}

function statOf(stat, values) {
  if (stat === 'count') {
    return values.length;
  }
  const percent = { med: 50, max: 100 }[stat] ?? Number(/^p\(([0-9.]+)\)$/.exec(stat)[1]);
  if (values.length === 0) {
    return 0;
  }
  const place = (percent / 100) * (values.length - 1);
  const [low, high] = [values[Math.floor(place)], values[Math.ceil(place)]];
  return low + (high - low) * (place - Math.floor(place));
}
