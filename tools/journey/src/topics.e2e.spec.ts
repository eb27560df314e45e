import { kafkaBus, type Bus, type BusRecord } from '@weir/bus';
import { TOPICS, USAGE_TOPIC } from '@weir/contracts';
import { newId, newUuid, sleep } from '@weir/kernel';
import { SERVICES } from '@weir/tenancy';
import { servers } from '@weir/testing';
import { Kafka, logLevel } from 'kafkajs';
import { DistributedShape } from './distributed-shape';
import { ask, eventually } from './http';
import { Journey } from './journey';
import { everyRow } from './tables';

const STATE_TOPICS = TOPICS.map(({ name }) => name).filter((name) => name.endsWith('.state'));

describe('the bus as an operator has it in hand', () => {
  const shape = new DistributedShape();
  let journey: Journey;
  let bus: Bus;
  let prefix: string;

  beforeAll(async () => {
    journey = new Journey(await shape.start());
    prefix = shape.prefix;
    bus = kafkaBus({ brokers: servers().kafkaBrokers.split(','), clientId: 'spec', prefix });
    await journey.fillSimulator();
    await journey.registerPlatformKey();
    await journey.createTenant('shared', 'pro');
    await journey.createTenant('hybrid', 'pro');
    await journey.registerOwnKey('hybrid');
    for (const mode of ['shared', 'hybrid'] as const) {
      for (let n = 0; n < 3; n++) expect((await journey.call(journey.of(mode), `user.${n}`)).status).toBe(200);
    }
  }, 120_000);
  afterAll(async () => {
    await bus.close();
    await shape.remove();
  }, 60_000);

  const parked = async () => (await journey.operator('GET', '/v1/parked?state=parked')).body.data;
  const chargedTo = async (id: string) => (await journey.operator('GET', '/v1/usage?groupBy=tenant&mode=live')).body.data.find((row: { tenantId: string }) => row.tenantId === id).chargedCredits;

  it('E8 parks a message that cannot be read with all that follows it under its key, lets other keys flow, and an operator’s decision stands on the record', async () => {
    const { id } = journey.of('shared');
    // what was called before is on the account
    await drained();
    const before = await chargedTo(id);
    const [sick, well] = [newId('req'), newId('req')];
    const served = (requestId: string, credits: number) => ({ ...usageOf(id, requestId), chargedCredits: credits });
    const record = (requestId: string, value: string | Buffer) => ({ topic: USAGE_TOPIC, key: `${id}/${requestId}`, value: Buffer.from(value), headers: { 'content-type': 'application/json', trace: 'spec' } });
    await bus.publish([
      record(sick, '{"kind": "served", '),
      record(sick, JSON.stringify(served(sick, 3))),
      record(well, JSON.stringify(served(well, 2))),
    ]);
    await eventually(async () => expect(await chargedTo(id)).toBe(before + 2), 10_000);
    const [poison, follower] = await eventually(async () => {
      const found = await parked();
      expect(found).toHaveLength(2);
      return found;
    }, 10_000);
    expect(poison).toMatchObject({ group: 'weir.metering.usage', topic: USAGE_TOPIC, key: `${id}/${sick}`, state: 'parked', decidedBy: null });

    const shown = await journey.operator('GET', `/v1/parked/${poison.id}`);
    expect(shown.body).toMatchObject({ headers: { trace: 'spec' }, payload: { bytes: 19, truncated: false, encoding: 'utf-8', content: '{"kind": "served", ' } });
    const metrics = await (await fetch(`${shape.distributed.service('tenant-registry').managementUrl}/metrics`)).text();
    expect(metrics).toContain('weir_parked_messages{group="weir.metering.usage"} 2');

    // released as it is, it fails as before, and the key is parked again, whole
    await journey.operator('POST', `/v1/parked/${follower.id}/release`);
    await eventually(async () => expect((await parked()).map((one: { id: string }) => one.id)).toEqual([poison.id, follower.id]), 10_000);
    expect(await chargedTo(id)).toBe(before + 2);
    const dropped = await journey.operator('POST', `/v1/parked/${poison.id}/drop`, { headers: { 'weir-reason': 'cut off by a test' } });
    expect(dropped.body).toMatchObject({ state: 'dropped', decisionReason: 'cut off by a test', decidedBy: expect.stringMatching(/^operator:/) });
    expect((await journey.operator('POST', `/v1/parked/${poison.id}/release`)).status).toBe(409);
    await journey.operator('POST', `/v1/parked/${follower.id}/release`, { headers: { 'weir-reason': 'the one before it is gone' } });
    await eventually(async () => expect(await chargedTo(id)).toBe(before + 5), 10_000);
    await eventually(async () => expect((await journey.operator('GET', `/v1/parked/${follower.id}`)).body).toMatchObject({ state: 'done', decisionReason: 'the one before it is gone' }));
  }, 60_000);

  it('E8 parks a version that it does not know and a message of a size that it cannot read, and refuses one that no broker takes', async () => {
    const { id } = journey.of('shared');
    const record = (value: string) => ({ topic: USAGE_TOPIC, key: `${id}/${newId('req')}`, value: Buffer.from(value), headers: { 'content-type': 'application/json' } });
    await bus.publish([record(JSON.stringify({ ...usageOf(id, newId('req')), kind: 'from-the-future' })), record('x'.repeat(900_000))]);
    const both = await eventually(async () => {
      const found: { id: string }[] = await parked();
      expect(found).toHaveLength(2);
      return found;
    }, 10_000);
    const payloads = await Promise.all(both.map(async (one) => (await journey.operator('GET', `/v1/parked/${one.id}`)).body.payload));
    const cut = payloads.find(({ bytes }) => bytes === 900_000);
    expect(cut).toMatchObject({ truncated: true, encoding: 'utf-8' });
    expect(cut.content).toHaveLength(65_536);
    await expect(bus.publish([record('x'.repeat(5_000_000))])).rejects.toMatchObject({ code: 'bad-record' });
    for (const { id: message } of await parked()) await journey.operator('POST', `/v1/parked/${message}/drop`, { headers: { 'weir-reason': 'spec' } });
  }, 60_000);

  it('E10 neither loses what follows an event of a type that nobody handles, nor ends', async () => {
    const { id } = journey.of('shared');
    const seat = async () => (await journey.operator('GET', `/v1/tenants/${id}/members`)).status;
    await bus.publish([
      { topic: 'weir.tenant.events', key: `${id}/tenant/${id}`, value: Buffer.from('{"n": 9007199254740993}'), headers: { ce_id: newId('req'), ce_type: 'tenant.from-the-future', ce_weirtenant: id, ce_weirposition: '1' } },
      { topic: 'weir.tenant.events', key: `${id}/tenant/${id}`, value: Buffer.from('no event at all'), headers: {} },
    ]);
    await sleep(300);
    expect(await seat()).toBe(200);
    for (const service of SERVICES) expect((await fetch(`${shape.distributed.service(service).managementUrl}/readyz`)).status).toBe(200);
    for (const message of await parked()) await journey.operator('POST', `/v1/parked/${message.id}/drop`, { headers: { 'weir-reason': 'spec' } });
  });

  it('E13 lets a service that is told to stop amid its work finish, commit and leave its groups at once; what it had not taken is there when it is back', async () => {
    const { id } = journey.of('shared');
    await drained();
    const before = await chargedTo(id);
    const records = Array.from({ length: 300 }, () => {
      const requestId = newId('req');
      return { topic: USAGE_TOPIC, key: `${id}/${requestId}`, value: Buffer.from(JSON.stringify({ ...usageOf(id, requestId), chargedCredits: 1 })), headers: { 'content-type': 'application/json' } };
    });
    const publishing = records.map((record) => bus.publish([record]));
    const metering = shape.distributed.service('metering');
    await Promise.all([...publishing, metering.stop()]);
    const admin = client().admin();
    await admin.connect();
    // one that did not say goodbye would be waited for, for as long as a session lasts
    const { groups } = await admin.describeGroups([`${prefix}weir.metering.usage`]);
    await admin.disconnect();
    expect(groups.map(({ state, members }) => ({ state, members: members.length }))).toEqual([{ state: 'Empty', members: 0 }]);
    await metering.start();
    await drained();
    expect(await chargedTo(id)).toBe(before + 300);
  }, 60_000);

  describe('all topics of which are wiped', () => {
    let tables: Map<string, string[]>;
    let states: Map<string, string>;
    const shut: { revoked: string; suspended: string } = { revoked: '', suspended: '' };
    const seen = new Set<string>();
    let watching = true;
    let watch: Promise<void>;

    const statusOf = async (token: string) => (await ask(journey.running.url, 'GET', '/tiklive/userid/?username=tiktok', { token })).status;
    const reEmit = () => journey.operator('POST', '/v1/topics/re-emit', { body: {} });
    async function asBefore(): Promise<void> {
      expect([...seen].filter((one) => one.endsWith(' 200'))).toEqual([]);
      expect([await statusOf(shut.revoked), await statusOf(shut.suspended)]).toEqual([401, 403]);
      const afresh = kafkaBus({ brokers: servers().kafkaBrokers.split(','), clientId: 'spec/afresh', prefix });
      expect(await everyState(afresh)).toEqual(states);
      await afresh.close();
      const now = await everyRow(shape.distributed.databaseUrl);
      for (const [name, rows] of tables) expect({ name, rows: now.get(name) }).toEqual({ name, rows });
    }

    beforeAll(async () => {
      const { id } = journey.of('shared');
      const extra = await journey.operator('POST', `/v1/tenants/${id}/tokens`, { body: { role: 'member', label: 'to be revoked' } });
      const other = journey.of('hybrid');
      Object.assign(shut, { revoked: extra.body.token, suspended: other.token });
      await eventually(async () => expect(await statusOf(shut.revoked)).toBe(200));
      expect((await journey.operator('DELETE', `/v1/tenants/${id}/tokens/${extra.body.id}`)).status).toBeLessThan(300);
      expect((await journey.operator('POST', `/v1/tenants/${other.id}/suspend`)).status).toBeLessThan(300);
      await eventually(async () => expect([await statusOf(shut.revoked), await statusOf(shut.suspended)]).toEqual([401, 403]), 10_000);

      await drained();
      tables = await everyRow(shape.distributed.databaseUrl);
      states = await everyState(bus);
      expect(states.size).toBeGreaterThan(5);
      await Promise.all(SERVICES.map((service) => shape.distributed.service(service).stop()));
      await wipe();
      await shape.distributed.startAgain();
      watch = (async () => {
        while (watching) {
          // nobody answers while the fetcher is down
          const [out, held] = [await statusOf(shut.revoked).catch(() => 0), await statusOf(shut.suspended).catch(() => 0)];
          seen.add(`revoked ${out}`).add(`suspended ${held}`);
          await sleep(5);
        }
      })();
    }, 90_000);
    afterAll(async () => {
      watching = false;
      await watch;
    });

    it('E7 E14 is filled again from the logs: every state and every table is as before, and nobody who was shut out gets in, not for a moment', async () => {
      const { id } = journey.of('shared');
      const told = await reEmit();
      expect({ status: told.status, tenants: told.body.tenants }).toEqual({ status: 202, tenants: 3 });
      await drained();
      await eventually(async () => expect((await journey.as(journey.of('shared'), 'GET', `/v1/tenants/${id}`)).status).toBe(200), 10_000);
      await asBefore();
    }, 60_000);

    it('E14 is filled once more over readers that know everything, and one that begins in the middle of it: nothing changes', async () => {
      await reEmit();
      await shape.distributed.service('upstream-fetcher').kill();
      await shape.distributed.service('upstream-fetcher').start();
      await drained();
      await asBefore();
    }, 60_000);
  });

  it('fills one topic alone when that is asked for, and none of those that no log has', async () => {
    const count = async (topic: string) => (await offsets()).get(topic) ?? 0;
    const [tokens, tenants] = [await count('weir.api-token.state'), await count('weir.tenant.state')];
    await journey.operator('POST', '/v1/topics/re-emit', { body: { topics: ['weir.api-token.state'] } });
    await drained();
    expect(await count('weir.api-token.state')).toBeGreaterThan(tokens);
    expect(await count('weir.tenant.state')).toBe(tenants);
    const refused = await journey.operator('POST', '/v1/topics/re-emit', { body: { topics: [USAGE_TOPIC] } });
    expect(refused.status).toBe(400);
  }, 30_000);

  /** Logs are published and every consumer has read what there is. */
  async function drained(): Promise<void> {
    await eventually(async () => expect((await journey.operator('GET', '/v1/topics')).body.lag).toMatchObject({ tenants: 0, events: 0 }), 20_000);
    const kafka = client();
    const admin = kafka.admin();
    await admin.connect();
    await eventually(async () => {
      const ends = await offsets();
      const { groups } = await admin.listGroups();
      for (const { groupId } of groups.filter((group) => group.groupId.startsWith(prefix))) {
        const read = new Map<string, number>();
        for (const { topic, partitions } of await admin.fetchOffsets({ groupId })) {
          read.set(topic.slice(prefix.length), partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0));
        }
        for (const [topic, offset] of read) expect({ groupId, topic, offset }).toEqual({ groupId, topic, offset: ends.get(topic) });
      }
    }, 20_000);
    await admin.disconnect();
  }

  async function offsets(): Promise<Map<string, number>> {
    const admin = client().admin();
    await admin.connect();
    const ends = await Promise.all(TOPICS.map(async ({ name }) => [name, (await admin.fetchTopicOffsets(prefix + name)).reduce((sum, { high }) => sum + Number(high), 0)] as const));
    await admin.disconnect();
    return new Map(ends);
  }

  async function wipe(): Promise<void> {
    const admin = client().admin();
    await admin.connect();
    await admin.deleteTopics({ topics: TOPICS.map(({ name }) => prefix + name) });
    await eventually(async () => expect((await admin.listTopics()).filter((topic) => topic.startsWith(prefix))).toEqual([]), 10_000);
    await admin.disconnect();
    const fresh = kafkaBus({ brokers: servers().kafkaBrokers.split(','), clientId: 'spec/migrate', prefix });
    expect((await fresh.ensureTopics(TOPICS)).created).toHaveLength(TOPICS.length);
    await fresh.close();
  }
});

