import { mintToken } from '@weir/access';
import { newId, sleep, type TenantId } from '@weir/kernel';
import { startDistributed, startParts, type Distributed } from '@weir/stack';
import { schemaOf } from '@weir/tenancy';
import { Client } from 'pg';
import { invariant, type Invariant, type Scenario } from '../scenario';
import { Load, type Called } from './load';
import { operatorOf, until, type Operator } from './operator';

const PER_SECOND = 500;
/** More than the load asks for: this is about keys, and no limit is to speak. */
const UNLIMITED = { perMinute: 1e6, burst: 1e5, concurrency: 0 };
const FREE = { amount: '0', currency: 'EUR' };

/** The whole of Weir, a process a service, and tenants on trial that come to keys of their own under load. */
export const trialToOwnKey: Scenario = {
  name: 'trial-to-own-key',
  title: `R11 trials come to keys of their own under ${PER_SECOND} calls a second: by the first active key, by the plan; so many seconds each`,
  times: 20,
  async run({ times, directory, progress }) {
    const environment = { ...process.env, WEIR_SIMULATOR_LATENCY_P50_MS: '20', WEIR_DEMO: 'off' };
    const parts = await startParts({ dataDir: directory, environment, durable: false, progress });
    const operatorToken = mintToken({ mode: 'live' }).token;
    const weir = await startDistributed({ parts, dataDir: directory, environment, operatorToken, progress });
    const database = new Client({ connectionString: weir.databaseUrl });
    await database.connect();
    try {
      const ground = await prepare(weir, operatorToken);
      const byKey = await switchUnderLoad(ground, weir, database, times, 'by the first active key', 'hybrid', ({ tenant, keyId, secret }) =>
        ground.operator('POST', `/v1/tenants/${tenant}/upstream-keys/${keyId}/versions`, { key: secret }),
      );
      progress('by the first active key: done');
      const byPlan = await switchUnderLoad(ground, weir, database, times, "by the plan's change", 'shared', ({ tenant }) =>
        ground.operator('PUT', `/v1/tenants/${tenant}/plan`, { plan: 'chaos-own' }),
      );
      return { invariants: [...byKey.invariants, ...byPlan.invariants], figures: { ...byKey.figures, ...byPlan.figures } };
    } finally {
      await database.end();
      await weir.stop();
      await parts.stop();
    }
  },
};

interface Ground {
  readonly operator: Operator;
  readonly setCeiling: (keyId: string) => Promise<unknown>;
  readonly simulatorUrl: string;
}

interface Trial {
  readonly tenant: TenantId;
  readonly token: string;
  readonly keyId: string;
  readonly secret: string;
}

async function prepare(weir: Distributed, token: string): Promise<Ground> {
  const operator = operatorOf(weir.url, token);
  const limiter = operatorOf(weir.service('rate-limiter').url, token);
  // it hears of a key a moment after the vault has it
  const setCeiling = (keyId: string) => until(() => limiter('PUT', `/v1/upstream-keys/${keyId}/ceiling`, UNLIMITED).then(() => true, () => false), (set) => set);
  const ground = { operator, setCeiling, simulatorUrl: weir.simulator.url };
  await known(ground, 'chaos-platform');
  const platform = await operator('POST', '/v1/upstream-keys', { key: 'chaos-platform', label: 'chaos' });
  await setCeiling(platform.id as string);
  for (const [id, keyModes, trialDays] of [['chaos-trial', ['shared', 'byo', 'hybrid'], 14], ['chaos-own', ['byo'], null]] as const) {
    const bucket = { capacity: 1e5, refillPerSecond: 1e4 };
    await operator('POST', '/v1/plans', {
      id,
      terms: {
        dailyCredits: null, monthlyCredits: null, bucket, endpointBuckets: {}, weight: 1, concurrency: 10_000, maxWaitMs: 0, hitPrice: 0, coalescedPrice: 0,
        sharedCache: false, keyModes, fallback: false, trialDays, includedCalls: 0, seats: null, placement: 'schema',
        billing: { model: 'free', perCredit: FREE, perSeat: FREE, perMonth: FREE },
      },
    });
    await operator('POST', `/v1/plans/${id}/publish`, {});
  }
  return ground;
}

const known = ({ simulatorUrl }: Ground, key: string): Promise<unknown> =>
  operatorOf(simulatorUrl, '')('POST', '/_simulator/keys', { key, credits: null, perMinute: null });

/** A tenant on trial with a key of its own that does not work yet: its first secret is nobody's, and refused. */
async function onTrial(ground: Ground, keyMode: string): Promise<Trial> {
  const { operator } = ground;
  const secret = newId('key').replace('key_', 'chaos-own-');
  const made = await operator('POST', '/v1/tenants', { slug: `chaos-${keyMode}`, plan: 'chaos-trial', keyMode }, { prefer: 'wait=30' });
  const tenant = made.tenantId as TenantId;
  const { token } = await operator('POST', `/v1/tenants/${tenant}/tokens`, { role: 'owner' });
  const key = await operator('POST', `/v1/tenants/${tenant}/upstream-keys`, { key: 'of-nobody-upstream' });
  await ground.setCeiling(key.id as string);
  await known(ground, secret);
  return { tenant, token, keyId: key.id, secret };
}

