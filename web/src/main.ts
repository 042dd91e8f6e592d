/** The page: controls and drawings. All computation is in the worker. */

import "./style.css";
import type { DeviceChoice, ModelInfo } from "../pkg/index.js";
import { Client, Failed } from "./client";
import { byId, el, mebibytes } from "./dom";
import { type Chosen, type News, type Reasons, reasonsOf } from "./protocol";
import { AnswerView, type Page } from "./views/answer";
import { TrainView } from "./views/train";

/** Files of the demo model, in the folder `demo/` of the page. */
const DEMO = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "forks.json"];
const DEMO_NAME = "Demo model: mazes";

const device = byId<HTMLSelectElement>("device");
const [alert, loading, main] = [byId("alert"), byId("loading"), byId("main")];
const [files, folder] = [byId<HTMLInputElement>("files"), byId<HTMLInputElement>("folder")];

let client: Client;
/** Number of workers started so far; messages of older workers are ignored. */
let starts = 0;
let modelName = "";
/** Number of steps of the session's training; `null` without a training. */
let steps: number | null = null;
/** Files opened last, to open again on another device. `null` after a training was started: its state is saved by the worker. */
let opened: { chosen: Chosen[]; name: string } | null = null;
/** Device in use. */
let kind: "webgpu" | "cpu" = "cpu";
/** Number of operations in progress; controls are disabled while it is not 0. */
let pending = 0;
/** Element that had the focus before the first operation in progress. */
let focused: Element | null = null;

const page: Page = {
  client: () => client,
  async attempt(work) {
    const asked = starts;
    hideAlert();
    busy(1);
    try {
      await work();
    } catch (error) {
      // If the worker has ended, `cutOff` shows the reasons.
      if (asked === starts && !isGone()) showAlert(error instanceof Failed ? error.reasons : reasonsOf(error));
    } finally {
      busy(-1);
    }
  },
};

/** Disables controls during an operation, except tabs, the buttons that end it (`data-live`), and the device. */
function busy(more: number): void {
  if (pending === 0) focused = document.activeElement;
  pending += more;
  for (const control of main.querySelectorAll<HTMLButtonElement | HTMLSelectElement | HTMLInputElement>("button, select, input, textarea")) {
    if (control.role !== "tab" && control.dataset["live"] === undefined) control.disabled = pending > 0 || isGone();
  }
  // Restores the focus for users of the keyboard.
  const at = document.activeElement;
  if (pending === 0 && (!at || at === document.body || at.matches(":disabled"))) (focused as HTMLElement | null)?.focus();
}

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
      showStep(news.report.step);
      break;
    case "saved":
      train.saved(news.step, news.problem);
      break;
  }
}

/** Starts a worker on the chosen device, and opens the model that was open, else the saved training, else the demo model. */
async function start(choice: DeviceChoice, what: "as it was" | "demo" = "as it was"): Promise<void> {
  const ours = ++starts;
  client?.end();
  loading.hidden = false;
  byId("loading-text").textContent = "Loading the module…";
  byId("device-name").textContent = "starting…";
  byId("device-note").hidden = true;
  kind = choice === "cpu" ? "cpu" : "webgpu";
  await page.attempt(async () => {
    try {
      client = new Client(
        (news) => ours === starts && hear(news),
        (reasons) => ours === starts && cutOff("The computation was cut off", reasons),
      );
      const begun = await client.start(choice);
      byId("device-name").textContent = begun.name;
      kind = begun.kind;
      byId("device-note").hidden = begun.note === null;
      byId("device-note").textContent = begun.note === null ? "" : `On the CPU: ${begun.note}.`;
    } catch (error) {
      if (ours === starts && !isGone()) {
        cutOff("The computation cannot be started", error instanceof Failed ? error.reasons : reasonsOf(error), "Try again");
      }
      throw error;
    }
    main.hidden = false;
    document.querySelector("footer")?.removeAttribute("hidden");
    if (what === "demo") await openDemo();
    else if (opened) await load(opened.chosen, opened.name);
    else await goOn();
  });
  if (ours !== starts) return;
  loading.hidden = true;
  performance.mark("ready");
}

