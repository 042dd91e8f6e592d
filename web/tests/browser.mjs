/** Chromium, and a file server for the built page, for tests and measurements. */

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json" };
const QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** Serves the page from the folder `page/` without compression; `change` may return other content of a file. */
export async function serve(change = () => undefined) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname.replace(/^\/page\//, "/");
    const file = join(DIST, normalize(path === "/" ? "/index.html" : path));
    try {
      const bytes = await readFile(file);
      const changed = change(path, bytes);
      response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
      response.end(changed ?? bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "localhost", listening));
  return { url: `http://localhost:${server.address().port}/page/`, close: () => server.close() };
}

export async function launch({ gpu = false } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless=new", ...QUIET, ...(gpu ? GPU : ["--disable-gpu"])],
  });
}

/** Opens the page and records faults: errors on its console, and requests to other origins. */
export async function open(context, url) {
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("request", (request) => {
    const origin = new URL(request.url()).origin;
    if (!request.url().startsWith("blob:") && origin !== new URL(url).origin) faults.push(`request to ${request.url()}`);
  });
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  return { page, faults };
}

/** Waits until the page is usable or shows an error. */
export async function ready(page) {
  await page.waitForFunction(() => document.getElementById("loading").hidden);
}

export const text = (page, selector) => page.locator(selector).innerText();

/** Step number in the training view. */
export async function step(page) {
  const words = await text(page, "#figures");
  return Number(/step (\d+)/.exec(words)?.[1] ?? 0);
}

/** Waits until the training view shows step `least` or a later one. */
export async function until(page, least) {
  await page.waitForFunction(
    (least) => Number(/step (\d+)/.exec(document.getElementById("figures").innerText)?.[1] ?? 0) >= least,
    least,
  );
}
