/** Everything that computes, away from the page's own thread. It passes calls on and holds no loop of its own. */

import { Session, drawMaze, mazeTrail, questions } from "../pkg/ssft_web.js";
import type { ModelFiles, Piece, StepReport } from "../pkg/ssft_web.js";
import { pack, unpack } from "./archive";
import { startModule } from "./module";
import { type Calls, type News, type Reply, type Request, lockOf, reasonsOf } from "./protocol";
import { forget, keep, kept } from "./storage";

/** The name of the model, inside a kept state. */
const NAME_FILE = "name.txt";

let session: Session | undefined;
let memory: WebAssembly.Memory | undefined;
let stopped = false;
let name = "";

const say = (message: News | Reply, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

const open = (): Session => {
  if (!session) throw new Error("the module has not started yet");
  return session;
};

/** The page asks for the same lock, and gets it when this worker is gone, however it ends. */
void navigator.locks?.request(lockOf(self.name), () => new Promise(() => undefined));

self.addEventListener("error", (event) => {
  event.preventDefault();
  say({ news: "fatal", reasons: reasonsOf(event.error ?? event.message) });
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  say({ news: "fatal", reasons: reasonsOf(event.reason) });
});

/** There is one kept state, and one tab at a time that writes it: the first, and when that is closed the next. */
let keeps = navigator.locks === undefined;
void navigator.locks?.request("ssft-keeps", () => {
  keeps = true;
  return new Promise(() => undefined);
});

async function save(files: ModelFiles, step: number | null): Promise<void> {
  try {
    if (!keeps) throw new Error("another tab of this page keeps its training there");
    await keep(pack({ ...files, [NAME_FILE]: new TextEncoder().encode(name) }));
    say({ news: "saved", step, problem: null });
  } catch (error) {
    // A private window or a full disk: training goes on, and the page says so.
    say({ news: "saved", step, problem: reasonsOf(error).join(": ") });
  }
}

const answers: { [C in keyof Calls]: (argument: Calls[C][0]) => Promise<Calls[C][1]> } = {
  async start({ device, module }) {
    memory = await startModule(module, (loaded, total) => say({ news: "progress", loaded, total }));
    session = await Session.create({ device });
    return session.device;
  },
  async restore() {
    const bytes = await kept();
    if (!bytes) return null;
    const { [NAME_FILE]: words, ...files } = unpack(bytes);
    const info = await open().loadModel(files);
    name = new TextDecoder().decode(words);
    return { info, name };
  },
  async load({ files, name: called }) {
    const info = await open().loadModel(files);
    name = called;
    return info;
  },
  async create({ model, training, name: called }) {
    await open().newModel(model);
    const info = await open().startTraining(training);
    name = called;
    return info;
  },
  async info() {
    return open().modelInfo();
  },
  async question({ task, number }) {
    const { test } = questions({ ...task, train_questions: 1, eval_questions: 1, seed: number });
    return test[0]!;
  },
  async generate({ prompt, options }) {
    stopped = false;
    const maze = drawMaze(prompt);
    const texts = new Map<number, string>();
    return open().generate(prompt, options, (piece: Piece) => {
      const text = (texts.get(piece.fork) ?? "") + piece.text;
      texts.set(piece.fork, text);
      say({ news: "piece", piece, maze, trail: maze && mazeTrail(prompt, text) });
      return !stopped;
    });
  },
  async train({ steps }) {
    stopped = false;
    let step: number | null = null;
    const onStep = (report: StepReport) => {
      step = report.step;
      const [deviceBytes, moduleBytes] = [open().deviceBytes() ?? 0, memory?.buffer.byteLength ?? 0];
      say({ news: "step", report, deviceBytes, moduleBytes });
      return !stopped;
    };
    return open().train({ steps }, onStep, (files) => save(files, step));
  },
  async evaluate({ questions: count }) {
    return open().evaluate({ questions: count });
  },
  async exportModel() {
    return open().exportModel();
  },
  async stop() {
    stopped = true;
    return null;
  },
  async forget() {
    await forget();
    return null;
  },
};

self.addEventListener("message", async ({ data }: MessageEvent<Request>) => {
  try {
    const answer = answers[data.call] as (argument: unknown) => Promise<unknown>;
    say({ id: data.id, value: await answer(data.argument) });
  } catch (error) {
    // The device is lost, and with it all that was on it.
    if (error instanceof Error && error.name === "DeviceError") say({ news: "fatal", reasons: reasonsOf(error) });
    else say({ id: data.id, reasons: reasonsOf(error) });
  }
});
