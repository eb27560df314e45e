// What `npm run check` calls: types, then lint with the boundaries between projects. The boundaries rule reads Nx's project graph and
// is silent without one, so the graph is made first, and its absence is an error here.
const { spawnSync } = require('node:child_process');
const { existsSync, rmSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..', '..');
const graph = join(root, '.nx', 'workspace-data', 'project-graph.json');
const env = { ...process.env, NX_NO_CLOUD: 'true', NX_DAEMON: 'false' };

function step(what, script, args, stdio = 'inherit') {
  const started = Date.now();
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', script), ...args], { cwd: root, env, stdio });
  console.log(`${what}: ${status === 0 ? 'ok' : 'failed'}, ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return status === 0;
}

rmSync(graph, { force: true });
const passed = [
  step('project graph', 'nx/dist/bin/nx.js', ['show', 'projects'], ['ignore', 'ignore', 'inherit']) && existsSync(graph),
  step('types', 'typescript/bin/tsc', ['-p', 'tsconfig.json']),
  step('lint and boundaries', 'eslint/bin/eslint.js', ['libs', 'services', 'tools', '--max-warnings=0']),
];
process.exit(passed.every(Boolean) ? 0 : 1);
