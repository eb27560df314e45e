import { mintToken } from '@weir/access';
import type { OutgoingRecord } from '@weir/bus';
import { apiTokenState, keyCeilingState, planState, quotaState, tenantState, upstreamKeyState, type Contract, type PlanTerms } from '@weir/contracts';
import { UPSTREAM_KEY_PURPOSE, createEnvelope, localKeyEncryption, sealedKeyMembers, upstreamKeyContext } from '@weir/envelope';
import { PLATFORM, newId, utcDay, utcMonth } from '@weir/kernel';
import type { z } from 'zod';

const free = { amount: '0', currency: 'EUR' };
/** Room for any load: what is measured is deciding, not refusing. */
const TERMS: PlanTerms = {
  dailyCredits: 1_000_000_000,
  monthlyCredits: 10_000_000_000,
  bucket: { capacity: 1_000_000, refillPerSecond: 1_000_000 },
  endpointBuckets: {},
  weight: 1,
  concurrency: 50_000,
  maxWaitMs: 0,
  hitPrice: 0,
  coalescedPrice: 0,
  sharedCache: true,
  keyModes: ['shared'],
  fallback: false,
  trialDays: null,
  includedCalls: 0,
  seats: null,
  placement: 'schema',
  billing: { model: 'usage', perCredit: free, perSeat: free, perMonth: free },
};

export interface World {
  readonly records: readonly OutgoingRecord[];
  readonly tokens: readonly string[];
}

/** Tenants with a token each, on one key of the platform's, as the other services would tell of them. */
export async function world(tenants: number, keyFile: string): Promise<World> {
  const records: OutgoingRecord[] = [];
  const tokens: string[] = [];
  const say = <S extends z.ZodType>(contract: Contract<string, S>, key: string, body: z.input<S>) =>
    void records.push({ topic: contract.topic, key, value: Buffer.from(JSON.stringify(contract.schema.parse(body))), headers: { 'weir-version': '1' } });
  const now = Date.now();
  const plan = newId('plan');
  say(planState, `${plan}@1`, { id: plan, version: 1, archived: false, terms: TERMS });

  for (let n = 0; n < tenants; n++) {
    const id = newId('ten');
    const defaultProject = newId('prj');
    say(tenantState, id, {
      id,
      slug: `bench-${n}`,
      status: 'active',
      keyMode: 'shared',
      plan: { id: plan, version: 1 },
      trialEndsAt: null,
      defaultProject,
      placement: 'schema',
      version: 1,
      registeredAt: now,
    });
    const { id: tokenId, secretHash, token } = mintToken({ mode: 'live' });
    say(apiTokenState, tokenId, { id: tokenId, tenantId: id, projectId: defaultProject, mode: 'live', role: 'member', secretHash, expiresAt: null });
    say(quotaState, id, { tenantId: id, day: utcDay(now), dayCredits: 0, month: utcMonth(now), monthCredits: 0 });
    tokens.push(token);
  }

  const keyId = newId('key');
  const envelope = createEnvelope({ keyEncryption: localKeyEncryption({ keyFile }), dataKeys: { maxEntries: 10, maxAgeMs: 60_000, maxUses: 1_000 } });
  const dataKey = await envelope.createDataKey(PLATFORM, UPSTREAM_KEY_PURPOSE, 1);
  const sealed = await envelope.seal({ ...upstreamKeyContext({ owner: PLATFORM, keyId, version: 1 }), plaintext: 'a-key-of-the-platform-0123456789abcdef', dataKey });
  envelope.close();
  say(upstreamKeyState, keyId, {
    id: keyId,
    owner: PLATFORM,
    status: 'usable',
    active: 1,
    weight: 1,
    scopes: ['download'],
    versions: [{ version: 1, state: 'active', drainUntil: null, ...sealedKeyMembers(sealed, dataKey) }],
  });
  const rate = { perMinute: 60_000_000, burst: 1_000_000 };
  say(keyCeilingState, keyId, { keyId, owner: PLATFORM, ...rate, concurrency: 0, configured: rate, loweredAt: null, pausedUntil: null });
  return { records, tokens };
}
