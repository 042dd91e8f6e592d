/** Tests of the built page in Chromium, through its controls. */

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { unzipSync, zipSync } from "fflate";
import { launch, open, ready, serve, step, text, until } from "./browser.mjs";

const SHOTS = new URL("../screenshots/", import.meta.url).pathname;
let server, browser, gpuBrowser;

before(async () => {
  await mkdir(SHOTS, { recursive: true });
  server = await serve();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await gpuBrowser?.close();
  server?.close();
});

/** The page in a new browser context, without saved state. */
async function fresh(options = {}, from = browser) {
  const context = await from.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...options });
  const opened = await open(context, server.url);
  await ready(opened.page);
  return { context, ...opened };
}

async function answer(page) {
  await page.click("#ask");
  await page.waitForFunction(() => document.getElementById("vote").textContent !== "");
}

/** Path of the zip file of an export. */
async function exported(page, name) {
  const download = page.waitForEvent("download");
  await page.click("#export");
  const path = join(tmpdir(), `${name}-${process.pid}.zip`);
  await (await download).saveAs(path);
  return path;
}

test("without WebGPU the page shows the reason, and all forks answer a maze and vote", async () => {
  const { context, page, faults } = await fresh();
  assert.match(await text(page, "#device-name"), /^CPU/);
  assert.match(await text(page, "#device-note"), /On the CPU: this browser offers no WebGPU adapter/);
  assert.match(await text(page, "#model-name"), /Demo model: mazes .*6 forks/);
  await answer(page);
  assert.equal(await page.locator("#columns .card").count(), 6);
  assert.match(await text(page, "#vote"), /^Vote: 8, 4 of 6/);
  assert.equal(await page.locator("#columns .card.right").count(), 6, "every fork finds a way");
  assert.equal(await page.locator("#columns .card.voted").count(), 4);
  assert.equal(await page.locator("#columns .badge").count(), 1, "the chosen fork is marked");
  assert.equal(await page.locator("#maze .way").count(), 6, "their ways are drawn");
  await page.screenshot({ path: join(SHOTS, "answer.png"), fullPage: true });
  assert.deepEqual(faults, []);
  await context.close();
});

test("the loss of a training falls, and a reload continues from the saved step", async () => {
  const { context, page, faults } = await fresh();
  await page.click("#tab-train");
  await page.click("#step");
  await until(page, 1);
  const first = Number(/loss ([\d.]+)/.exec(await text(page, "#figures"))[1]);
  await page.click("#start");
  await until(page, 21);
  const heading = /step (\d+) of 1500/.exec(await text(page, "#model-name"));
  assert.ok(Number(heading[1]) >= 21, `the heading shows step ${heading[1]} while it trains`);
  await page.click("#pause");
  await page.waitForFunction(() => document.getElementById("pause").disabled);
  const last = Number(/loss ([\d.]+)/.exec(await text(page, "#figures"))[1]);
  assert.ok(last < 0.8 * first, `loss ${first} to ${last}`);
  assert.equal(await page.locator("#costs tbody tr").count(), 4);
  assert.equal(await page.locator("#costs .ringed").count(), 4, "one fork a trace");
  assert.match(await text(page, "#saved"), /is kept in this browser/);
  const done = await step(page);
  await page.screenshot({ path: join(SHOTS, "train.png"), fullPage: true });
  await page.reload();
  await ready(page);
  assert.match(await text(page, "#model-name"), new RegExp(`step ${done} of 1500`));
  await page.click("#tab-train");
  await page.click("#step");
  await until(page, done + 1);
  assert.equal(await step(page), done + 1);
  assert.deepEqual(faults, []);
  await context.close();
});

test("another arm starts a new training, with every trace under the first fork", async () => {
  const { context, page, faults } = await fresh();
  await page.click("#tab-train");
  await page.selectOption("#arm", "sft-mixed");
  assert.match(await text(page, "#model-name"), /Demo model/, "a list opens and closes nothing");
  assert.match(await text(page, "#figures"), /Start makes a new model .* in place of the one that is open/);
  await page.click("#start");
  await page.waitForFunction(() => document.getElementById("model-name").textContent.includes("sft-mixed"));
  await until(page, 5);
  await page.click("#pause");
  await page.waitForFunction(() => document.getElementById("pause").disabled);
  const rows = await page.locator("#map tbody tr").allInnerTexts();
  const counts = rows.map((row) => row.split(/\s+/).slice(1).reduce((sum, cell) => sum + Number(cell), 0));
  assert.ok(counts[0] > 0 && counts.slice(1).every((count) => count === 0), `${counts}`);
  await page.selectOption("#arm", "ssft");
  assert.match(await text(page, "#figures"), /Reset begins another/, "nothing is lost by a slip on a list");
  assert.match(await text(page, "#model-name"), /sft-mixed/);
  await page.click("#reset");
  await page.waitForFunction(() => document.getElementById("figures").textContent.startsWith("At step 0"));
  await page.waitForFunction(() => document.getElementById("model-name").textContent.includes(", ssft ("));
  await page.click("#evaluate");
  await page.waitForSelector("#scores table");
  assert.deepEqual(faults, []);
  await context.close();
});