const client = () => new Kafka({ brokers: servers().kafkaBrokers.split(','), clientId: 'spec/admin', logLevel: logLevel.NOTHING });

/** What a reader that begins now knows: version and value, or that the thing is gone, by topic and key. */
async function everyState(bus: Bus): Promise<Map<string, string>> {
  const states = new Map<string, { version: number; value: string }>();
  const following = await bus.follow({
    topics: STATE_TOPICS,
    apply: ({ topic, key, value, headers }: BusRecord) => {
      const version = Number(headers['weir-version']);
      const known = states.get(`${topic} ${key}`);
      if (known === undefined || known.version < version) states.set(`${topic} ${key}`, { version, value: String(value) });
    },
  });
  await following.caughtUp();
  await following.stop();
  return new Map([...states].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, { version, value }]) => [key, `${version} ${value}`]));
}

const usageOf = (tenantId: string, requestId: string) => ({
  kind: 'served',
  eventId: newUuid(),
  tenantId,
  projectId: null,
  tokenId: null,
  requestId,
  endpoint: 'userinfo-by-username',
  priceVersion: 'spec',
  at: Date.now(),
  mode: 'live',
  keyOwner: 'platform',
  keyMode: 'shared',
  cache: 'hit',
  upstreamCredits: 0,
  chargedCredits: 0,
});