async function switchUnderLoad(
  ground: Ground,
  weir: Distributed,
  database: Client,
  seconds: number,
  how: string,
  keyMode: string,
  happens: (trial: Trial) => Promise<unknown>,
): Promise<{ invariants: Invariant[]; figures: Record<string, number> }> {
  const trial = await onTrial(ground, keyMode);
  // under the plan its key works before, and is not used
  if (keyMode === 'shared') await ground.operator('POST', `/v1/tenants/${trial.tenant}/upstream-keys/${trial.keyId}/versions`, { key: trial.secret });
  const { url } = weir.service('upstream-fetcher');
  await until(
    () => fetch(`${url}/tiklive/userid/?username=first_${keyMode}`, { headers: { authorization: `Bearer ${trial.token}` } }).then(({ status }) => status),
    (status) => status === 200,
  );
  const load = new Load(url, trial.token, PER_SECOND, (n) => `/tiklive/userid/?username=${keyMode}_${n}`);
  await sleep((seconds * 1_000) / 3);
  await happens(trial);
  await sleep((seconds * 2_000) / 3);
  const rate = load.rate;
  const calls = await load.end();
  const settled = await settlementsOf(database, trial.tenant, calls.length + 1);
  return {
    invariants: judge(how, calls, settled, await upstreamSays(ground, trial)),
    figures: {
      [`${how}: calls`]: calls.length,
      [`${how}: calls a second`]: Math.round(rate),
      [`${how}: on the platform's key`]: calls.filter(({ key }) => key === 'platform').length,
      [`${how}: on the own key`]: calls.filter(({ key }) => key === 'own').length,
    },
  };
}

interface Settled {
  /** `own/hybrid`: whose key its records name, and in which mode; one where all is well. */
  readonly modes: ReadonlyMap<string, readonly string[]>;
  /** Of the own key, test calls included. */
  readonly ownCredits: number;
}

async function settlementsOf(database: Client, tenant: TenantId, calls: number): Promise<Settled> {
  const events = `"${schemaOf(tenant)}".usage_events`;
  // metering is a moment behind
  await until(
    async () => Number((await database.query<{ n: string }>(`select count(distinct request_id) as n from ${events} where kind = 'settled' and purpose = 'call'`)).rows[0]?.n),
    (found) => found >= calls,
  ).catch(() => undefined);
  const { rows } = await database.query<{ request_id: string; modes: string[] }>(
    `select request_id, array_agg(distinct key_owner || '/' || key_mode) as modes from ${events} where purpose = 'call' and kind in ('held', 'settled', 'released', 'unsettled') group by request_id`,
  );
  const credits = await database.query<{ sum: string }>(`select coalesce(sum(upstream_credits), 0) as sum from ${events} where kind = 'settled' and key_owner = 'own'`);
  return { modes: new Map(rows.map(({ request_id, modes }) => [request_id, modes])), ownCredits: Number(credits.rows[0]?.sum) };
}

async function upstreamSays({ simulatorUrl }: Ground, { secret }: Trial): Promise<number> {
  const { data } = await operatorOf(simulatorUrl, '')('GET', `/_simulator/ledger/totals?key=${secret}`);
  return (data as { credits: number }[]).reduce((sum, { credits }) => sum + credits, 0);
}

function judge(how: string, calls: readonly Called[], { modes, ownCredits }: Settled, upstreamCredits: number): Invariant[] {
  const failed = calls.filter(({ status }) => status !== 200);
  const said = ({ requestId }: Called) => modes.get(requestId) ?? [];
  const mixed = calls.filter((call) => call.status === 200 && (said(call).length !== 1 || said(call)[0]?.split('/')[0] !== call.key));
  const firstOwn = Math.min(...calls.filter(({ key }) => key === 'own').map(({ endedAt }) => endedAt));
  const backAgain = calls.filter(({ key, begunAt }) => key === 'platform' && begunAt > firstOwn);
  const sample = (found: readonly Called[]) => ({ calls: found.length, first: found.slice(0, 3).map(({ status, key, requestId, body }) => ({ status, key, requestId, body: body.slice(0, 200) })) });
  return [
    invariant(`R11 ${how}: no call fails`, failed.length === 0, sample(failed)),
    invariant(`R11 ${how}: the calls begin on the platform's key and end on the own one`, calls[0]?.key === 'platform' && calls.at(-1)?.key === 'own', [calls[0]?.key, calls.at(-1)?.key]),
    invariant(`R11 ${how}: each call is billed under one mode, the one that its answer says`, mixed.length === 0, sample(mixed)),
    invariant(`R11 ${how}: once a call was made with the own key, none goes back to the platform's`, backAgain.length === 0, sample(backAgain)),
    invariant(`R11 ${how}: the upstream's ledger of the own key is what was settled for it`, upstreamCredits === ownCredits, { upstreamCredits, ownCredits }),
  ];
}