test("an exported model can be opened", async () => {
  const { context, page, faults } = await fresh();
  const path = await exported(page, "ssft-page");
  const files = unzipSync(new Uint8Array(await readFile(path)));
  for (const name of ["config.json", "model.safetensors", "tokenizer.json", "forks.json"]) assert.ok(files[name], name);
  await page.setInputFiles("#files", path);
  await page.waitForFunction(() => document.getElementById("model-name").textContent.includes(".zip"));
  assert.match(await text(page, "#model-name"), /0\.58 M parameters, 6 forks/);
  await answer(page);
  assert.match(await text(page, "#vote"), /^Vote/);
  assert.deepEqual(faults, []);
  await context.close();
});

test("a damaged model is refused with a message, and the model before stays open", async () => {
  const { context, page, faults } = await fresh();
  const demo = new URL("../dist/demo/", import.meta.url);
  const names = ["config.json", "model.safetensors", "tokenizer.json", "forks.json"];
  const files = Object.fromEntries(await Promise.all(names.map(async (name) => [name, new Uint8Array(await readFile(new URL(name, demo)))])));
  const path = join(tmpdir(), `ssft-damaged-${process.pid}.zip`);
  await writeFile(path, zipSync({ ...files, "model.safetensors": files["model.safetensors"].subarray(0, 5000) }, { level: 0 }));
  await page.setInputFiles("#files", path);
  await page.waitForSelector("#alert:not([hidden])");
  assert.match(await text(page, "#alert"), /the model cannot be opened[\s\S]*model\.safetensors: is damaged or no safetensors file/);
  await page.screenshot({ path: join(SHOTS, "damaged.png"), fullPage: true });
  await writeFile(path, "no zip at all");
  await page.setInputFiles("#files", path);
  await page.waitForFunction(() => document.getElementById("alert").textContent.includes("is not a complete zip file"));
  const zip = zipSync(files, { level: 0 });
  zip[zip.length >> 1] ^= 1;
  await writeFile(path, zip);
  await page.setInputFiles("#files", path);
  await page.waitForFunction(() => document.getElementById("alert").textContent.includes("model.safetensors in it is damaged"));
  await answer(page);
  assert.match(await text(page, "#vote"), /^Vote/);
  assert.deepEqual(faults, []);
  await context.close();
});

test("a worker that ends during a step is replaced, and its training continues", async () => {
  const { context, page, faults } = await fresh();
  await page.click("#tab-train");
  await page.click("#step");
  await page.waitForFunction(() => document.getElementById("saved").textContent.includes("is kept"));
  await page.click("#start");
  await until(page, 4);
  await page.workers()[0].evaluate(() => self.close());
  await page.waitForSelector("#alert:not([hidden]) button");
  assert.match(await text(page, "#alert"), /The computation was cut off\s+the worker was ended by the browser/);
  await page.screenshot({ path: join(SHOTS, "killed.png"), fullPage: true });
  const reached = await step(page);
  const kept = Number(/Step (\d+) is kept/.exec(await text(page, "#saved"))[1]);
  assert.ok(kept >= 2 && kept <= reached, `step ${kept} of ${reached} is kept`);
  await page.click("#alert button");
  await ready(page);
  assert.match(await text(page, "#model-name"), new RegExp(`step ${kept} of`));
  await page.click("#step");
  await until(page, kept + 1);
  assert.equal(await step(page), kept + 1);
  assert.deepEqual(faults, []);
  await context.close();
});

test("the page opens with the demo model if the saved state cannot be opened", async () => {
  const { context, page } = await fresh();
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const out = await (await root.getFileHandle("session.zip", { create: true })).createWritable();
    await out.write("nonsense");
    await out.close();
  });
  await page.reload();
  await ready(page);
  assert.match(await text(page, "#alert"), /What was kept in this browser cannot be opened/);
  assert.match(await text(page, "#model-name"), /Demo model/);
  const kept = () => page.evaluate(async () => (await (await (await navigator.storage.getDirectory()).getFileHandle("session.zip")).getFile()).size);
  assert.equal(await kept(), "nonsense".length, "a newer page may be able to open it");
  await page.click("#tab-train");
  await page.click("#step");
  await page.waitForFunction(() => document.getElementById("saved").textContent.includes("is kept"));
  assert.ok((await kept()) > 1e6);
  await context.close();
});

