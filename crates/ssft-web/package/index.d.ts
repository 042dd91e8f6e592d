export * from "./ssft_web.js";

/** Address of the gzip-packed module, in the same directory as this file. */
export declare const url: URL;

/**
 * Starts the module; call it before anything else. `packed` is a response with the packed module [default: a fetch of `url`].
 * Returns the memory of the module.
 */
export default function init(packed?: Response | Promise<Response>): Promise<{ readonly memory: WebAssembly.Memory }>;
