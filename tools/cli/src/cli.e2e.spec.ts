import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { weir as run, type Run } from './testing/run';

const ROOT = resolve(__dirname, '../../..');
const REGISTER = join(ROOT, 'tools/build/register.cjs');
const dir = mkdtempSync(join(tmpdir(), 'weir-cli-'));
const file = join(dir, 'data', 'standalone.json');
let standalone: ChildProcess;
let output = '';

/** With what one run of it stores kept for the next. */
const weir = (args: readonly string[], stdin = ''): Promise<Run> => run(args, { env: { HOME: dir }, stdin });
const json = async (args: readonly string[], stdin = '') => JSON.parse((await weir([...args, '--json'], stdin)).out);

beforeAll(async () => {
  standalone = spawn(process.execPath, ['--require', REGISTER, join(ROOT, 'services/standalone/src/main.ts')], {
    cwd: dir,
    env: { ...process.env, WEIR_PORT: '0', WEIR_MANAGEMENT_PORT: '0', WEIR_DATA_DIR: join(dir, 'data'), WEIR_SIMULATOR_LATENCY_MS: '0', WEIR_DEMO: 'off' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await new Promise<void>((ready, failed) => {
    const hear = (chunk: Buffer) => {
      output += chunk.toString();
      if (/^ready http/m.test(output)) ready();
    };
    standalone.stdout!.on('data', hear);
    standalone.stderr!.on('data', hear);
    standalone.once('exit', (code) => failed(new Error(`standalone ended with ${code}:\n${output}`)));
  });
  const { simulatorUrl } = JSON.parse(readFileSync(file, 'utf8')) as { simulatorUrl: string };
  for (const key of ['tk_live_platform', 'tk_live_own', 'tk_live_next']) await fetch(`${simulatorUrl}/_simulator/keys`, { method: 'POST', body: JSON.stringify({ key }) });
}, 60_000);

afterAll(async () => {
  const ended = new Promise((done) => standalone.once('exit', done));
  if (standalone.exitCode === null && standalone.kill()) await ended;
  if (existsSync(dir)) rmSync(dir, { recursive: true });
}, 30_000);

describe('weir against a running Weir', () => {
  it('logs in as the operator with what `npm start` has written', async () => {
    expect(await weir(['login', '--from', file])).toMatchObject({ code: 0, out: expect.stringMatching(/role +operator/) });
  });

  it('makes a tenant and comes back when it can be used; its slug names it from there on', async () => {
    const made = await weir(['tenants', 'create', 'acme', '--plan', 'enterprise', '--wait']);
    expect(made).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/status +active/) });
    expect((await weir(['tenants', 'list'])).out).toMatch(/ten_\w{26} +acme +active +byo +enterprise@1/);
    expect(await weir(['tenants', 'create', 'acme'])).toMatchObject({ code: 1, err: expect.stringMatching(/^weir: slug-taken: .*\(req_\w+\)/) });
    expect((await weir(['tenants', 'get', 'nobody'])).code).toBe(1);
  });

  it('suspends, resumes and moves it between plans and key modes', async () => {
    expect(await json(['tenants', 'suspend', 'acme'])).toMatchObject({ status: 'suspended' });
    expect(await json(['tenants', 'resume', 'acme'])).toMatchObject({ status: 'active' });
    expect(await json(['tenants', 'plan', 'acme', 'pro'])).toMatchObject({ plan: { id: 'pro', version: 1 } });
    expect(await json(['tenants', 'key-mode', 'acme', 'hybrid'])).toMatchObject({ keyMode: 'hybrid' });
    expect(await weir(['tenants', 'plan', 'acme', 'nonsense'])).toMatchObject({ code: 1 });
  });

  it("hands in the platform's and the tenant's keys from standard input, checks, rotates, quarantines and removes them", async () => {
    const platform = await json(['keys', 'add', '--platform', '--label', 'main'], 'tk_live_platform\n');
    expect(platform).toMatchObject({ label: 'main', state: 'usable' });
    expect(await json(['keys', 'quarantine', platform.id, '--platform', '--because', 'a drill'])).toMatchObject({ state: 'quarantined' });
    expect(await json(['keys', 'reinstate', platform.id, '--platform'])).toMatchObject({ state: 'usable' });

    const own = await json(['keys', 'add', '-t', 'acme'], 'tk_live_own');
    expect((await weir(['keys', 'list', '-t', 'acme'])).out).toMatch(new RegExp(`${own.id} +.*usable`));
    expect((await weir(['keys', 'check', own.id, '-t', 'acme'])).out).toMatch(/last check +accepted/);
    expect(await json(['keys', 'rotate', own.id, '-t', 'acme'], 'tk_live_next')).toMatchObject({ activeVersion: 2 });
    expect(await weir(['keys', 'add', '-t', 'acme'], 'tk_not_known_there')).toMatchObject({ code: 1, out: expect.stringContaining('invalid'), err: expect.stringContaining('unauthorized') });
    const renewed = await weir(['keys', 'rotate-all', '--wait']);
    expect(renewed).toMatchObject({ code: 0, out: expect.stringMatching(/left under the old +0/) });
    expect(renewed.out).toMatch(/signature +Ed25519, valid/);
    expect((await weir(['key-rotations', 'list'])).out).toMatch(/op_\w+ +data-keys, key-encryption-key +finished/);
    expect((await weir(['keys', 'check', own.id, '-t', 'acme'])).code).toBe(0);
    expect((await weir(['keys', 'remove', own.id, '-t', 'acme'])).code).toBe(0);
    expect((await weir(['keys', 'get', 'key_00000000000000000000000000', '-t', 'acme'])).code).toBe(1);
  });

  it('moves a tenant to the pooled schema and back, shows how it is walled in, and writes it to a file that is whole', async () => {
    expect(await weir(['tenants', 'move', 'acme', 'pooled'])).toMatchObject({ code: 0, out: expect.stringMatching(/status +succeeded/) });
    expect((await weir(['tenants', 'isolation', 'acme'])).out).toMatch(/schema +weir_pooled\n(.*\n)*row security +forced on all\n/);
    expect(await weir(['tenants', 'move', 'acme', 'schema'])).toMatchObject({ code: 0, out: expect.stringMatching(/placement +schema/) });
    expect(await weir(['tenants', 'move', 'acme', 'database'])).toMatchObject({ code: 2 });
    const archive = join(dir, 'acme.weir');
    expect(await weir(['tenants', 'export', 'acme', '-o', archive])).toMatchObject({ code: 0, err: '' });
    expect(existsSync(archive)).toBe(true);
    expect(await weir(['tenants', 'import', archive])).toMatchObject({ code: 1, err: expect.stringMatching(/^weir: tenant-exists/) });
  });

  it('exports a tenant, purges it, and has it back from the file', async () => {
    const made = await json(['tenants', 'create', 'comes-back', '--wait']);
    const archive = join(dir, 'comes-back.weir');
    await weir(['tenants', 'export', 'comes-back', '-o', archive]);
    expect(await weir(['tenants', 'purge', 'comes-back'])).toMatchObject({ code: 2 });
    expect(await weir(['tenants', 'purge', 'comes-back', '--yes'])).toMatchObject({ code: 1, err: expect.stringMatching(/^weir: not-offboarded/) });
    await weir(['tenants', 'offboard', 'comes-back']);
    expect(await weir(['tenants', 'purge', 'comes-back', '--yes'])).toMatchObject({ code: 0 });
    expect(await json(['tenants', 'import', archive])).toMatchObject({ id: made.tenantId, slug: 'comes-back', status: 'active' });
    expect((await weir(['events', 'verify', '-t', 'comes-back'])).out).toMatch(/events +3/);
  });

  it('V12 its archive brings upstream keys back after a purge only where it was exported with them, for a transfer key that was carried apart', async () => {
    const made = await json(['tenants', 'create', 'travels', '--plan', 'enterprise', '--wait']);
    const own = await json(['keys', 'add', '-t', 'travels'], 'tk_live_own');
    const [key, bare, full] = ['transfer.key', 'bare.weir', 'full.weir'].map((name) => join(dir, name)) as [string, string, string];
    writeFileSync(key, (await weir(['keys', 'transfer-key'])).out, { mode: 0o600 });
    expect((await weir(['tenants', 'export', 'travels', '-o', bare])).out).toMatch(/upstream keys +sealed; they open here alone/);
    expect((await weir(['tenants', 'export', 'travels', '-o', full, '--keys-for', key])).out).toMatch(/upstream keys +sealed; they open here and for who was named/);
    await weir(['tenants', 'offboard', 'travels']);
    expect((await weir(['tenants', 'purge', 'travels', '--yes'])).code).toBe(0);

    // the purge destroys the shred key a moment later: until then there is nothing to see
    await eventually(async () => expect((await weir(['events', 'list', '--platform', '--type', 'upstream-keys.shredded', '--json'])).out).toContain(made.tenantId));
    expect(await weir(['tenants', 'import', bare])).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/upstream keys +sealed elsewhere: hand them in anew/) });
    expect(await weir(['keys', 'check', own.id, '-t', made.tenantId])).toMatchObject({ code: 1, err: expect.stringMatching(/^weir: key-shredded/) });
    expect(await weir(['tenants', 'import', bare, '--keys-only'])).toMatchObject({ code: 1, err: expect.stringContaining('without --keys-for') });
    expect(await weir(['tenants', 'import', full, '--keys-only'])).toMatchObject({ code: 1, err: expect.stringMatching(/^weir: bad-transfer-key/) });
    expect((await weir(['tenants', 'import', full, '--keys-only', '--transfer-key', key])).out).toMatch(/upstream keys +1 taken over/);
    expect((await weir(['keys', 'check', own.id, '-t', made.tenantId])).out).toMatch(/last check +accepted/);
    expect(await weir(['keys', 'kms-key', '-t', made.tenantId])).toMatchObject({ code: 0, out: expect.stringMatching(/KMS key +the platform's/) });
    expect(await weir(['keys', 'kms-key', 'arn:aws:kms:eu-central-1:123456789012:key/none', '-t', made.tenantId])).toMatchObject({ code: 1, err: expect.stringMatching(/^weir: no-kms/) });
  }, 20_000);

  it('plans and runs migrations, and looks for drift', async () => {
    expect(await weir(['migrations', 'plan'])).toMatchObject({ code: 0, err: 'there are none\n' });
    expect(await weir(['migrations', 'run', '--workers', '4'])).toMatchObject({ code: 0, out: expect.stringMatching(/schemas behind +0/) });
    expect(await weir(['migrations', 'drift'])).toMatchObject({ code: 0 });
    expect((await weir(['migrations', 'status'])).out).toMatch(/event-store\/0001_log/);
  });

  it('issues, rerolls and revokes tokens, and works with one of them within its own rights', async () => {
    const { data: tenants } = await json(['tenants', 'list']);
    const [owner, spare] = [await json(['tokens', 'create', '-t', 'acme', '--role', 'owner', '--label', 'cli']), await json(['tokens', 'create', '-t', 'acme', '--test'])];
    expect([owner.role, spare.mode]).toEqual(['owner', 'test']);
    const next = await json(['tokens', 'reroll', spare.id, '-t', 'acme', '--grace', '0']);
    expect((await weir(['tokens', 'revoke', next.id, '-t', 'acme'])).code).toBe(0);
    expect((await weir(['tokens', 'list', '-t', 'acme'])).out).toMatch(new RegExp(`${next.id} .*revoked`));

    const { url } = JSON.parse(readFileSync(file, 'utf8')) as { url: string };
    const env = { HOME: '/nonexistent', WEIR_URL: url, WEIR_TOKEN: owner.token as string, WEIR_TENANT: tenants[0].id as string };
    expect(await run(['tokens', 'list'], { env })).toMatchObject({ code: 0, out: expect.stringContaining(owner.id) });
    expect(await run(['tenants', 'list'], { env })).toMatchObject({ code: 1, err: expect.stringContaining('forbidden') });
  });

  it('shows usage of one tenant and of all, as a table, JSON and CSV', async () => {
    const { token } = await json(['tokens', 'create', '-t', 'acme']);
    const { url } = JSON.parse(readFileSync(file, 'utf8')) as { url: string };
    const call = () => fetch(`${url}/tiklive/userid/?username=adalee`, { headers: { authorization: `Bearer ${token}` } });
    await eventually(async () => expect((await call()).status).toBe(200));
    await eventually(async () => expect((await weir(['usage', '-t', 'acme', '--group-by', 'day,endpoint'])).out).toMatch(/\d{4}-\d\d-\d\d +userid +\d+ +\d+ +0 +1\n.*total/));
    expect((await weir(['usage', '--all', '--group-by', 'tenant,key'])).out).toMatch(/TENANT ID +KEY ID +CALLS/);
    expect((await weir(['usage', '-t', 'acme', '--csv'])).out).toMatch(/^day,calls,/);
    expect(await weir(['usage', '-t', 'acme', '--from', 'yesterday'])).toMatchObject({ code: 1, err: expect.stringContaining('from') });
  });

  it("lists a tenant's events in order, pages and filters them, exports them as they stand, and verifies their chain", async () => {
    const { data } = await json(['events', 'list', '-t', 'acme', '--limit', '0']);
    expect(data.map(({ position }: { position: number }) => position)).toEqual(data.map((_: unknown, i: number) => i + 1));
    expect((await json(['events', 'list', '-t', 'acme', '--after', '2', '--limit', '1'])).data).toMatchObject([{ position: 3 }]);
    expect((await weir(['events', 'list', '-t', 'acme', '--type', 'tenant.suspended'])).out.trim().split('\n')).toHaveLength(2);
    const lines = (await weir(['events', 'list', '-t', 'acme', '--ndjson'])).out.trim().split('\n');
    expect(lines.slice(0, data.length).map((line) => JSON.parse(line).eventId)).toEqual(data.map(({ eventId }: { eventId: string }) => eventId));
    expect((await weir(['events', 'list', '-t', 'acme', '--request', 'req_none', '--limit', '0'])).err).toBe('there are none\n');
    for (const whose of [['-t', 'acme'], ['--platform']]) {
      const exported = await weir(['events', 'export', ...whose]);
      expect(await weir(['verify', '-'], exported.out)).toMatchObject({ code: 0, out: expect.stringMatching(/result +intact/) });
      expect(await weir(['verify', '-'], exported.out.replace('"reason":null', '"reason":"x"'))).toMatchObject({ code: 1, out: expect.stringContaining('content-altered') });
    }
    expect(await weir(['events', 'verify', '-t', 'acme'])).toMatchObject({ code: 0, out: expect.stringMatching(/result +intact/) });
    expect(await weir(['events', 'verify', '--platform'])).toMatchObject({ code: 0, out: expect.stringMatching(/result +intact/) });
  });

  it('shows how far the relay is, parked messages and migrations', async () => {
    expect((await weir(['relay', 'lag', 'acme'])).out).toMatch(/not published +0 events\n.*\npublished up to +[1-9]/);
    expect(await weir(['relay', 'lag'])).toMatchObject({ code: 0 });
    expect(await weir(['parked', 'list'])).toMatchObject({ code: 0, err: 'there are none\n' });
    expect((await weir(['parked', 'show', '00000000-0000-0000-0000-000000000000'])).code).toBe(1);
    expect((await weir(['migrations', 'list'])).out).toMatch(/schemas behind +0\nlast run +done\n/);
    expect(await json(['migrations', 'run'])).toMatchObject({ running: false, schemas: { behind: 0 } });
  });

  it('as a process of its own ends with the exit code, and quietly when its reader stops', () => {
    const main = [process.execPath, '--require', REGISTER, join(__dirname, 'main.ts')].map((part) => `'${part}'`).join(' ');
    const shell = (line: string) => spawnSync('sh', ['-c', line], { env: { ...process.env, HOME: dir, WEIR_URL: undefined, WEIR_TOKEN: undefined }, encoding: 'utf8' });
    expect(shell(`${main} tenants list`)).toMatchObject({ status: 0, stdout: expect.stringContaining('acme') });
    expect(shell(`${main} tenants get ten_00000000000000000000000000`)).toMatchObject({ status: 1, stderr: expect.stringContaining('not-found') });
    expect(shell(`${main} events list -t acme | head -1`)).toMatchObject({ status: 0, stderr: '' });
  });

  it('offboards a tenant', async () => {
    expect(await json(['tenants', 'offboard', 'acme'])).toMatchObject({ status: expect.stringMatching(/^offboard/) });
  });
});

async function eventually(check: () => Promise<unknown>): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    try {
      return void (await check());
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