test("a second tab does not overwrite the saved state of the first", async () => {
  const { context, page, faults } = await fresh();
  const train = async (page) => {
    await page.click("#tab-train");
    await page.click("#step");
    await page.waitForFunction(() => document.getElementById("saved").textContent !== "");
    return text(page, "#saved");
  };
  assert.match(await train(page), /Step 1 is kept/);
  const second = await open(context, server.url);
  await ready(second.page);
  assert.match(await train(second.page), /Step 2 is not kept in this browser \(another tab of this page keeps its training there\)/);
  await page.close();
  await second.page.waitForFunction(async () => (await navigator.locks.query()).pending.every(({ name }) => name !== "ssft-keeps"));
  await second.page.click("#step");
  await second.page.waitForFunction(() => document.getElementById("saved").textContent.includes("Step 3 is kept"));
  assert.deepEqual([...faults, ...second.faults], []);
  await context.close();
});

test("damaged files of the server are reported, and not cached", async () => {
  let wrong = true;
  const faulty = await serve((path, bytes) => {
    if (wrong && path.endsWith(".wasmz")) return bytes.subarray(0, bytes.length >> 1);
    if (wrong && path === "/demo/config.json") return "not JSON";
  });
  const context = await browser.newContext();
  const { page } = await open(context, faulty.url);
  await page.waitForSelector("#alert:not([hidden]) button");
  assert.match(await text(page, "#alert"), /The computation cannot be started\s+http.*wasmz came damaged; reload the page/);
  assert.equal(await text(page, "#device-name"), "stopped");
  wrong = false;
  await page.reload();
  await ready(page);
  assert.match(await text(page, "#model-name"), /Demo model/);
  // The server sends damaged files again. The module comes from the cache, config.json of the demo model does not.
  wrong = true;
  await page.reload();
  await ready(page);
  assert.match(await text(page, "#alert"), /the model cannot be opened\s+config\.json/);
  await page.click("#tab-train");
  await page.click("#step");
  await until(page, 1);
  await context.close();
  faulty.close();
});

test("a missing device is reported, and the page continues on another with the same model", async () => {
  const { context, page, faults } = await fresh();
  const path = await exported(page, "ssft-own");
  await page.setInputFiles("#files", path);
  await page.waitForFunction(() => document.getElementById("model-name").textContent.includes("ssft-own"));
  await page.selectOption("#device", "webgpu");
  await page.waitForSelector("#alert:not([hidden]) button");
  assert.match(await text(page, "#alert"), /cannot be started\s+WebGPU cannot be used here.*\s+this browser offers no WebGPU adapter/);
  assert.equal(await page.locator("#ask").isDisabled(), true);
  await page.screenshot({ path: join(SHOTS, "no-webgpu.png"), fullPage: true });
  assert.equal(await page.locator("#alert button").first().innerText(), "Try again");
  await page.click("text=Go on on the CPU");
  await ready(page);
  assert.match(await text(page, "#model-name"), /ssft-own/);
  await answer(page);
  assert.deepEqual(faults, []);
  await context.close();
});

test("Pause and Stop work directly after the start", async () => {
  const { context, page, faults } = await fresh();
  await page.evaluate(() => (document.getElementById("ask").click(), document.getElementById("stop-answer").click()));
  await page.waitForFunction(() => !document.getElementById("ask").disabled);
  assert.match(await text(page, "#vote"), /No fork gave an answer/);
  assert.equal(await page.locator("#columns .card").filter({ hasText: "ended by cancelled" }).count(), 6);
  await page.click("#tab-train");
  await page.evaluate(() => (document.getElementById("start").click(), document.getElementById("pause").click()));
  await page.waitForFunction(() => !document.getElementById("start").disabled);
  assert.match(await text(page, "#figures"), /^At step 0 of 1500/);
  assert.deepEqual(faults, []);
  await context.close();
});

test("page and worker cannot send requests to other origins", async () => {
  const other = await serve();
  const { context, page } = await fresh();
  const asked = (url) => fetch(url, { mode: "no-cors" }).then(() => "answered", (error) => error.name);
  for (const place of [page, page.workers()[0]]) {
    assert.equal(await place.evaluate(asked, other.url), "TypeError");
    assert.equal(await place.evaluate(asked, server.url), "answered");
  }
  await context.close();
  other.close();
});

