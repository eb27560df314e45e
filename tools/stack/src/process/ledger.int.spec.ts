import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify, isRunning, type Identity } from './identity';
import { LEDGER_FILE, openLedger } from './ledger';

let dataDir: string;
const sleepers: ChildProcess[] = [];

beforeEach(() => (dataDir = mkdtempSync(join(tmpdir(), 'weir-ledger-'))));
afterEach(() => {
  for (const sleeper of sleepers.splice(0)) sleeper.kill('SIGKILL');
  rmSync(dataDir, { recursive: true });
});

function sleeper(): Identity {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  sleepers.push(child);
  return identify(child.pid as number) as Identity;
}

/** As a launcher leaves it that was killed. */
const leave = (owner: Identity, ...children: Identity[]) =>
  writeFileSync(
    join(dataDir, LEDGER_FILE),
    JSON.stringify({ owner, children: children.map((child, index) => ({ name: `child-${index}`, stopSignal: 'SIGTERM', ...child })) }),
  );

const dead: Identity = { pid: 1, startedAt: 'another boot/1' };

describe('the ledger of a data directory', () => {
  it('finds what a killed launcher left and stops it', async () => {
    const [one, other] = [sleeper(), sleeper()];
    leave(dead, one, other);
    const ledger = await openLedger(dataDir);
    expect(ledger.cleared).toEqual(['child-0', 'child-1']);
    expect([one, other].map(isRunning)).toEqual([false, false]);
  });

  it('never touches a process that was given the pid of one that is gone', async () => {
    const bystander = sleeper();
    leave(dead, { pid: bystander.pid, startedAt: 'another boot/1' });
    expect((await openLedger(dataDir)).cleared).toEqual([]);
    expect(isRunning(bystander)).toBe(true);
  });

  it('belongs to one launcher: another is refused with its pid while it is alive', async () => {
    const owner = sleeper();
    const child = sleeper();
    leave(owner, child);
    await expect(openLedger(dataDir)).rejects.toMatchObject({ code: 'data-directory-in-use', message: expect.stringContaining(`process ${owner.pid}`) });
    expect(isRunning(child)).toBe(true);
  });

  it('remembers children until they are removed', async () => {
    const ledger = await openLedger(dataDir);
    const [kept, removed] = [sleeper(), sleeper()];
    ledger.add('kept', kept.pid, 'SIGTERM');
    ledger.add('removed', removed.pid, 'SIGTERM');
    ledger.remove(removed.pid);
    ledger.close();
    expect((await openLedger(dataDir)).cleared).toEqual(['kept']);
    expect(isRunning(removed)).toBe(true);
  });
});
