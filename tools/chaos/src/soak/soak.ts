import { sleep } from '@weir/kernel';
import { Pool } from 'undici';
import { TenantLoad } from '../redis-away/tenant-load';
import { invariant, type Outcome, type Scenario } from '../scenario';
import { startWhole, type Whole } from '../whole';
import { memoryOf, type Memory } from './heap';

const SECRET = 'chaos-soak-platform';
const TENANTS = 10;
/** Of all tenants together. */
const PER_SECOND = 200;
const PARTS = 10;
/** Until what is bounded has filled up: caches of names, of keys, of what was stored. */
const FILLING = 0.5;
/** MiB a minute that the rest may grow by: at this rate some 90 bytes a call. */
const MOST_A_MINUTE = 1;
/** MiB by which two collections may differ with nothing kept: what is under way. */
const NOISE = 3;

/** A fetcher under a steady load of people whom nobody asked for before, and what it holds on to. */
export const soak: Scenario = {
  name: 'soak',
  title: `the heap of a fetcher under ${PER_SECOND} calls a second, over Kafka, Redis and Postgres, after a full collection each tenth of so many seconds`,
  times: 1,
  seconds: 600,
  async run({ seconds, directory, progress }) {
    const whole = await startWhole({ directory, environment: { WEIR_SIMULATOR_LATENCY_P50_MS: '50', WEIR_HOLD_TIMEOUT_MS: '20000' }, replicas: {}, progress });
    try {
      return await soaked(whole, seconds, progress);
    } finally {
      await whole.stop();
    }
  },
};

/** Half are new to everybody, a quarter is asked for again, the rest are profiles, whose answers become rows. */
const pathOf = (slug: string) => (n: number) => {
  const name = `${slug.replaceAll('-', '_')}_${n % 4 === 1 ? n % 100 : n}`;
  return n % 4 === 3 ? `/tiklive/userinfo-by-username/?username=${name}` : `/tiklive/userid/?username=${name}`;
};

async function soaked(whole: Whole, seconds: number, progress: (line: string) => void): Promise<Outcome> {
  await whole.key(SECRET, { perMinute: 1e6, burst: 1e5 });
  await whole.plan('chaos-soak', {});
  const tenants = await Promise.all(Array.from({ length: TENANTS }, (_, n) => whole.tenant(`soak-${n + 1}`, 'chaos-soak')));
  const { url, pid } = whole.weir.service('upstream-fetcher');
  if (pid === undefined) throw new Error('the fetcher has ended');
  const pool = new Pool(url, { connections: 256, headersTimeout: 60_000, bodyTimeout: 60_000 });
  const loads = tenants.map((tenant) => new TenantLoad([pool], tenant, PER_SECOND / TENANTS, pathOf(tenant.slug)));
  const found: Memory[] = [];
  const partMs = (seconds * 1_000) / PARTS;
  const begun = performance.now();
  for (let part = 1; part <= PARTS; part++) {
    await sleep(Math.max(0, begun + part * partMs - performance.now()));
    const memory = await memoryOf(pid);
    found.push(memory);
    progress(`${String(Math.round((part * partMs) / 1_000)).padStart(5)} s  ${loads.reduce((sum, { tally }) => sum + tally.admitted, 0)} calls  heap ${memory.heap.toFixed(1)} MiB, buffers ${memory.external.toFixed(1)}, in all ${memory.rss.toFixed(0)}`);
  }
  await Promise.all(loads.map((load) => load.end()));
  await pool.destroy();
  const tallies = loads.map(({ tally }) => tally);
  const broken = tallies.flatMap((tally) => tally.broken);
  const refused = tallies.reduce((sum, tally) => sum + [...tally.refused.values()].reduce((a, b) => a + b, 0), 0);
  const filled = found.slice(PARTS * FILLING - 1);
  const minutes = ((filled.length - 1) * partMs) / 60_000;
  const growth = (of: (memory: Memory) => number) => slope(filled.map(of)) * (filled.length - 1);
  const [heap, external] = [growth(({ heap }) => heap), growth(({ external }) => external)];
  const most = Math.max(NOISE, minutes * MOST_A_MINUTE);
  return {
    invariants: [
      invariant('every call is answered', broken.length === 0 && refused === 0, { refused, broken: broken.slice(0, 5) }),
      invariant(`once what is bounded is full, the heap grows by ${most.toFixed(1)} MiB at most in ${minutes.toFixed(1)} minutes`, heap <= most, found.map((memory) => Number(memory.heap.toFixed(1)))),
      invariant('and so do its buffers', external <= most, found.map((memory) => Number(memory.external.toFixed(1)))),
    ],
    figures: {
      calls: tallies.reduce((sum, { admitted }) => sum + admitted, 0),
      ...Object.fromEntries(found.map(({ heap: used }, part) => [`heap after ${Math.round(((part + 1) * partMs) / 1_000)} s, MiB`, Number(used.toFixed(1))])),
      'heap grown in the second half, MiB': Number(heap.toFixed(2)),
      'buffers grown in the second half, MiB': Number(external.toFixed(2)),
      'all memory at the end, MiB': Math.round(found.at(-1)?.rss ?? 0),
    },
  };
}

/** Of the line that is nearest to what was found at equal distances (least squares). */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const above = values.reduce((sum, value, i) => sum + (i - middle) * (value - mean), 0);
  const below = values.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  return below === 0 ? 0 : above / below;
}
