// The site under test is BASE_URL: loopback, unless ALLOW_HOST names its host as well. Chromium is Playwright's own, or
// the one that PLAYWRIGHT_CHROMIUM names, or the system's.
import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { chromium, defineConfig } from "@playwright/test";

const SYSTEM_BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

type Settings = { baseUrl: string; loopback: boolean; allowWrites: boolean; thinkTimeScale: number };

function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const given = environment["BASE_URL"] || "http://127.0.0.1:8080";
  const plain = /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]+)?(\/[!-~]*)?$/;
  if (!plain.test(given) || /[\\?#@]/.test(given) || !URL.canParse(given)) {
    throw new Error(`BASE_URL is http(s)://host[:port][/path] and nothing else; got ${JSON.stringify(given)}.`);
  }
  // A URL's own host is what the browser will ask: 127.1 and 2130706433 are 127.0.0.1 to both.
  const host = new URL(given).hostname;
  const address = host.replace(/^\[|\]$/g, "");
  const loopback = host === "localhost" || (isIP(address) === 4 ? address.startsWith("127.") : address === "::1");
  if (!loopback && environment["ALLOW_HOST"] !== host) {
    throw new Error(`BASE_URL leads beyond loopback, to ${host}: name it again in ALLOW_HOST.`);
  }
  const thinkTimeScale = Number(environment["THINK_TIME_SCALE"] || "0.1");
  if (!(Number.isFinite(thinkTimeScale) && thinkTimeScale >= 0)) {
    throw new Error("THINK_TIME_SCALE is a number from 0, for instance 0.1.");
  }
  const baseUrl = new URL(given).href.replace(/\/+$/, "");
  return { baseUrl, loopback, allowWrites: environment["ALLOW_WRITES"] === "1", thinkTimeScale };
}

function chromiumProgram(environment: NodeJS.ProcessEnv): string | undefined {
  if (environment["PLAYWRIGHT_CHROMIUM"]) return environment["PLAYWRIGHT_CHROMIUM"];
  return existsSync(chromium.executablePath()) ? undefined : SYSTEM_BROWSERS.find((program) => existsSync(program));
}

export const settings = readSettings(process.env);

export default defineConfig({
  testDir: ".",
  timeout: 120_000,
  expect: { timeout: 10_000 },
  forbidOnly: true,
  reporter: process.env["CI"] ? "line" : "list",
  use: {
    browserName: "chromium",
    launchOptions: {
      executablePath: chromiumProgram(process.env),
      args: (process.env["PLAYWRIGHT_CHROMIUM_ARGS"] ?? "").split(/\s+/).filter(Boolean),
    },
    trace: "retain-on-failure",
  },
});
