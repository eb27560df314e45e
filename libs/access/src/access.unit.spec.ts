import type { Bus, BusRecord, FollowSpec } from '@weir/bus';
import { apiTokenState, tenantState } from '@weir/contracts';
import { newId, type ProjectId, type TenantId } from '@weir/kernel';
import { Access, StateReader, mintToken, type MintedToken } from './index';

const NOW = Date.UTC(2026, 10, 24, 12);
const TENANT = newId('ten', NOW);
const PROJECT = newId('prj', NOW) as ProjectId;

/** What a reader is told by the bus, without one: the tables are what this suite is about. */
function access(options: { operatorToken?: string; staleAfterMs?: number } = {}) {
  let now = NOW;
  let confirmedAt = NOW;
  let apply: FollowSpec['apply'] = () => {};
  const bus = {
    follow: async (spec: FollowSpec) => {
      apply = spec.apply;
      return { caughtUp: async () => {}, ageMs: () => now - confirmedAt, stop: async () => {} };
    },
  } as unknown as Bus;
  const states = new StateReader({ bus, clock: () => now, onError: () => {}, staleAfterMs: options.staleAfterMs ?? 1_000 });
  const subject = new Access(states, () => now, options.operatorToken);
  const tell = (topic: string, key: string, version: number, body: unknown) =>
    apply({ topic, key, partition: 0, offset: '0', timestamp: now, headers: { 'weir-version': String(version) }, value: body === null ? null : Buffer.from(JSON.stringify(body)) } as BusRecord);
  return {
    access: subject,
    start: () => states.start(),
    token: (minted: MintedToken, change: object = {}, version = 1) =>
      tell(apiTokenState.topic, minted.id, version, { id: minted.id, tenantId: TENANT, projectId: PROJECT, mode: minted.mode, role: 'member', secretHash: minted.secretHash, expiresAt: null, ...change }),
    gone: (minted: MintedToken, version: number) => tell(apiTokenState.topic, minted.id, version, null),
    tenant: (status: string, version: number) =>
      tell(tenantState.topic, TENANT, version, { id: TENANT, slug: 'a', status, keyMode: 'shared', plan: { id: 'free', version: 1 }, trialEndsAt: null, defaultProject: PROJECT, placement: 'schema', version, registeredAt: NOW }),
    pass: (ms: number, confirmed = true) => {
      now += ms;
      if (confirmed) confirmedAt = now;
    },
  };
}

const old = (mode: 'live' | 'test' = 'live') => mintToken({ mode, nowMs: NOW - 60_000 });

describe('who calls', () => {
  it('is the token of a tenant, with its role and project', async () => {
    const world = access();
    await world.start();
    const minted = old();
    world.token(minted);
    expect(world.access.authenticate(`Bearer ${minted.token}`)).toMatchObject({ is: 'token', tenantId: TENANT, projectId: PROJECT, role: 'member', mode: 'live' });
    expect(world.access.authenticate(minted.token)).toMatchObject({ is: 'token' });
  });

  it('is nobody without a token, with an unknown one, one of another mode, or one that has expired', async () => {
    const world = access();
    await world.start();
    const [minted, expired] = [old(), old()];
    world.token(minted, { mode: 'test' });
    world.token(expired, { expiresAt: NOW });
    for (const text of [undefined, '', 'Bearer x', `Bearer ${old().token}`, minted.token, expired.token]) {
      expect(() => world.access.authenticate(text)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
    }
  });

  it('is asked to come again when the token is so new that its record may be on its way', async () => {
    const world = access();
    await world.start();
    const fresh = mintToken({ mode: 'live', nowMs: NOW - 9_000 });
    expect(() => world.access.authenticate(fresh.token)).toThrow(expect.objectContaining({ code: 'stale-state', retryAfter: 1 }));
    world.token(fresh);
    world.gone(fresh, 2);
    expect(() => world.access.authenticate(fresh.token)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
  });

  it('G6 is refused once the token is revoked, and E14 an older record that comes again re-opens nothing', async () => {
    const world = access();
    await world.start();
    const minted = old();
    world.token(minted, {}, 1);
    world.gone(minted, 2);
    world.token(minted, {}, 1);
    expect(() => world.access.authenticate(minted.token)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
    world.tenant('suspended', 3);
    world.tenant('active', 2);
    expect(world.access.tenants.get(TENANT)?.status).toBe('suspended');
  });

  it('E14 gets 503 stale-state past the bound of age, and is served again once the reader has caught up', async () => {
    const world = access({ staleAfterMs: 1_000 });
    await world.start();
    const minted = old();
    world.token(minted);
    world.pass(1_001, false);
    expect(() => world.access.authenticate(minted.token)).toThrow(expect.objectContaining({ code: 'stale-state', status: 503 }));
    world.pass(1);
    expect(world.access.authenticate(minted.token)).toMatchObject({ is: 'token' });
  });

  it('is refused when the newest word on it cannot be read: it may have been a suspension', async () => {
    const world = access();
    await world.start();
    world.tenant('active', 1);
    world.tenant('a status of a later release', 2);
    expect(world.access.tenants.get(TENANT)).toBeUndefined();
    world.tenant('active', 1);
    expect(world.access.tenants.get(TENANT)).toBeUndefined();
    world.tenant('active', 3);
    expect(world.access.tenants.get(TENANT)?.status).toBe('active');
  });

  it('is the operator by the configured token alone, stale tables or not', async () => {
    const operator = mintToken({ mode: 'live' });
    const world = access({ operatorToken: operator.token, staleAfterMs: 1 });
    await world.start();
    world.pass(10_000, false);
    expect(world.access.authenticate(`Bearer ${operator.token}`)).toMatchObject({ is: 'operator' });
    const other = mintToken({ mode: 'live', id: operator.id });
    expect(() => world.access.authenticate(other.token)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
  });
});

describe('what a role may do', () => {
  const principal = (role: 'owner' | 'admin' | 'member' | 'auditor') =>
    ({ is: 'token', actor: { type: 'token', id: 'tok_x' }, tenantId: TENANT, tokenId: 'tok_x', projectId: PROJECT, role, mode: 'live' }) as const;
  const { access: subject } = access();

  it.each([
    ['owner', ['admin', 'member', 'auditor', 'anyone']],
    ['admin', ['admin', 'member', 'auditor', 'anyone']],
    ['member', ['member', 'anyone']],
    ['auditor', ['auditor', 'anyone']],
  ] as const)('G2 %s: %j and nothing else', (role, allowed) => {
    for (const need of ['operator', 'admin', 'member', 'auditor', 'anyone'] as const) {
      const attempt = () => subject.authorize(principal(role), need, TENANT);
      if ((allowed as readonly string[]).includes(need)) expect(attempt).not.toThrow();
      else expect(attempt).toThrow(expect.objectContaining({ code: 'forbidden' }));
    }
  });

  it("G1 ends at the tenant's own id: another's is not found, for every role", () => {
    for (const role of ['owner', 'admin', 'member', 'auditor'] as const) {
      expect(() => subject.authorize(principal(role), 'anyone', newId('ten') as TenantId)).toThrow(expect.objectContaining({ code: 'not-found' }));
    }
  });
});