/** Opens the saved training, or the demo model if there is none. */
async function goOn(): Promise<void> {
  try {
    const restored = await client.call("restore", null);
    if (restored) {
      train.take(restored.info, restored.name);
      await showModel(restored.info, restored.name || "Kept model");
      return;
    }
  } catch (error) {
    if (isGone() || !(error instanceof Failed)) throw error;
    showAlert(["What was kept in this browser cannot be opened; the demo model is shown, and the kept file stays until another training is kept", ...error.reasons]);
  }
  await openDemo();
}

async function openDemo(): Promise<void> {
  const asked = starts;
  const fetched = DEMO.map(async (name): Promise<Chosen> => {
    const response = await fetch(new URL(`demo/${name}`, document.baseURI));
    if (!response.ok) throw new Error(`The demo model cannot be opened: the server answered ${response.status} for demo/${name}`);
    return { path: name, content: await response.blob() };
  });
  const chosen = await Promise.all(fetched);
  if (asked !== starts) return;
  await load(chosen, DEMO_NAME);
  await answer.about("maze");
}

async function load(chosen: Chosen[], name: string): Promise<void> {
  const info = await client.call("load", { chosen, name });
  opened = { chosen, name };
  train.take(info, name);
  await showModel(info, name);
}

/** Shows the session's model; `name` is unchanged if not given. */
async function showModel(info: ModelInfo | null, name = modelName): Promise<void> {
  modelName = name;
  if (!info) return;
  if (info.training) opened = null;
  answer.take(info.forks);
  byId("model-title").textContent =
    `${modelName} (${(info.parameters / 1e6).toFixed(2)} M parameters, ${info.forks.forks.length} forks)`;
  steps = info.training?.options.steps ?? null;
  showStep(info.training?.steps_done ?? 0);
  if (info.training && info.training.options.data === null) await answer.about(info.training.options.task);
}

/** Shows the number of steps that the session's training has done. */
function showStep(done: number): void {
  byId("model-step").textContent = steps === null ? "" : `, step ${done} of ${steps}`;
}

/** Shows that the worker has ended, with buttons to continue: after a lost or missing device, a panic, or a lack of memory. */
function cutOff(title: string, reasons: Reasons, first = "Go on from the last kept state"): void {
  const again = (words: string, choice: DeviceChoice, what: "as it was" | "demo" = "as it was") =>
    el("button", {
      type: "button",
      click: () => {
        device.value = choice;
        hideAlert();
        void start(choice, what);
      },
    }, words);
  const choice = device.value as DeviceChoice;
  alert.dataset["gone"] = "yes";
  loading.hidden = true;
  busy(0);
  byId("device-name").textContent = "stopped";
  showAlert([title, ...reasons]);
  alert.append(
    el("div", { class: "controls" },
      again(first, choice),
      kind !== "cpu" && again("Go on on the CPU", "cpu"),
      again("Go on with the demo model", choice, "demo"),
    ),
  );
}

/** True after the worker has ended, until the user chooses how to continue. */
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
    const chosen = [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, content: file }));
    input.value = "";
    if (chosen.length === 0) return;
    const name = chosen[0]?.path.split("/")[0] ?? "";
    void page.attempt(() => load(chosen, chosen.length > 1 && input === files ? "Your model" : name));
  });
}
byId("export").addEventListener("click", () =>
  void page.attempt(async () => {
    const url = URL.createObjectURL(new Blob([await client.call("exportModel", null)], { type: "application/zip" }));
    el("a", { href: url, download: "ssft-model.zip" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }),
);
device.addEventListener("change", () => {
  hideAlert();
  void start(device.value as DeviceChoice);
});

// In a separate task, so that the first frame is drawn before the views are created.
setTimeout(() => {
  answer = new AnswerView(page);
  train = new TrainView(page, showModel, (text) => (byId("memory").textContent = text));
  void start("auto");
});
