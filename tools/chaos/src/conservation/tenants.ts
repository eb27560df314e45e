import type { Distributed } from '@weir/stack';
import { operatorOf, until } from '../trial-to-own-key/operator';

export interface Caller {
  readonly id: string;
  readonly slug: string;
  readonly keyMode: 'shared' | 'byo' | 'hybrid';
  readonly token: string;
}

export interface Callers {
  readonly tenants: readonly Caller[];
  /** Upstream secrets by the id that Weir gave the key. */
  readonly secrets: ReadonlyMap<string, string>;
}

const MODES = [
  ['shared', 'pro'],
  ['byo', 'enterprise'],
  ['hybrid', 'pro'],
] as const;

/** Tenants of every key mode, with the keys that they call on, each answered once. */
export async function makeTenants(weir: Distributed, operatorToken: string, ofEach: number): Promise<Callers> {
  const secrets = new Map<string, string>();
  const operator = operatorOf(weir.url, operatorToken);
  const limiter = operatorOf(weir.service('rate-limiter').url, operatorToken);
  const hand = async (path: string, secret: string) => {
    await post(`${weir.simulator.url}/_simulator/keys`, { key: secret, credits: null, perMinute: null, burst: 100_000, scopes: ['download'] });
    const { id } = await operator('POST', path, { key: secret, label: 'conservation' });
    secrets.set(id as string, secret);
    // this is about credits: the rate of one key is not to speak
    await patient(() => limiter('PUT', `/v1/upstream-keys/${id}/ceiling`, { perMinute: 1e6, burst: 1e5, concurrency: 0 }));
  };
  await hand('/v1/upstream-keys', 'tl_conserved_platform_5f1c9e2a');
  const tenants = await Promise.all(
    MODES.flatMap(([keyMode, plan]) =>
      Array.from({ length: ofEach }, async (_, n): Promise<Caller> => {
        const slug = `${keyMode}-${n + 1}`;
        const { tenant } = await operator('POST', '/v1/tenants', { slug, keyMode, plan }, { prefer: 'wait=10' });
        const id = tenant.id as string;
        if (keyMode !== 'shared') await hand(`/v1/tenants/${id}/upstream-keys`, `tl_conserved_${slug}_0a1b2c3d`);
        await patient(() => operator('PUT', `/v1/tenants/${id}/limits/tenant-bucket`, { limit: 10_000, refillPerSecond: 10_000 }));
        const { token } = await operator('POST', `/v1/tenants/${id}/tokens`, { role: 'owner', label: 'chaos' });
        return { id, slug, keyMode, token: token as string };
      }),
    ),
  );
  for (const { token } of tenants) await until(() => call(weir.url, token, 'tiktok'), ({ status }) => status === 200);
  return { tenants, secrets };
}

/** What was made a moment ago may not be known to every service yet. */
const patient = (ask: () => Promise<unknown>) => until(() => ask().then(() => true, () => false), (done) => done);

export interface Answered {
  readonly status: number;
  /** As the answer said; 0 where there was none. */
  readonly credits: number;
}

/** One call; status 0: nobody answered. */
export async function call(url: string, token: string, user: string, headers: Record<string, string> = {}): Promise<Answered> {
  try {
    const answer = await fetch(`${url}/tiklive/userinfo-by-username/?username=${user}`, { headers: { authorization: `Bearer ${token}`, ...headers }, signal: AbortSignal.timeout(10_000) });
    await answer.arrayBuffer();
    return { status: answer.status, credits: answer.ok ? Number(answer.headers.get('weir-credits') ?? 0) : 0 };
  } catch {
    return { status: 0, credits: 0 };
  }
}

async function post(url: string, body: unknown): Promise<void> {
  const { ok, status } = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!ok && status !== 409) throw new Error(`${url} answered ${status}`);
}