test("tabs, controls and answers can be used by keyboard", async () => {
  const { context, page } = await fresh();
  await page.locator("#tab-answer").focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.locator("#train").isVisible(), true);
  assert.equal(await page.evaluate(() => document.activeElement.id), "tab-train");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.activeElement.closest("#train") !== null));
  const unnamed = await page.evaluate(() =>
    [...document.querySelectorAll("button, select, input, textarea")]
      .filter((control) => !control.labels?.length && !control.textContent.trim() && !control.getAttribute("aria-label"))
      .map((control) => control.id),
  );
  assert.deepEqual(unnamed, []);
  await page.click("#tab-answer");
  await page.locator("#ask").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "stop-answer");
  await page.waitForFunction(() => document.getElementById("vote").textContent !== "");
  await page.waitForFunction(() => document.activeElement.id === "ask");
  await context.close();
});

test("the page fits a narrow dark screen", async () => {
  const { context, page, faults } = await fresh({ colorScheme: "dark", viewport: { width: 360, height: 740 } });
  await answer(page);
  await page.screenshot({ path: join(SHOTS, "answer-dark-narrow.png"), fullPage: true });
  await page.click("#tab-train");
  await page.click("#start");
  await until(page, 3);
  await page.click("#pause");
  await page.waitForFunction(() => document.getElementById("pause").disabled);
  await page.screenshot({ path: join(SHOTS, "train-dark-narrow.png"), fullPage: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `the page is ${wide} pixels too wide`);
  assert.deepEqual(faults, []);
  await context.close();
});

test("WebGPU that refuses a shader is not used, and the CPU computes", async () => {
  gpuBrowser ??= await launch({ gpu: true });
  const context = await gpuBrowser.newContext();
  // The hook reports the adapter as hardware, and makes the browser refuse one of our kernels.
  const hook = `
    Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });
    const create = GPUDevice.prototype.createShaderModule;
    GPUDevice.prototype.createShaderModule = function (of) {
      return create.call(this, of.code.includes("silu") ? { ...of, code: "refused" } : of);
    };\n`;
  await context.route("**/worker-*.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: hook + (await response.text()) });
  });
  const { page } = await open(context, server.url);
  page.setDefaultTimeout(400_000);
  await ready(page);
  assert.match(await text(page, "#device-name"), /^CPU/);
  assert.match(await text(page, "#device-note"), /On the CPU: WebGPU failed its self-test.*: swiglu gives wrong numbers/);
  await answer(page);
  assert.equal(await page.locator("#columns .card.right").count(), 6);
  await context.close();
});

test("on WebGPU forks answer and a model trains, and the page recovers from a lost device", async () => {
  gpuBrowser ??= await launch({ gpu: true });
  const { context, page, faults } = await fresh({}, gpuBrowser);
  assert.match(await text(page, "#device-note"), /its only WebGPU adapter is software/, "software is not selected by auto");
  // The hook stores the worker's device, so that the test can destroy it.
  await context.route("**/worker-*.js", async (route) => {
    const response = await route.fetch();
    const hook = `const request = GPUAdapter.prototype.requestDevice; GPUAdapter.prototype.requestDevice = async function (...of) { return (self.theDevice = await request.apply(this, of)); };\n`;
    await route.fulfill({ response, body: hook + (await response.text()) });
  });
  page.setDefaultTimeout(400_000);
  await page.selectOption("#device", "webgpu");
  await page.waitForFunction(() => document.getElementById("device-name").textContent.includes("WebGPU"));
  await ready(page);
  await answer(page);
  assert.ok((await page.locator("#columns .card.right").count()) >= 4);
  await page.click("#tab-train");
  await page.click("#step");
  await page.waitForFunction(() => document.getElementById("saved").textContent.includes("is kept"));
  assert.match(await text(page, "#figures"), /on the GPU/);
  await page.waitForFunction(() => document.getElementById("pause").disabled);
  assert.deepEqual(faults, []);
  await page.workers()[0].evaluate(() => self.theDevice.destroy());
  await page.click("#step");
  await page.waitForSelector("#alert:not([hidden])");
  await page.screenshot({ path: join(SHOTS, "lost.png"), fullPage: true });
  assert.match(await text(page, "#alert"), /lost|destroyed/i);
  await page.click("text=Go on on the CPU");
  await page.waitForFunction(() => document.getElementById("device-name").textContent.startsWith("CPU"));
  await page.waitForFunction(() => document.getElementById("model-name").textContent.includes("step 1 of"));
  await context.close();
});
