// k6/http, as far as the guards use it: asyncRequest and CookieJar.
import { request } from 'node:http';

class CookieJar {}

function asyncRequest(method, url, body, params) {
  if (!(params.jar instanceof CookieJar) || params.redirects !== 0) {
    throw new Error('every customer has a jar, and redirects are not followed');
  }
  return new Promise((answer) => {
    const sent = request(url, { method, headers: params.headers, agent: false, timeout: parseInt(params.timeout, 10) });
    sent.on('response', (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => answer({ status: response.statusCode, error_code: 0, body: Buffer.concat(chunks).toString() }));
    });
    let code = 1000;
    sent.on('timeout', () => {
      code = 1050;
      sent.destroy();
    });
    sent.on('error', () => answer({ status: 0, error_code: code, body: null }));
    sent.end(body ?? undefined);
  });
}

export default { asyncRequest, CookieJar };
