import { mintToken } from '@weir/access';
import { kafkaBus, type Bus } from '@weir/bus';
import { USAGE_TOPIC, type UsageOf } from '@weir/contracts';
import { newId, newUuid, sleep, type KeyId, type TenantId } from '@weir/kernel';
import { startDistributed, startParts, type Distributed } from '@weir/stack';
import { call, makeTenants, type Caller } from '../conservation/tenants';
import { invariant, type Scenario } from '../scenario';
import { operatorOf, until, type Operator } from '../trial-to-own-key/operator';

const FETCHERS = 2;
/** More than a fetcher can spend while it is asked again and again, so that what closes a quota is what metering says. */
const LEFT = 2_000;
const PAUSE_MS = 5;
const WITHIN_MS = 1_000;
const GIVEN_UP_MS = 30_000;

/** Usage that a limiter has not seen, as of a fetcher whose Redis was away, uses up a quota: how long until every fetcher refuses. */
export const quota: Scenario = {
  name: 'quota',
  title: 'M10 a daily quota that is used up elsewhere closes in the limiters of two fetchers within a second; so many times',
  times: 60,
  async run({ times, directory, progress }) {
    const environment = { ...process.env, WEIR_SIMULATOR_LATENCY_P50_MS: '5', WEIR_DEMO: 'off' };
    const parts = await startParts({ dataDir: directory, environment, progress });
    const operatorToken = mintToken({ mode: 'live' }).token;
    const weir = await startDistributed({ parts, dataDir: directory, environment, operatorToken, replicas: { 'upstream-fetcher': FETCHERS }, progress });
    const bus = kafkaBus({ brokers: parts.kafka.brokers.split(','), clientId: 'chaos' });
    try {
      const operator = operatorOf(weir.url, operatorToken);
      const { tenants } = await makeTenants(weir, operatorToken, 2);
      const [elsewhere, handed]: [number[], number[]] = [[], []];
      for (let n = 0; n < times; n++) {
        const tenant = tenants[n % tenants.length] as Caller;
        elsewhere.push(await closedAfter(weir, operator, bus, tenant));
        handed.push(await lastCredit(weir, operator, tenant));
        if ((n + 1) % 10 === 0) progress(`${n + 1} of ${times}: ${elsewhere.slice(-10).join(', ')} ms`);
      }
      return {
        invariants: [
          invariant('M10 used up by usage that no limiter has seen: refused by both fetchers within a second of the record, 19 times of 20', share(elsewhere, 0.95) <= WITHIN_MS, elsewhere),
          invariant('M10 the last credit spent at one fetcher: the next call at the other is refused', handed.every((status) => status === 429), handed),
        ],
        figures: { times, 'ms until both refuse, p50': share(elsewhere, 0.5), 'ms until both refuse, p95': share(elsewhere, 0.95), 'ms until both refuse, most': Math.max(...elsewhere) },
      };
    } finally {
      await bus.close();
      await weir.stop();
      await parts.stop();
    }
  },
};

const fetchers = (weir: Distributed): string[] => Array.from({ length: FETCHERS }, (_, n) => weir.service('upstream-fetcher', n + 1).url);
let asked = 0;
/** A call that costs something: nobody has asked for that before. */
const spend = (url: string, { token }: Caller) => call(url, token, `quota.${++asked}`);

/** @returns ms from the record's acknowledgement to the first refusal of the last fetcher */
async function closedAfter(weir: Distributed, operator: Operator, bus: Bus, tenant: Caller): Promise<number> {
  await leave(weir, operator, tenant, LEFT);
  await bus.publish([recordOf(tenant.id as TenantId)]);
  const begun = performance.now();
  const closed = await Promise.all(
    fetchers(weir).map(async (url) => {
      while ((await spend(url, tenant)).status !== 429) {
        if (performance.now() - begun > GIVEN_UP_MS) throw new Error(`${url} still answers ${tenant.slug}, whose quota is used up`);
        await sleep(PAUSE_MS);
      }
      return performance.now() - begun;
    }),
  );
  return Math.round(Math.max(...closed));
}

/** @returns what the second fetcher says to a call after the first one has spent the last credit */
async function lastCredit(weir: Distributed, operator: Operator, tenant: Caller): Promise<number> {
  const [first, second] = fetchers(weir) as [string, string];
  await leave(weir, operator, tenant, 1);
  const { status } = await spend(first, tenant);
  if (status !== 200) throw new Error(`the last credit of ${tenant.slug} could not be spent: ${status}`);
  return (await spend(second, tenant)).status;
}

/** So many credits of its day, and every fetcher knows it. */
async function leave(weir: Distributed, operator: Operator, tenant: Caller, credits: number): Promise<void> {
  const used = await usedOf(operator, tenant);
  const limit = used + credits;
  await operator('PUT', `/v1/tenants/${tenant.id}/limits/daily-quota`, { limit });
  for (const url of fetchers(weir)) await until(() => policy(url, tenant), (said) => said.includes(`"daily-quota";q=${limit};`));
}

/** Once what was called before is counted. */
async function usedOf(operator: Operator, tenant: Caller): Promise<number> {
  const read = async () => (await operator('GET', `/v1/tenants/${tenant.id}/quota`)).day.usedCredits as number;
  for (let before = await read(); ; ) {
    await sleep(250);
    const now = await read();
    if (now === before) return now;
    before = now;
  }
}

/** A call from the cache costs nothing and says which limits it met. */
async function policy(url: string, { token }: Caller): Promise<string> {
  const answer = await fetch(`${url}/tiklive/userinfo-by-username/?username=tiktok`, { headers: { authorization: `Bearer ${token}` } });
  await answer.arrayBuffer();
  return answer.headers.get('ratelimit-policy') ?? '';
}

function recordOf(tenantId: TenantId) {
  const requestId = newId('req');
  const record: UsageOf<'settled'> = {
    kind: 'settled', eventId: newUuid(), tenantId, projectId: null, tokenId: null, requestId, endpoint: 'userinfo-by-username', priceVersion: 'chaos', at: Date.now(), mode: 'live',
    attempt: 1, purpose: 'call', keyId: 'key_chaos' as KeyId, keyVersion: 1, keyMode: 'shared', keyOwner: 'platform', cache: 'miss', upstreamStatus: 200,
    upstreamCredits: LEFT, chargedCredits: LEFT, difference: null,
  };
  return { topic: USAGE_TOPIC, key: `${tenantId}/${requestId}`, value: Buffer.from(JSON.stringify(record)), headers: { 'content-type': 'application/json' } };
}

const share = (values: readonly number[], of: number): number => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.ceil(values.length * of) - 1)] ?? NaN;
