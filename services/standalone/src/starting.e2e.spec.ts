import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(__dirname, '..', '..', '..');
const dataDir = mkdtempSync(join(tmpdir(), 'weir-starting-'));
// as a shell has them: this process's own npm and Jest are nothing to the one that is started
const environment = {
  PATH: `${join(root, 'node_modules', '.bin')}:${dirname(process.execPath)}:${process.env['PATH']}`,
  HOME: process.env['HOME'],
  WEIR_PORT: '0',
  WEIR_MANAGEMENT_PORT: '0',
  WEIR_DATA_DIR: dataDir,
  WEIR_DEMO: 'off',
};
const launched: ChildProcess[] = [];

// each case starts npm and a server, on a machine that may be busy
jest.setTimeout(60_000);

afterAll(() => {
  for (const child of launched) child.kill('SIGTERM');
  rmSync(dataDir, { recursive: true, force: true });
});

/** `npm start` to its end: exit code and what it wrote to standard output and to standard error. */
function ended(given: Record<string, string> = {}, ...argv: string[]): [number | null, string, string] {
  const { status, stdout, stderr } = spawnSync('npm', ['start', '--silent', '--', ...argv], { cwd: root, env: { ...environment, ...given }, encoding: 'utf8', timeout: 50_000 });
  return [status, stdout, stderr];
}

async function ready(): Promise<ChildProcess> {
  const child = spawn('npm', ['start', '--silent'], { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  launched.push(child);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => /^ready http/m.test(chunk.toString()) && resolve());
    child.once('exit', (code) => reject(new Error(`npm start ended with ${code}`)));
  });
  return child;
}

const gone = (child: ChildProcess, signal: NodeJS.Signals) =>
  new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });

/** The data directory's database, which stops last: while it runs, something is left. */
function databaseRuns(): boolean {
  const { children } = JSON.parse(readFileSync(join(dataDir, 'postgres', 'processes.json'), 'utf8')) as { children: { pid: number }[] };
  return children.some(({ pid }) => spawnSync('kill', ['-0', String(pid)]).status === 0);
}

const oneLine = (text: string) => expect.stringMatching(new RegExp(`^weir: .*${text}.*\\n$`));

describe('npm start', () => {
  it.each([
    [{ WEIR_LOG_LEVEL: 'loud' }, 'WEIR_LOG_LEVEL: none of debug, info'],
    [{ WEIR_PORT: '-1' }, 'WEIR_PORT: not a whole number from 0 to 65535'],
    [{ WEIR_UPSTREAM_URL: 'nowhere' }, 'WEIR_UPSTREAM_URL: not an http or https address'],
    [{ WEIR_OPERATOR_TOKEN: 'secret' }, 'WEIR_OPERATOR_TOKEN: not a token'],
    [{ WEIR_UPSTREAM_TIMEOUT_MS: '0' }, 'WEIR_UPSTREAM_TIMEOUT_MS: not a whole number from 10 to 300000'],
  ])('answers bad configuration with one line and exit code 1: %j', (given, problem) => {
    expect(ended(given)).toEqual([1, '', oneLine(problem)]);
    expect(ended(given, '--check-config')).toEqual([1, '', oneLine(problem)]);
  });

  it('lists every setting on --help, checks them on --check-config, and answers other arguments with exit code 2', () => {
    expect(ended({}, '--help')).toEqual([0, expect.stringMatching(/WEIR_PORT [^]*WEIR_UPSTREAM_TIMEOUT_MS/), '']);
    expect(ended({}, '--check-config')).toEqual([0, 'the configuration is valid\n', '']);
    expect(ended({}, '--fast')).toEqual([2, '', oneLine('unknown argument --fast')]);
  });

  it('writes standalone.json for its owner alone, and ends with everything it started when npm is asked to', async () => {
    const child = await ready();
    const file = join(dataDir, 'standalone.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const content = JSON.parse(readFileSync(file, 'utf8')) as { url: string };
    expect(Object.keys(content)).toEqual(['url', 'managementUrl', 'simulatorUrl', 'operatorToken', 'tenants']);
    // the bare address, opened in a browser, is the reference
    expect(await (await fetch(content.url)).text()).toContain('swagger');
    expect(ended()).toEqual([1, '', oneLine('is in use by process \\d+')]);
    await gone(child, 'SIGTERM');
    expect(databaseRuns()).toBe(false);
  });

  it('ends by itself when npm was killed', async () => {
    await gone(await ready(), 'SIGKILL');
    for (let i = 0; databaseRuns() && i < 100; i++) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(databaseRuns()).toBe(false);
  });

  it.each(['WEIR_PORT', 'WEIR_MANAGEMENT_PORT', 'WEIR_SIMULATOR_PORT', 'WEIR_POSTGRES_PORT'])('says in one line that %s is in use, and leaves nothing', async (variable) => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    expect(ended({ [variable]: String(port) })).toEqual([1, '', oneLine(`port ${port} is in use: `)]);
    expect(databaseRuns()).toBe(false);
    taken.close();
  });

  it('refuses a data directory of another PostgreSQL in one line', () => {
    const file = join(dataDir, 'postgres', 'cluster', 'PG_VERSION');
    const version = readFileSync(file, 'utf8');
    writeFileSync(file, '15\n');
    expect(ended()).toEqual([1, '', oneLine('belongs to PostgreSQL 15, and this is 18')]);
    writeFileSync(file, version);
  });
});
