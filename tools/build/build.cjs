// Compiles libs, services and tools to dist/, file by file, in the same places; copies what they read at run time.
// `npm ci` runs it (prepare), so that `npm start` compiles nothing.
const { transformFile } = require('@swc/core');
const fs = require('node:fs');
const path = require('node:path');
const { root, swcOptions } = require('./swc-options.cjs');

const dist = path.join(root, 'dist');
// made aside and moved at the end: what runs from dist/ meanwhile goes on finding its files
const out = path.join(root, 'node_modules', `.weir-dist-${process.pid}`);
const ASSETS = /\.(sql|lua|json|py|xml|tpl|properties|yaml|txt|html|css|svg)$/;

function* files(dir) {
  if (!fs.existsSync(dir)) return;
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const full = path.join(dir, entry.name);
    if (entry.isDirectory()) {
      if (!['node_modules', 'target', '.terraform', 'fixtures'].includes(entry.name)) yield* files(full);
    } else yield full;
  }
}

async function compile(file) {
  const relative = path.relative(root, file);
  const target = path.join(out, relative);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  if (/\.ts$/.test(file) && !/\.(spec|d)\.ts$|\/src\/testing\//.test(file)) {
    const js = target.replace(/\.ts$/, '.js');
    const { code, map } = await transformFile(file, { ...swcOptions, sourceFileName: file });
    fs.writeFileSync(js, `${code}\n//# sourceMappingURL=${path.basename(js)}.map\n`);
    fs.writeFileSync(`${js}.map`, map);
    // a bin: swc keeps its first line, and npm makes only installed packages' bins executable
    if (code.startsWith('#!')) fs.chmodSync(js, 0o755);
    return 1;
  }
  if (ASSETS.test(file) && path.basename(file) !== 'project.json') fs.copyFileSync(file, target);
  return 0;
}

(async () => {
  const started = Date.now();
  const all = ['libs', 'services', 'tools'].flatMap((dir) => [...files(path.join(root, dir))]);
  const counts = await Promise.all(all.map(compile));
  fs.rmSync(dist, { recursive: true, force: true });
  fs.renameSync(out, dist);
  console.log(`built ${counts.reduce((a, b) => a + b, 0)} files into dist/ in ${Date.now() - started} ms`);
})().catch((error) => {
  fs.rmSync(out, { recursive: true, force: true });
  console.error(`build failed: ${error.message ?? error}`);
  process.exit(1);
});
