import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { mintToken } from '@weir/access';
import type { CommandContext } from '@weir/kernel';
import { client, eventually, freshDatabase, startTestService, type Client, type TestDatabase } from '@weir/testing';
import { Client as Postgres } from 'pg';
import { z } from 'zod';
import { Needs } from './guard';
import type { Host } from './host';
import { parse } from './parse';
import { Command } from './request';
import type { ServiceDefinition } from './service';

const body = z.strictObject({ name: z.string(), tags: z.array(z.string()).default([]) });
const query = z.strictObject({ name: z.string().optional() });
/** What holds the slow ones up, and how many there have been. */
const slow = { calls: 0, goOn: (): void => undefined };

@Controller('v1/echo')
class EchoController {
  @Post()
  @Needs('operator', 'What it was sent')
  post(@Body(parse(body)) sent: z.infer<typeof body>, @Command() { commandId, reason }: CommandContext) {
    return { sent, commandId, reason };
  }

  @Post('slow')
  @Needs('operator', 'How many times it was called')
  async slow() {
    const calls = ++slow.calls;
    await new Promise<void>((resolve) => (slow.goOn = resolve));
    return { calls };
  }

  @Get(':name')
  @Needs('operator', 'What it was sent')
  get(@Param('name') name: string, @Query(parse(query)) asked: z.infer<typeof query>) {
    return { name, asked };
  }
}

class EchoModule {}

const definition: ServiceDefinition<object> = {
  name: 'audit-ledger',
  title: 'echo',
  settings: {},
  create: () => ({ module: { module: EchoModule, controllers: [EchoController] } }),
};

let database: TestDatabase;
let host: Host;
let operator: Client;
let admin: Postgres;

beforeAll(async () => {
  database = await freshDatabase();
  const { token } = mintToken({ mode: 'live' });
  host = await startTestService(definition, { database, environment: { WEIR_OPERATOR_TOKEN: token } });
  operator = client(host.url, token);
  admin = new Postgres({ connectionString: database.adminUrl });
  await admin.connect();
}, 60_000);
afterAll(async () => {
  await admin?.end();
  await host?.stop();
  await database?.drop();
});

const post = (name: string, headers: Record<string, string> = {}) => operator('POST', '/v1/echo', { name }, headers);

describe('text that no table can hold', () => {
  it.each([
    ['a NUL in a body', () => operator('POST', '/v1/echo', { name: 'a\u0000b' })],
    ['a NUL deep in a body', () => operator('POST', '/v1/echo', { name: 'a', tags: ['ok', '\u0000'] })],
    ['half a surrogate pair in a body', () => operator('POST', '/v1/echo', { name: 'a\ud800' })],
    ['a NUL in a query', () => operator('GET', '/v1/echo/x?name=%00')],
    ['a NUL in a path', () => operator('GET', '/v1/echo/a%00b')],
  ])('%s is refused as the caller\'s mistake', async (_, ask) => {
    expect(await ask()).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
  });

  it('and nothing else is', async () => {
    expect((await operator('GET', '/v1/echo/%F0%9F%98%80?name=%C3%BC')).body).toEqual({ name: '😀', asked: { name: 'ü' } });
    expect((await post('😀 ü\n')).body).toMatchObject({ sent: { name: '😀 ü\n' } });
  });
});

describe('the reason that is given for a command', () => {
  it('is on record as it was sent, in UTF-8 as curl sends it and in Latin-1 as browsers do', async () => {
    const asLatin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
    expect((await post('x', { 'weir-reason': asLatin1('Kündigung – bezahlt') })).body.reason).toBe('Kündigung – bezahlt');
    expect((await post('x', { 'weir-reason': 'Kündigung' })).body.reason).toBe('Kündigung');
  });
});

describe('Idempotency-Key', () => {
  it('is kept for a day and then forgotten: the table does not grow for ever, and the key stands for a new request', async () => {
    const first = await post('one', { 'idempotency-key': 'a' });
    expect((await post('one', { 'idempotency-key': 'a' })).body).toEqual(first.body);
    expect((await post('two', { 'idempotency-key': 'a' })).status).toBe(422);
    await admin.query("update weir.idempotency_keys set created_at = now() - interval '25 hours'");
    const next = await post('two', { 'idempotency-key': 'a' });
    expect([next.status, next.body.sent.name]).toEqual([201, 'two']);
    // under the old command id the event log would answer with what the old request did
    expect(next.body.commandId).not.toBe(first.body.commandId);

    await admin.query("insert into weir.idempotency_keys (scope, key, request_hash, command_id, at, lease_until, created_at) select 'x', n::text, '', '', 0, now(), now() - interval '2 days' from generate_series(1, 40) n");
    for (let n = 0; n < 4; n++) await post('more', { 'idempotency-key': `b${n}` });
    const { rows } = await admin.query("select count(*)::int as n from weir.idempotency_keys where scope = 'x'");
    expect(rows).toEqual([{ n: 0 }]);
  });

  it('G7 holds the key of a request for as long as it is worked on: a retry does not begin it again, and gets its answer', async () => {
    const send = () => operator('POST', '/v1/echo/slow', undefined, { 'idempotency-key': 'slow' });
    const lease = async () => (await admin.query<{ until: Date }>("select lease_until as until from weir.idempotency_keys where key = 'slow'")).rows[0]?.until.getTime() ?? 0;
    const first = send();
    const begun = await eventually(async () => {
      expect(await lease()).toBeGreaterThan(0);
      return lease();
    });
    await eventually(async () => expect(await lease()).toBeGreaterThan(begun));
    const retry = send();
    slow.goOn();
    const answers = await Promise.all([first, retry]);
    expect(answers.map(({ status, body: { calls } }) => [status, calls])).toEqual([[201, 1], [201, 1]]);
    expect(slow.calls).toBe(1);
  });
});
