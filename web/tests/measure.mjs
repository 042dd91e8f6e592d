/** Size and times of the page on this machine: `node tests/measure.mjs` after `cargo xtask web`. */

import { stat, readdir } from "node:fs/promises";
import { launch, open, ready, serve, text, until } from "./browser.mjs";

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const row = (name, value) => console.log(`| ${name} | ${value} |`);

/** Loads the page, answers a question and trains; returns times in ms and the target tokens per second. */
async function run(browser, url, gpu) {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    globalThis.blocks = [];
    new PerformanceObserver((list) => globalThis.blocks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask", buffered: true });
  });
  const { page } = await open(context, url);
  page.setDefaultTimeout(600_000);
  await ready(page);
  const loaded = await page.evaluate(() => performance.getEntriesByName("ready")[0].startTime);
  if (gpu) {
    await page.selectOption("#device", "webgpu");
    await page.waitForFunction(() => document.getElementById("device-name").textContent.includes("WebGPU"));
    await ready(page);
  }
  const asked = await page.evaluate(async () => {
    const start = performance.now();
    document.getElementById("ask").click();
    while (!document.querySelector("#columns pre")?.textContent) await new Promise(requestAnimationFrame);
    const first = performance.now() - start;
    while (!document.getElementById("vote").textContent) await new Promise(requestAnimationFrame);
    return { first, all: performance.now() - start };
  });
  await page.click("#tab-train");
  await page.click("#start");
  const rates = [];
  for (let step = gpu ? 3 : 20; step <= (gpu ? 6 : 60); step += gpu ? 1 : 5) {
    await until(page, step);
    rates.push(Number(/(\d+) tokens\/s/.exec(await text(page, "#figures"))[1]));
  }
  await page.click("#pause");
  await page.waitForFunction(() => document.getElementById("pause").disabled);
  const blocks = await page.evaluate(() => globalThis.blocks);
  await context.close();
  return { loaded, ...asked, rate: median(rates), block: Math.max(0, ...blocks) };
}

const server = await serve();
console.log("| what | measured |\n|---|---|");
const assets = new URL("../dist/assets/", import.meta.url);
for (const name of await readdir(assets)) row(`transfer: \`${name.replace(/-[\w-]{8}\./, ".")}\`, bytes`, (await stat(new URL(name, assets))).size);
const demo = new URL("../dist/demo/", import.meta.url);
const sizes = await Promise.all((await readdir(demo)).map(async (name) => (await stat(new URL(name, demo))).size));
row("transfer: demo model, bytes", sizes.reduce((sum, size) => sum + size, 0));
for (const gpu of [false, true]) {
  const browser = await launch({ gpu });
  const name = gpu ? "WebGPU (SwiftShader)" : "CPU";
  const runs = [];
  for (let turn = 0; turn < (gpu ? 1 : 3); turn++) runs.push(await run(browser, server.url, gpu));
  const of = (figure) => median(runs.map((run) => run[figure])).toFixed(0);
  if (!gpu) row("page usable after, ms", of("loaded"));
  row(`${name}: first token after the question, ms`, of("first"));
  row(`${name}: six answers, ms`, of("all"));
  row(`${name}: training, preset 1, target tokens/s`, of("rate"));
  row(`${name}: longest block of the main thread, ms (0: none above 50)`, Math.max(...runs.map((run) => run.block)).toFixed(0));
  await browser.close();
}
server.close();
