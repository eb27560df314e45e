import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify, isRunning, type Identity } from './process/identity';
import { repository } from './install/cache';

const main = join(repository(), 'dist', 'tools', 'stack', 'src', 'main.js');
const dataDir = mkdtempSync(join(tmpdir(), 'weir-stack-'));
const launched: ChildProcess[] = [];

afterAll(() => {
  for (const child of launched) child.kill('SIGTERM');
  rmSync(dataDir, { recursive: true });
});

/** Resolves once it says that it is ready. */
async function launch(): Promise<{ child: ChildProcess; output: string; redis: Identity }> {
  const child = spawn(process.execPath, [main, '--only', 'redis', '--data-dir', dataDir], { env: { ...process.env, NODE_OPTIONS: '' } });
  launched.push(child);
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      output += chunk.toString();
      if (/^ready/m.test(output)) resolve();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', (code) => reject(new Error(`the stack ended with ${code}: ${output}`)));
  });
  const { redis } = JSON.parse(readFileSync(join(dataDir, 'stack.json'), 'utf8')) as { redis: { pid: number } };
  return { child, output, redis: identify(redis.pid) as Identity };
}

const end = (child: ChildProcess, signal: NodeJS.Signals) =>
  new Promise<number | string | null>((resolve) => {
    child.once('exit', (code, by) => resolve(code ?? by));
    child.kill(signal);
  });

describe('npm run stack', () => {
  it('stops what a killed run left, and on SIGTERM leaves nothing', async () => {
    const first = await launch();
    await end(first.child, 'SIGKILL');
    expect(isRunning(first.redis)).toBe(true);

    const second = await launch();
    expect(second.output).toContain('stopped what an earlier run left: redis');
    expect(isRunning(first.redis)).toBe(false);
    expect(await end(second.child, 'SIGTERM')).toBe(0);
    expect(isRunning(second.redis)).toBe(false);
  });

  it('writes stack.json for its owner alone', () => {
    expect(statSync(join(dataDir, 'stack.json')).mode & 0o777).toBe(0o600);
  });

  it('is refused in one line while another runs on the data directory', async () => {
    const { child } = await launch();
    const second = spawnSync(process.execPath, [main, '--only', 'redis', '--data-dir', dataDir], { encoding: 'utf8' });
    expect([second.status, second.stderr]).toEqual([1, expect.stringMatching(/^weir: .* is in use by process \d+: .*\n$/)]);
    await end(child, 'SIGINT');
  });

  it('answers what it does not know with one line and exit code 2', () => {
    const { status, stderr } = spawnSync(process.execPath, [main, '--replicas', 'gateway=2'], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^weir: .*gateway=2|^weir: .*gateway.*\n$/)]);
  });

  it('names what the machine lacks and how to install it, in one line, with exit code 1', () => {
    const nothing = { PATH: '/nonexistent', WEIR_STACK_CACHE: join(dataDir, 'empty-cache') };
    const { status, stderr } = spawnSync(process.execPath, [main, '--only', 'kafka', '--data-dir', join(dataDir, 'other')], { encoding: 'utf8', env: nothing });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^weir: .*Java 17 or later \(apt-get install .*\), Maven \(apt-get install maven\)\n$/)]);
  });
});
