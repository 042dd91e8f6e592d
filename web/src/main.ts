/** The page: asks and draws. All else is the worker's. */

import "./style.css";
import type { DeviceChoice, ModelFiles, ModelInfo } from "../pkg/ssft_web.js";
import { filesOf, pack } from "./archive";
import { Client, Failed } from "./client";
import { byId, el, mebibytes } from "./dom";
import { type News, type Reasons, reasonsOf } from "./protocol";
import { AnswerView, type Page } from "./views/answer";
import { TrainView } from "./views/train";

/** The files of the demo model, beside the page. */
const DEMO = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "forks.json"];
const DEMO_NAME = "Demo model: mazes";

const device = byId<HTMLSelectElement>("device");
const [alert, loading, main] = [byId("alert"), byId("loading"), byId("main")];
const [files, folder] = [byId<HTMLInputElement>("files"), byId<HTMLInputElement>("folder")];

let client: Client;
/** How often a worker was started: what an older one still says is not heard. */
let generation = 0;
let modelName = "";
/** What is computed on. */
let kind: "webgpu" | "cpu" = "cpu";

const page: Page = {
  client: () => client,
  async attempt(work) {
    hideAlert();
    try {
      await work();
    } catch (error) {
      // When the worker has gone, `gone` says more.
      if (!isGone()) showAlert(error instanceof Failed ? error.reasons : reasonsOf(error));
    }
  },
  busy(is) {
    const still = ["stop-answer", "pause"];
    for (const control of main.querySelectorAll<HTMLButtonElement | HTMLSelectElement | HTMLInputElement>("button, select, input")) {
      if (control.role === "tab" || still.includes(control.id)) continue;
      control.disabled = is || isGone();
    }
    device.disabled = is;
  },
};

let answer: AnswerView;
let train: TrainView;

function hear(news: News): void {
  switch (news.news) {
    case "progress":
      byId<HTMLProgressElement>("loading-bar").value = news.loaded / news.total;
      byId("loading-text").textContent = `Loading the module: ${mebibytes(news.loaded)} of ${mebibytes(news.total)}`;
      break;
    case "piece":
      answer.hear(news.piece, news.maze, news.trail);
      break;
    case "step":
      train.hear(news.report, news.deviceBytes, news.moduleBytes);
      break;
    case "saved":
      train.saved(news.step, news.problem);
      break;
  }
}

/** Starts a worker on the chosen device, and goes on with what was kept or else the demo model. */
async function start(choice: DeviceChoice): Promise<void> {
  const ours = ++generation;
  client?.end();
  loading.hidden = false;
  byId("loading-text").textContent = "Loading the module…";
  byId("device-name").textContent = "starting…";
  client = new Client(
    (news) => ours === generation && hear(news),
    (reasons) => ours === generation && gone(reasons),
  );
  kind = choice === "cpu" ? "cpu" : "webgpu";
  await page.attempt(async () => {
    byId("device-note").hidden = true;
    const opened = await client.start(choice);
    byId("device-name").textContent = opened.name;
    kind = opened.kind;
    const note = byId("device-note");
    note.hidden = opened.note === null;
    note.textContent = opened.note === null ? "" : `On the CPU: ${opened.note}.`;
    await open();
    main.hidden = false;
    document.querySelector("footer")?.removeAttribute("hidden");
  });
  loading.hidden = true;
  page.busy(false);
  performance.mark("ready");
}

/** What was kept, or the demo model. */
async function open(): Promise<void> {
  try {
    const restored = await client.call("restore", null);
    if (restored) {
      showModel(restored.info, restored.name);
      train.take(restored.info, restored.name);
      return;
    }
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    showAlert([`What was kept in this browser cannot be opened; the demo model is shown instead`, ...error.reasons]);
    await client.call("forget", null).catch(() => undefined);
  }
  await openDemo();
}

