// Bundles the front end into build/assets, where Django's static files storage finds it.
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "build", "assets");
const outline = join(here, "..", "node_modules", "@tabler", "icons", "icons", "outline");

// One file for all icons: each keeps its name as id, so a template says icons.svg#phone.
async function sprite() {
  const names = (await readFile(join(here, "icons.txt"), "utf8")).split("\n").filter(Boolean);
  const symbols = await Promise.all(names.map(async (name) => {
    const svg = await readFile(join(outline, `${name}.svg`), "utf8");
    const shapes = svg.match(/<(path|circle|rect|line|polyline|ellipse)\b[^>]*>/g)
      .filter((shape) => !shape.includes("M0 0h24v24H0z"));  // the invisible box that only reserves space
    return `<symbol id="${name}" viewBox="0 0 24 24">${shapes.join("")}</symbol>`;
  }));
  return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`;
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await build({
  entryPoints: [
    { in: join(here, "scripts", "app.js"), out: "app" },
    { in: join(here, "scripts", "board.js"), out: "board" },
    { in: join(here, "scripts", "theme.js"), out: "theme" },
    { in: join(here, "scripts", "frame.js"), out: "frame" },
    { in: join(here, "scripts", "zone.js"), out: "zone" },
    { in: join(here, "styles", "app.css"), out: "app" },
    { in: join(here, "styles", "public.css"), out: "public" },
    { in: join(here, "styles", "rooms.css"), out: "rooms" },
  ],
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome111", "firefox113", "safari16.4"],
  loader: { ".woff2": "file" },
  assetNames: "fonts/[name]",
  legalComments: "none",  // a source map's address in them would dangle, and the manifest storage refuses that
  logLevel: "warning",
});
await cp(join(here, "baton-mark.svg"), join(out, "baton-mark.svg"));
await writeFile(join(out, "icons.svg"), await sprite());
