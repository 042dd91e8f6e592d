import { statSync } from "node:fs";
import { defineConfig } from "vite";

export default defineConfig({
  // Every path is relative: the page works from any folder of any static file server.
  base: "./",
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false, chunkSizeWarningLimit: 200 },
  worker: { format: "es" },
  define: { __MODULE_BYTES__: JSON.stringify(statSync(new URL("pkg/ssft_web.wasmz", import.meta.url)).size) },
});
