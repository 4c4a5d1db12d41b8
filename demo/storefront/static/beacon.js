// Tells the shop what happens on its pages: OTLP/JSON log records, sent by beacons to /telemetry on the same host.
"use strict";

(() => {
  const SEND_EVERY_MS = 1000;
  const MOST_RECORDS = 40;
  const LONGEST_TEXT = 200;
  const body = document.body;
  const queue = [];

  // A private window may have no storage; then a page is all that is known of its visitor.
  const kept = (storage, key, otherwise) => {
    try {
      const known = storage.getItem(key) ?? otherwise;
      storage.setItem(key, known);
      return known;
    } catch {
      return otherwise;
    }
  };
  const newVisitor = crypto.randomUUID();
  const visitorId = kept(localStorage, "visitor", newVisitor);
  const sessionId = kept(sessionStorage, "session", crypto.randomUUID());
  const isNew = kept(sessionStorage, "is-new", `${visitorId === newVisitor}`) === "true";
  let viewId = crypto.randomUUID();
  let isViewTold = false;
  let isLeaving = false;

  const nanoseconds = (sinceOriginMs) =>
    `${BigInt(Math.round((performance.timeOrigin + sinceOriginMs) * 1000)) * 1000n}`;

  const value = (given) => {
    if (typeof given === "boolean") return { boolValue: given };
    if (Number.isInteger(given)) return { intValue: `${given}` };
    return typeof given === "number" ? { doubleValue: given } : { stringValue: `${given}` };
  };

  const attributes = (given) =>
    Object.entries(given)
      .filter(([, content]) => content !== undefined && content !== null && content !== "")
      .map(([key, content]) => ({ key, value: value(content) }));

  // Asked for once: what a browser says of itself while it leaves a page is not always true any more.
  const about = {
    "browser.viewport.width": innerWidth,
    "browser.viewport.height": innerHeight,
    "browser.utc_offset_min": -new Date().getTimezoneOffset(),
    "browser.timezone": Intl.DateTimeFormat().resolvedOptions().timeZone,
    "network.connection.type": navigator.connection?.effectiveType,
  };
  const resource = {
    "service.name": "shop-web",
    "service.version": body.dataset.version,
    "deployment.environment.name": "production",
    "user_agent.original": navigator.userAgent,
    "browser.language": navigator.language,
    // What the network in front of the shop says of the address; the address itself is not kept.
    "geo.country.iso_code": body.dataset.country,
  };
  const common = () => ({
    "session.id": sessionId,
    "visitor.id": visitorId,
    "visitor.is_new": isNew,
    "user.id": body.dataset.customer,
    "browser.view.id": viewId,
    "url.path": location.pathname,
    "url.query": location.search.slice(1),
    ...about,
  });

  const record = (eventName, own, atMs = performance.now()) => {
    queue.push({ timeUnixNano: nanoseconds(atMs), eventName, attributes: attributes({ ...common(), ...own }) });
    if (document.visibilityState === "hidden" || queue.length >= MOST_RECORDS) send();
  };

  const send = () => {
    if (!queue.length) return;
    const scopeLogs = [{ scope: { name: "shop-web" }, logRecords: queue.splice(0) }];
    const logs = { resourceLogs: [{ resource: { attributes: attributes(resource) }, scopeLogs }] };
    navigator.sendBeacon("/telemetry", new Blob([JSON.stringify(logs)], { type: "application/json" }));
  };

  const short = (text) => text.replace(/\s+/g, " ").trim().slice(0, LONGEST_TEXT);
  const ROLE_OF_TAG = { A: "link", BUTTON: "button", SELECT: "combobox", TEXTAREA: "textbox", FORM: "form" };
  const ROLE_OF_INPUT = { checkbox: "checkbox", radio: "radio", number: "spinbutton", search: "searchbox" };

  const roleOf = (element) => {
    if (element.hasAttribute("role")) return element.getAttribute("role");
    if (element.tagName !== "INPUT") return ROLE_OF_TAG[element.tagName];
    // A field for passwords has no role.
    return element.type === "password" ? undefined : (ROLE_OF_INPUT[element.type] ?? "textbox");
  };

  const nameOf = (element) => {
    const labelledBy = element.getAttribute("aria-labelledby");
    if (labelledBy) return short(document.getElementById(labelledBy)?.textContent ?? "");
    if (element.hasAttribute("aria-label")) return short(element.getAttribute("aria-label"));
    if (element.labels?.length) return short(element.labels[0].textContent);
    return ["A", "BUTTON", "LI"].includes(element.tagName) ? short(element.textContent) : undefined;
  };

  const selectorOf = (element) => {
    const parts = [];
    for (let at = element; at && at !== body; at = at.parentElement) {
      if (at.dataset.testid && document.querySelectorAll(`[data-testid="${at.dataset.testid}"]`).length === 1) {
        parts.unshift(`[data-testid="${at.dataset.testid}"]`);
        break;
      }
      if (at.id) {
        parts.unshift(`#${CSS.escape(at.id)}`);
        break;
      }
      const alike = [...at.parentElement.children].filter((sibling) => sibling.tagName === at.tagName);
      const place = alike.length > 1 ? `:nth-of-type(${alike.indexOf(at) + 1})` : "";
      parts.unshift(`${at.tagName.toLowerCase()}${place}`);
    }
    return parts.join(" > ");
  };

  const elementOf = (element) => ({
    "element.role": roleOf(element),
    "element.name": nameOf(element),
    "element.test_id": element.dataset.testid,
    "element.selector": selectorOf(element),
  });

  // What browsers may fill in by themselves is about a person, or a secret.
  const kindOfSecret = (field) => {
    if (field.type === "password" || ["email", "tel"].includes(field.type)) return field.autocomplete || field.type;
    return ["", "off", "on", "country"].includes(field.autocomplete) ? undefined : field.autocomplete;
  };

  const act = (type, element, own = {}) =>
    record("browser.user_action", { "browser.user_action.type": type, ...elementOf(element), ...own });

  document.addEventListener(
    "click",
    (event) => {
      if (!event.isTrusted || !(event.target instanceof Element)) return;
      const acted = event.target.closest("a, button, input, select, summary, [role=option]") ?? event.target;
      act("click", acted);
    },
    { capture: true },
  );
  document.addEventListener(
    "change",
    (event) => {
      const secret = kindOfSecret(event.target);
      const told = secret ? { "element.input_type": secret } : { "element.value": short(event.target.value) };
      act("change", event.target, told);
    },
    { capture: true },
  );
  document.addEventListener("submit", (event) => act("submit", event.target), { capture: true });

  let deepest = 0;
  addEventListener(
    "scroll",
    () => {
      const root = document.documentElement;
      const share = (scrollY + innerHeight) / root.scrollHeight;
      const depth = share >= 0.9 ? 90 : share >= 0.5 ? 50 : 0;
      if (scrollY > 0 && depth > deepest) {
        deepest = depth;
        record("browser.user_action", { "browser.user_action.type": "scroll", "browser.scroll.depth": depth });
      }
    },
    { passive: true },
  );

  // Requests' failures, which would come again as rejections that nobody handled.
  const told = new WeakSet();
  const fail = (source, type, message, stack, own = {}) =>
    record("exception", {
      "exception.type": type,
      "exception.message": short(message),
      "exception.stacktrace": stack,
      "error.source": source,
      ...own,
    });
  addEventListener("error", (event) => {
    const { error, message } = event;
    // Without a message it is a picture or a script that did not come.
    if (message) fail("exception", error?.name ?? "Error", error?.message ?? message, error?.stack);
  });
  addEventListener("unhandledrejection", ({ reason }) => {
    if (isLeaving || told.has(reason)) return;
    fail("exception", reason?.name ?? "UnhandledRejection", reason?.message ?? `${reason}`, reason?.stack);
  });
  const consoleError = console.error;
  console.error = (...given) => {
    const cause = given.find((part) => part instanceof Error);
    fail("console", cause?.name ?? "ConsoleError", given.map(String).join(" "), cause?.stack);
    consoleError.apply(console, given);
  };

  const plainFetch = window.fetch;
  const hex = (count) => {
    const bytes = [...crypto.getRandomValues(new Uint8Array(count))];
    return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  window.fetch = async (target, options = {}) => {
    const [traceId, startMs, headers] = [hex(16), performance.now(), new Headers(options.headers)];
    headers.set("traceparent", `00-${traceId}-${hex(8)}-01`);
    const [method, path] = [options.method ?? "GET", new URL(target, location).pathname];
    const asked = { "http.request.method": method, "http.request.path": path };
    const tell = (status) =>
      record(
        "browser.request",
        {
          ...asked,
          "http.response.status_code": status,
          "http.request.duration": Math.round((performance.now() - startMs) * 10) / 10,
          "trace.id": traceId,
        },
        startMs,
      );
    try {
      const answer = await plainFetch(target, { ...options, headers });
      tell(answer.status);
      if (answer.status >= 500) fail("network", `${answer.status}`, `${method} ${path} answered ${answer.status}`);
      return answer;
    } catch (error) {
      // A page that is being left gives up its requests; that is nobody's failure.
      if (!isLeaving) {
        tell();
        fail("network", error.name, error.message, error.stack, asked);
        told.add(error);
      }
      throw error;
    }
  };

  const tellView = () => {
    if (isViewTold) return;
    isViewTold = true;
    const [navigation] = performance.getEntriesByType("navigation");
    const own = {
      "page.title": document.title,
      "http.request.header.referer": document.referrer,
      "browser.load.duration": navigation?.loadEventEnd ? Math.round(navigation.loadEventEnd * 10) / 10 : undefined,
    };
    record("browser.page_view", own, 0);
    if (navigation?.type === "back_forward") {
      record("browser.user_action", { "browser.user_action.type": "back" }, 0.001);
    }
  };
  // The end of loading is known only once its handlers are through.
  addEventListener("load", () => setTimeout(tellView));
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    viewId = crypto.randomUUID();
    record("browser.page_view", { "page.title": document.title }, event.timeStamp);
    record("browser.user_action", { "browser.user_action.type": "back" }, event.timeStamp + 0.001);
  });

  const tellVital = ({ name, value: measured }) =>
    record("browser.web_vital", {
      "browser.web_vital.name": name.toLowerCase(),
      "browser.web_vital.value": Math.round(measured * 1e4) / 1e4,
    });
  for (const observe of ["onTTFB", "onFCP", "onLCP", "onCLS", "onINP"]) webVitals[observe](tellVital);

  addEventListener("beforeunload", () => (isLeaving = true));
  addEventListener("pageshow", () => (isLeaving = false));
  const leave = () => {
    tellView();
    send();
  };
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && leave());
  addEventListener("pagehide", leave);
  setInterval(send, SEND_EVERY_MS);

  window.shop = {
    track: (eventName, own = {}) => record(eventName, own),
    refuse: (field, message) =>
      fail("validation", "ValidationError", message, undefined, field ? elementOf(field) : {}),
    money: (cents) =>
      `€${(cents / 100).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`,
    json: async (path, method, content) => {
      const answer = await fetch(path, {
        method,
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(content),
      });
      return [answer.ok, await answer.json()];
    },
    count: (things) => (document.getElementById("basket-count").textContent = things),
  };
})();
