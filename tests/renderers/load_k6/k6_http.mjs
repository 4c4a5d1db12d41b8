import { host } from './host.mjs';

class CookieJar {
  cookies = {};
}

const USED = ['headers', 'jar', 'redirects', 'responseType', 'responseCallback', 'timeout', 'tags'];

function request(method, url, body, params) {
  const strange = Object.keys(params).filter((name) => !USED.includes(name));
  if (strange.length > 0 || !(params.jar instanceof CookieJar) || params.redirects !== 0 || !(params.timeout > 0)) {
    throw new Error(`every session has a jar and patience, and redirects are not followed; ${strange}`);
  }
  const cookie = Object.entries(params.jar.cookies).map((pair) => pair.join('='));
  // Go sends a header's text as UTF-8.
  const sent = Object.entries(params.headers).map(([name, text]) => [name, Buffer.from(text).toString('latin1')]);
  const headers = { ...Object.fromEntries(sent), ...(cookie.length > 0 ? { cookie: cookie.join('; ') } : {}) };
  const answer = host.call('request', { method, url, body, headers, timeout: params.timeout });
  for (const set of answer.cookies) {
    const [name, value] = set.split(';')[0].split('=');
    params.jar.cookies[name] = value;
  }
  return {
    status: answer.status,
    error_code: answer.errorCode,
    body: params.responseType === 'none' ? null : answer.body,
    timings: { blocked: 0, connecting: 0, tls_handshaking: 0, duration: answer.tookMs },
  };
}

const expectedStatuses = (...statuses) => ({ statuses });

export default { request, CookieJar, expectedStatuses };
