const OURS = { 'k6/http': './http.mjs', 'k6/metrics': './metrics.mjs' };

export async function resolve(specifier, context, next) {
  return specifier in OURS ? { url: new URL(OURS[specifier], import.meta.url).href, shortCircuit: true } : next(specifier, context);
}

export async function load(url, context, next) {
  return next(url, url.endsWith('.k6.js') ? { ...context, format: 'module' } : context);
}
