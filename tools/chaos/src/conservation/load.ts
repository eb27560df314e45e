import { sleep } from '@weir/kernel';
import { call, type Caller } from './tenants';

export interface Traffic {
  /** Answers by status; 0: nobody answered. */
  readonly statuses: ReadonlyMap<number, number>;
  /** What the answers said that they cost, by tenant. */
  readonly credits: ReadonlyMap<string, number>;
}

const WORKERS = 8;
const PAUSE_MS = 15;
/** Of so many users: some are asked for again, and come from the cache or share a call in flight. */
const USERS = 400;

/** Calls of all tenants until it is ended, whatever becomes of them. */
export function startLoad(url: string, tenants: readonly Caller[], random: () => number): { end(): Promise<Traffic> } {
  const [statuses, credits] = [new Map<number, number>(), new Map<string, number>()];
  let going = true;
  const worker = async () => {
    while (going) {
      const tenant = tenants[Math.floor(random() * tenants.length)] as Caller;
      const headers: Record<string, string> = random() < 0.2 ? { 'weir-max-age': '0' } : {};
      const answered = await call(url, tenant.token, `user.${Math.floor(random() * USERS)}`, headers);
      statuses.set(answered.status, (statuses.get(answered.status) ?? 0) + 1);
      credits.set(tenant.id, (credits.get(tenant.id) ?? 0) + answered.credits);
      await sleep(PAUSE_MS);
    }
  };
  const working = Promise.all(Array.from({ length: WORKERS }, worker));
  return {
    async end() {
      going = false;
      await working;
      return { statuses, credits };
    },
  };
}
