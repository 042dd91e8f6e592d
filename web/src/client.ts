/** The page's side of a worker. */

import type { DeviceChoice, DeviceInfo } from "../pkg/index.js";
import { type Calls, type News, type Reasons, type Reply, type Request, lockOf } from "./protocol";
import workerUrl from "./worker.ts?worker&url";

/** A call that failed, with all that is behind it. */
export class Failed extends Error {
  constructor(readonly reasons: Reasons) {
    super(reasons.join(": "));
  }
}

export class Client {
  #worker: Worker;
  #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Failed) => void }>();
  #next = 1;
  #ended = false;

  /** `hear` gets all news; `gone` is told once, when the worker has died or its module is broken. */
  constructor(
    private readonly hear: (news: News) => void,
    private readonly gone: (reasons: Reasons) => void,
  ) {
    // Unlike randomUUID this is there on pages that came over plain http, too.
    const name = crypto.getRandomValues(new Uint32Array(4)).join("-");
    // A worker from an address has the policy of its own response, and file servers send none; a blob has the page's.
    const script = `import ${JSON.stringify(new URL(workerUrl, document.baseURI).href)};`;
    const source = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    this.#worker = new Worker(source, { type: "module", name });
    this.#worker.addEventListener("message", () => URL.revokeObjectURL(source), { once: true });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<News | Reply>) => this.#take(data, name));
    this.#worker.addEventListener("error", (event) => this.#end([event.message || "the worker could not be loaded"]));
  }

  start(device: DeviceChoice): Promise<DeviceInfo> {
    return this.call("start", { device });
  }

  call<C extends keyof Calls>(call: C, argument: Calls[C][0]): Promise<Calls[C][1]> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Failed(["the worker has ended"]));
      const id = this.#next++;
      this.#worker.postMessage({ id, call, argument } as Request);
      this.#waiting.set(id, { resolve, reject });
    });
  }

  /** Ends the worker without a word; what was asked fails. */
  end(reasons: Reasons = ["the worker has ended"]): void {
    this.#ended = true;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(new Failed(reasons));
    this.#waiting.clear();
  }

  #watched = false;

  #take(message: News | Reply, name: string): void {
    // It lives, so it holds its lock by now; we get it when it does not any more.
    if (!this.#watched) {
      this.#watched = true;
      void navigator.locks?.request(lockOf(name), () => this.#end(["the worker was ended by the browser"]));
    }
    if ("news" in message) {
      if (message.news === "fatal") this.#end(message.reasons);
      else this.hear(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ("reasons" in message) waiting?.reject(new Failed(message.reasons));
    else waiting?.resolve(message.value as never);
  }

  #end(reasons: Reasons): void {
    if (this.#ended) return;
    this.end(reasons);
    this.gone(reasons);
  }
}
