// A visitor of the site, who does what a person did in production and sees whether it went as it did there.
import { readFileSync } from "node:fs";
import path from "node:path";
import { test as base, expect, type Locator, type Page, type Response, type Route } from "@playwright/test";
import { settings } from "./playwright.config";

export type Client = {
  user_agent?: string;
  viewport_width_px?: number;
  viewport_height_px?: number;
  is_mobile?: boolean;
  locale?: string;
  timezone?: string;
  request_failure_rate?: number;
  seed?: number;
};
type Limits = Record<string, [budget: number, limit: number]>;
type Measured = Record<string, number | string | null>;
type FormValues = (key: string) => string;

const PAGE_SCRIPT = path.join(__dirname, "ui_page.js");
const FORM_VALUES: Record<string, string> = JSON.parse(
  readFileSync(path.join(__dirname, "ui_form_values.json"), "utf-8"),
);
const MODULUS = 2_147_483_647; // Park and Miller's generator, as the other renderings draw
const MULTIPLIER = 48_271;
const OF_LOADING = ["lcp_ms", "fcp_ms", "ttfb_ms"];
const PARTS = ["document", "script", "stylesheet", "font", "image"];
const COUNTRIES = "select:is([autocomplete*=country], [name*=country i], [id*=country i])";
const POLL_MS = 50;

export class Visitor {
  private readonly errors: string[] = [];
  private readonly rate: number;
  private state: number;

  private constructor(
    private readonly page: Page,
    client: Client,
  ) {
    this.rate = client.request_failure_rate ?? 0;
    this.state = client.seed ?? 1;
    this.draw();
  }

