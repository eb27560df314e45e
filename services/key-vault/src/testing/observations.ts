import { USAGE_TOPIC, stateTopic, upstreamKeyState, usage, type UpstreamKeyState, type Usage } from '@weir/contracts';
import { sleep } from '@weir/kernel';
import type { RunningVault } from './running-vault';

/** What the vault has said of a key on its state topic last; undefined: nothing, or a tombstone. */
export async function stateOf(vault: RunningVault, keyId: string): Promise<UpstreamKeyState | undefined> {
  const records = await vault.records(stateTopic('upstream-key'));
  const last = records.filter((record) => record.key === keyId).at(-1);
  return last === undefined || last.value === null ? undefined : upstreamKeyState.schema.parse(JSON.parse(last.value.toString()));
}

export type AttemptRecord = Exclude<Usage, { kind: 'served' }>;

/** The usage records of a key, in the order of their publication. */
export async function usageOf(vault: RunningVault, keyId: string): Promise<AttemptRecord[]> {
  const records = await vault.records(USAGE_TOPIC);
  return records
    .map(({ value }) => usage.schema.parse(JSON.parse(String(value))))
    .filter((one): one is AttemptRecord => one.kind !== 'served' && one.keyId === keyId);
}

/** Waits for what happens soon; the spec's own timeout says when it did not. */
export async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await met())) await sleep(20);
}

let made = 0;

/** Secrets that no other spec has, as an upstream's dashboard might show them; all that were made are remembered. */
export const secrets: string[] = [];
export function newSecret(): string {
  const secret = `tik-${process.pid.toString(36)}-${(++made).toString(36)}-Wm4qXv82LcPd${made.toString().padStart(4, '0')}`;
  secrets.push(secret);
  return secret;
}
