// What `npm test` calls: builds, sees that the machine has what the servers need, runs Jest over everything or what the arguments
// name, and closes with one plain line. With --nightly also what takes minutes (*.nightly.spec.ts).
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const report = join(root, 'reports', 'tests.json');
const require = createRequire(import.meta.url);
const nightly = process.argv.includes('--nightly');
const argv = process.argv.slice(2).filter((arg) => arg !== '--nightly');

function fail(message) {
  process.stderr.write(`weir: ${message}\n`);
  process.exit(1);
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 9)) {
  fail(`the tests need Node 24.9 or later, and this is ${process.version}: on Linux x64, npm ci brings one and npm test uses it`);
}

const build = spawnSync(process.execPath, [join(root, 'tools', 'build', 'build.cjs')], { stdio: 'inherit' });
if (build.status !== 0) process.exit(1);

const given = ['KAFKA_BROKERS', 'REDIS_URL', 'KMS_URL'].every((name) => process.env[`WEIR_TEST_${name}`]);
if (!given) {
  const { assertPresent } = require(join(root, 'dist', 'tools', 'stack', 'src', 'install', 'needs.js'));
  try {
    assertPresent(['java', 'maven', 'python'], 'npm test');
  } catch (error) {
    fail(error.message);
  }
}

mkdirSync(join(root, 'reports'), { recursive: true });
rmSync(report, { force: true });
const options = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', '--disable-warning=TimeoutNegativeWarning'];
const jest = spawn(
  process.execPath,
  [...options, join(root, 'node_modules', 'jest', 'bin', 'jest.js'), '-c', 'jest.config.cjs', '--json', `--outputFile=${report}`, ...argv],
  { cwd: root, stdio: 'inherit', env: { ...process.env, ...(nightly ? { WEIR_NIGHTLY: 'on' } : {}), NODE_OPTIONS: options.join(' '), KAFKAJS_NO_PARTITIONER_WARNING: '1' } },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => jest.kill(signal));

jest.on('exit', (code, signal) => {
  if (existsSync(report)) {
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
    // a suite that could not run at all has no failed test, and is not to pass for nothing
    process.stdout.write(`${numPassedTests} passed, ${numFailedTests + numRuntimeErrorTestSuites} failed\n`);
  }
  process.exit(signal === null ? code : 1);
});