  /** Return the visitor whose page it is. */
  static async of(page: Page, client: Client): Promise<Visitor> {
    const visitor = new Visitor(page, client);
    await page.addInitScript({ path: PAGE_SCRIPT });
    page.on("pageerror", (error) => visitor.errors.push(`${error.name}: ${error.message}`));
    page.on("console", (message) => {
      // What the browser itself says of failed requests is judged by the answers.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
        visitor.errors.push(`console: ${message.text()}`);
      }
    });
    page.on("response", (answer) => visitor.lookAt(answer));
    if (visitor.rate) await page.route("**/*", (route) => visitor.maybeCutOff(route));
    return visitor;
  }

  /** Open a page by its address. */
  async visit(address: string, options: { query?: string } = {}): Promise<void> {
    const query = options.query ? `?${encoded(options.query, "?")}` : "";
    await this.telling(`visit ${address}`, [], async () => {
      await this.page.goto(settings.baseUrl + encoded(address) + query);
    });
  }

  /** Go back in the browser's history. */
  async goBack(): Promise<void> {
    await this.telling("go back", [], async () => void (await this.page.goBack()));
  }

  /** Let the time go by that the person took, times the scale. */
  async think(seconds: number): Promise<void> {
    await this.page.waitForTimeout(seconds * 1000 * settings.thinkTimeScale);
  }

  /** Click an element. */
  async click(...ways: Locator[]): Promise<void> {
    await this.telling("click", ways, async () => await (await this.find(ways)).click());
  }

  /** Type a value into a field, in place of what is there. */
  async fill(value: string, ...ways: Locator[]): Promise<void> {
    await this.telling("fill", ways, async () => await (await this.find(ways)).fill(value));
  }

  /** Choose an option by its value or its label; where the list is a field with suggestions, type it. */
  async choose(value: string, ...ways: Locator[]): Promise<void> {
    await this.telling("choose", ways, async () => {
      const found = await this.find(ways);
      if ((await found.evaluate((element) => element.tagName)) === "SELECT") {
        // A person leaves the field before: its change is told first.
        await found.focus();
        await found.selectOption(value);
      } else await found.fill(value);
    });
  }

  /** Be of a country: where a form has another one chosen, choose it; production may have known the network's. */
  async reside(country: string): Promise<void> {
    await this.telling(`be of ${country}`, [], async () => {
      for (const choice of await this.page.locator(COUNTRIES).filter({ visible: true }).all()) {
        const offered = await choice.evaluate((element) =>
          Array.from((element as HTMLSelectElement).options, (option) => option.value),
        );
        if (offered.includes(country) && (await choice.inputValue()) !== country) await choice.selectOption(country);
      }
    });
  }

  /** Send the form that an element belongs to, as Enter does. */
  async submit(...ways: Locator[]): Promise<void> {
    await this.telling("submit", ways, async () => {
      await (await this.find(ways)).evaluate((element) => {
        const owner = (element as HTMLInputElement).form ?? element.closest("form");
        owner!.requestSubmit();
      });
    });
  }

  /** Expect that an element is there to be used. */
  async expectVisible(...ways: Locator[]): Promise<void> {
    await this.telling("expect to see", ways, async () => void (await this.find(ways)));
  }

  /** Expect the page to be at a route; a segment in braces stands for any value. */
  async expectRoute(route: string): Promise<void> {
    await this.telling(`expect to be at ${route}`, [], async () => {
      await expect(this.page).toHaveURL(pattern(route));
    });
  }

  /** Expect that the visit did what the site is for: it is where production's conversions happened. */
  async expectConversion(route: string, options: { event: string }): Promise<void> {
    await this.telling(`expect the conversion ${options.event} at ${route}`, [], async () => {
      await expect(this.page).toHaveURL(pattern(route));
    });
  }

  /** Expect web vitals within production's p95; what is over its p75 is told, and what cannot be measured. */
  async expectVitals(route: string, limits: Limits): Promise<void> {
    let measured: Measured = {};
    await this.telling(`measure ${route}`, [], async () => {
      await this.page.waitForLoadState("load");
      measured = (await this.page.evaluate("window.__replay.measure()")) as Measured;
    });
    // A page that a script has put in place of another was not loaded: the other's loading says nothing of it.
    const loaded = pattern(route).test(String(measured["loaded_url"]));
    const over: string[] = [];
    for (const [metric, [budget, limit]] of Object.entries(limits)) {
      const value = loaded || !OF_LOADING.includes(metric) ? measured[metric] : null;
      const told = typeof value === "number" ? `${metric} ${value.toFixed(3)}` : `${metric} not measured`;
      note("vitals", `${route}: ${told}`);
      if (typeof value !== "number") continue;
      if (value > limit) over.push(`${told} is over ${limit}, production's p95`);
      else if (value > budget) note("over budget", `${route}: ${told} is over ${budget}`);
    }
    if (over.length) throw new Error(`web vitals of ${plain(route)}: ${over.join("; ")}`);
  }

  /** Expect no uncaught exception and no console error so far, nor within the time to watch. */
  async expectNoErrors(options: { seen?: string; watch_s?: number } = {}): Promise<void> {
    const until = Date.now() + (options.watch_s ?? 0) * 1000;
    do await this.page.waitForTimeout(POLL_MS);
    while (!this.errors.length && Date.now() < until);
    const seen = shape(options.seen ?? "");
    const met = this.errors.filter((error) => seen && shape(error).includes(seen));
    const what = met.length ? "production's error occurred" : "errors occurred";
    if (this.errors.length) throw new Error(`${what}: ${toldOnce([...met, ...this.errors])}`);
  }

  /** Wait until one of the ways leads to something to be seen; where it leads to several, the others narrow it. */
  private async find(ways: Locator[]): Promise<Locator> {
    const anyhow = ways.reduce((one, other) => one.or(other)).filter({ visible: true }).first();
    await expect(anyhow).toBeVisible();
    for (const way of ways) {
      const shown = way.filter({ visible: true });
      const count = await shown.count();
      if (count === 1) return shown;
      if (count) {
        for (const other of ways) {
          const narrowed = shown.and(other);
          if (other !== way && (await narrowed.count()) === 1) return narrowed;
        }
        return shown.first();
      }
    }
    return anyhow;
  }

  private lookAt(answer: Response): void {
    // A server's error is one, and so is what is missing of a page; a refusal (4xx) is the script's business.
    const kind = answer.request().resourceType();
    const from = kind === "fetch" || kind === "xhr" ? 500 : PARTS.includes(kind) ? 400 : Infinity;
    if (answer.status() >= from) {
      this.errors.push(`${answer.request().method()} ${new URL(answer.url()).pathname} answered ${answer.status()}`);
    }
  }

  private async maybeCutOff(route: Route): Promise<void> {
    const asked = ["fetch", "xhr"].includes(route.request().resourceType());
    if (asked && this.draw() / MODULUS < this.rate) await route.abort("connectionreset");
    else await route.fallback();
  }

  private draw(): number {
    this.state = (this.state * MULTIPLIER) % MODULUS;
    return this.state;
  }

  /** Say of a step that failed where the page was, what it told its visitor, and which errors it had. */
  private async telling(what: string, ways: Locator[], step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      const at = URL.canParse(this.page.url()) ? new URL(this.page.url()).pathname : "";
      const told = [`${plain(what)} failed at ${plain(at)}`, ...ways.map((way) => `  looked for ${plain(String(way))}`)];
      try {
        const said = (await this.page.evaluate("window.__replay.said()")) as string[];
        told.push(...said.map((each) => `  the page says: ${plain(each)}`));
      } catch {
        // The page is gone: there is nothing to read out.
      }
      if (this.errors.length) told.push(`  errors: ${toldOnce(this.errors)}`);
      throw new Error([...told, error instanceof Error ? error.message : String(error)].join("\n"), { cause: error });
    }
  }
}

