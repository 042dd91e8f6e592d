import { statSync } from "node:fs";
import { defineConfig } from "vite";

export default defineConfig({
  // Relative paths, so that the page works in any folder of a static file server.
  base: "./",
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false, chunkSizeWarningLimit: 200 },
  worker: { format: "es" },
  define: { __MODULE_BYTES__: JSON.stringify(statSync(new URL("pkg/ssft_web.wasmz", import.meta.url)).size) },
});
