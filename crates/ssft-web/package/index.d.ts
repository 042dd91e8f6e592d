export * from "./ssft_web.js";

/** The packed module, beside this file. */
export declare const url: URL;

/**
 * Starts the module; everything else comes after. `packed` is a response with the packed module, in place of a fetch of `url`.
 * Returns the module's memory.
 */
export default function init(packed?: Response | Promise<Response>): Promise<{ readonly memory: WebAssembly.Memory }>;