async function openDemo(): Promise<void> {
  const fetched = DEMO.map(async (name): Promise<[string, Uint8Array]> => {
    const response = await fetch(new URL(`demo/${name}`, document.baseURI));
    if (!response.ok) throw new Error(`demo/${name}: the server answered ${response.status}`);
    return [name, new Uint8Array(await response.arrayBuffer())];
  });
  await load(Object.fromEntries(await Promise.all(fetched)), DEMO_NAME);
  await answer.about("maze");
}

async function load(model: ModelFiles, name: string): Promise<void> {
  const info = await client.call("load", { files: model, name });
  showModel(info, name);
  train.take(info, name);
}

function showModel(info: ModelInfo | null, name: string): void {
  modelName = name || modelName;
  if (!info) return;
  const training = info.training ? `, step ${info.training.steps_done} of ${info.training.options.steps}` : "";
  byId("model-name").textContent =
    `${modelName} (${(info.parameters / 1e6).toFixed(2)} M parameters, ${info.forks.forks.length} forks${training})`;
  const task = info.training?.options.data === null ? info.training.options.task : undefined;
  if (task) void page.attempt(() => answer.about(task));
}

/** The worker is no more: a lost device, a fault of the module, or a browser short of memory. */
function gone(reasons: Reasons): void {
  const again = (choice: DeviceChoice, words: string) =>
    el("button", {
      type: "button",
      click: () => {
        device.value = choice;
        hideAlert();
        void start(choice);
      },
    }, words);
  alert.dataset["gone"] = "yes";
  loading.hidden = true;
  page.busy(true);
  device.disabled = false;
  byId("device-name").textContent = "stopped";
  showAlert(["The computation was cut off", ...reasons]);
  alert.append(
    el("div", { class: "controls" },
      again(device.value as DeviceChoice, "Go on from the last kept state"),
      kind !== "cpu" && again("cpu", "Go on on the CPU"),
    ),
  );
}

/** The worker is no more, and the page waits to be told what to do. */
function isGone(): boolean {
  return alert.dataset["gone"] !== undefined;
}

function showAlert(reasons: Reasons): void {
  alert.hidden = false;
  alert.replaceChildren(...reasons.map((reason) => el("p", {}, reason)));
}

function hideAlert(): void {
  alert.hidden = true;
  delete alert.dataset["gone"];
}

function choose(tab: HTMLElement): void {
  for (const other of document.querySelectorAll<HTMLElement>("[role=tab]")) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    byId(other.getAttribute("aria-controls") ?? "").hidden = !chosen;
  }
}

const tabs = [...document.querySelectorAll<HTMLElement>("[role=tab]")];
for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", ({ key }) => {
    const step = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    if (step !== 0 && next) {
      choose(next);
      next.focus();
    }
  });
}

byId("open-demo").addEventListener("click", () => void page.attempt(openDemo));
byId("open-files").addEventListener("click", () => files.click());
byId("open-folder").addEventListener("click", () => folder.click());
for (const input of [files, folder]) {
  input.addEventListener("change", () => {
    const chosen = [...(input.files ?? [])];
    input.value = "";
    if (chosen.length === 0) return;
    void page.attempt(async () => {
      page.busy(true);
      try {
        const name = chosen[0]?.webkitRelativePath.split("/")[0] || chosen[0]?.name || "Your model";
        await load(await filesOf(chosen), name);
      } finally {
        page.busy(false);
      }
    });
  });
}
byId("export").addEventListener("click", () =>
  void page.attempt(async () => {
    const bytes = pack(await client.call("exportModel", null));
    const url = URL.createObjectURL(new Blob([bytes], { type: "application/zip" }));
    el("a", { href: url, download: "ssft-model.zip" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }),
);
device.addEventListener("change", () => {
  hideAlert();
  void start(device.value as DeviceChoice);
});

// In a task of its own: the first picture does not wait for what it does not show.
setTimeout(() => {
  answer = new AnswerView(page);
  train = new TrainView(page, showModel, (text) => (byId("memory").textContent = text));
  void start("auto");
});
