import { SERVICES } from '@weir/tenancy';
import { DistributedShape } from './distributed-shape';
import { eventually } from './http';
import { Interruptions, type Interruption } from './interruptions';
import { Journey } from './journey';
import { patient } from './patient';
import { journeySteps } from './steps';
import { everyRow } from './tables';

/** In the step that needs it most: its own process is gone amid the request, and comes back while the step goes on. */
const PLAN: readonly Interruption[] = [
  { service: 'key-vault', amid: /^POST \/v1\/upstream-keys$/, afterMs: 20 },
  { service: 'tenant-registry', amid: /^POST \/v1\/tenants$/, afterMs: 60 },
  { service: 'rate-limiter', amid: /^PUT .*\/limits\/tenant-bucket$/, afterMs: 5 },
  { service: 'upstream-fetcher', amid: /^GET .*\/fetch-jobs\/job_/, afterMs: 5 },
  { service: 'metering', amid: /^GET \/v1\/usage\?groupBy=key/, afterMs: 5 },
  { service: 'audit-ledger', amid: /^GET .*\/events\?limit=/, afterMs: 0 },
];

// a step takes as long as a service that starts on a busy machine
jest.setTimeout(90_000);

describe.each([1, 2])('the main job with %i of every service, one of each killed -9 amid the steps and started again', (replicas) => {
  const shape = new DistributedShape(replicas, false, { WEIR_JOB_LEASE_MS: '2000' });
  const interruptions = new Interruptions(PLAN, () => shape.distributed);
  let journey: Journey;

  beforeAll(async () => {
    journey = new Journey(await shape.start(), patient(interruptions));
  }, 120_000);
  afterAll(() => shape.remove(), 60_000);

  journeySteps(() => journey, { firstCallWithinMs: Infinity });

  it('has killed and started again each of the six; G7, R8 each command that was repeated was done once, each tenant has one schema and one row, and both equations hold at the end', async () => {
    await interruptions.over();
    expect([...interruptions.killed.keys()].sort()).toEqual([...SERVICES].sort());
    for (const { before, after } of interruptions.killed.values()) expect([typeof before, typeof after, before === after]).toEqual(['number', 'number', false]);
    // G7: what was asked for again has been done once
    const listed = async (path: string) => (await journey.operator('GET', path)).body.data as { slug?: string }[];
    expect(await listed('/v1/upstream-keys')).toHaveLength(1);
    expect((await listed('/v1/tenants')).map(({ slug }) => slug).sort()).toEqual(['journey-byo', 'journey-hybrid', 'journey-shared']);
    const dump = await everyRow(shape.distributed.databaseUrl);
    const schemas = new Set([...dump.keys()].filter((table) => table.startsWith('t_')).map((table) => table.split('.')[0]));
    const placements = (dump.get('weir.placements') ?? []).filter((row) => !row.includes('ten_platform'));
    expect([schemas.size, placements.length]).toEqual([3, 3]);
    if (replicas === 1) expect(interruptions.felt.length).toBeGreaterThan(SERVICES.length);
    await eventually(() => journey.bothEquationsHold(), 30_000);
  });
});