function pattern(route: string): RegExp {
  const quoted = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|\/-]/g, "\\$&");
  const parts = route.replace(/\/+$/, "").split(/\{[^{}/]*\}/);
  const where = parts.map((part) => quoted(encoded(part))).join("[^/?#]+");
  return new RegExp(`^${quoted(settings.baseUrl)}${where}/?([?#].*)?$`);
}

function encoded(text: string, more = ""): string {
  const kept = `%/!$&'()*+,;=:@~${more}`;
  return Array.from(text, (sign) => (/[A-Za-z0-9_.-]/.test(sign) || kept.includes(sign) ? sign : quoteSign(sign))).join("");
}

function quoteSign(sign: string): string {
  const bytes = new TextEncoder().encode(sign);
  return Array.from(bytes, (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

function shape(message: string): string {
  return message.replace(/[0-9]+/g, "0").trim();
}

function toldOnce(errors: string[]): string {
  return [...new Set(errors)].map((error) => plain(error.slice(0, 300))).join("; ");
}

function plain(text: string): string {
  const escaped = (sign: string): string => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return text.replace(/[^ -~]/g, escaped);
}

function note(type: string, description: string): void {
  base.info().annotations.push({ type, description });
}

/** Valid test data for forms: FORM_<NAME> in the environment, else `ui_form_values.json`, for a country first. */
function formValue(key: string, clientCountry: string): string {
  const [name = "", country = clientCountry] = key.split("@");
  const known = FORM_VALUES[`${name}@${country}`] ?? FORM_VALUES[name];
  return process.env[`FORM_${name.toUpperCase()}`] || known || `test ${name.replace(/_/g, " ")}`;
}

export const test = base.extend<{ client: Client; visitor: Visitor; formValues: FormValues }>({
  client: [{}, { option: true }],
  userAgent: async ({ client, userAgent }, use) => await use(client.user_agent ?? userAgent),
  locale: async ({ client, locale }, use) => await use(client.locale ?? locale),
  timezoneId: async ({ client, timezoneId }, use) => await use(client.timezone ?? timezoneId),
  isMobile: async ({ client, isMobile }, use) => await use(client.is_mobile ?? isMobile),
  hasTouch: async ({ client, hasTouch }, use) => await use(client.is_mobile ?? hasTouch),
  viewport: async ({ client, viewport }, use) => {
    const { viewport_width_px: width, viewport_height_px: height } = client;
    await use(width && height ? { width, height } : viewport);
  },
  visitor: async ({ page, client }, use, info) => {
    const writes = info.tags.includes("@writes");
    if (writes && !(settings.loopback || settings.allowWrites)) {
      throw new Error(`${settings.baseUrl} is beyond loopback and this test writes: set ALLOW_WRITES=1.`);
    }
    await use(await Visitor.of(page, client));
  },
  formValues: async ({ client }, use) => {
    const country = (client.locale ?? "").split("-").at(-1) ?? "";
    await use((key) => formValue(key, country.toUpperCase()));
  },
});
