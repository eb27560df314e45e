import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startParts } from '@weir/stack';
import type { Gate, Ground, Side } from '../bench';
import { closedLoop, constantRate } from './load';
import { hasLuaRedis, startLuaRedisGateway, type Nginx } from './nginx';
import { postRequest } from './requests';
import { startWeir } from './weir';

export interface ExtrasSurroundings {
  readonly ground: Ground;
  readonly upstream: Nginx;
  readonly tokens: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly tenants: number;
  /** The first number that no call has had. */
  readonly nextCalls: (count: number) => number;
}

export interface Extras {
  readonly sides: readonly Side[];
  readonly gates: readonly Gate[];
  close(): Promise<void>;
}

const CONNECTIONS = 64;
const HELD_RATE = 1_000;
const IN_FLIGHT = 4_000;
const SLOWER_S = 0.75;
const HOLD = 'hold p50 ms';

const HIT = 'weir, a cache hit of 10 KB';
const ON_KAFKA = `weir, holds and settlements on Kafka, ${HELD_RATE}/s`;
const MANY = `weir, ${IN_FLIGHT} in flight, upstream 750 ms`;

/** What is reported beside the gates: the rest of what a call may cost. */
export function extras({ ground, upstream, tokens, environment, tenants, nextCalls }: ExtrasSurroundings): Extras {
  const closing: (() => Promise<void>)[] = [];
  /** What a side needs is started when it has its turn, and not for a run that leaves it out. */
  const weir = (name: string, more: Readonly<Record<string, string>>, kafka?: () => Promise<string>) =>
    once(async () => {
      const directory = join(ground.directory, name);
      mkdirSync(directory);
      const kafkaBrokers = await kafka?.();
      const onKafka: Record<string, string> = kafkaBrokers === undefined ? {} : { WEIR_BUS: 'kafka', WEIR_KAFKA_BROKERS: kafkaBrokers };
      const started = await startWeir({ directory, tenants, kafkaBrokers, environment: { ...environment, ...more, ...onKafka } });
      closing.push(() => started.stop());
      ground.server(name, started.pid);
      return started;
    });
  const part = <P extends 'kafka' | 'redis'>(name: P) =>
    once(async () => {
      const servers = await startParts({ only: [name], dataDir: join(ground.directory, name), environment: process.env, progress: ground.progress });
      closing.unshift(() => servers.stop());
      const { pid } = servers[name];
      if (pid !== undefined) ground.server(name, pid);
      return servers;
    });
  const kafka = part('kafka');
  const redis = part('redis');
  const caching = weir('weir-caching', { WEIR_CACHE: 'on' });
  const held = weir('weir-kafka', {}, async () => (await kafka()).kafka.brokers);
  const many = weir('weir-many', { WEIR_UPSTREAM_CONNECTIONS: String(IN_FLIGHT * 2) });
  const onRedis = once(async () => {
    const gateway = await startLuaRedisGateway(ground.directory, upstream.port, tokens, Number(new URL((await redis()).redis.url).port));
    closing.push(() => gateway.stop());
    ground.server('nginx-redis', gateway.pid);
    return gateway;
  });
  if (!hasLuaRedis()) ground.progress('nginx with Redis at each request is left out: apt-get install lua-nginx-redis');

  const sides: Side[] = [
    ...(!hasLuaRedis()
      ? []
      : [
          {
            name: 'nginx + Lua, one call of Redis a request',
            before: async () => void (await onRedis()),
            run: async (seconds: number) => closedLoop({ port: (await onRedis()).port, request: postRequest('', 'quick', tokens) }, CONNECTIONS, seconds, nextCalls(1_000_000)),
          },
        ]),
    {
      name: HIT,
      before: async () => void (await caching()),
      // the same one for everybody; the first call of the warm-up brings it
      run: async (seconds) => {
        const { port, tokens: callers } = await caching();
        return closedLoop({ port, request: (n) => postRequest('/tiklive', 'large', callers)(n, 1) }, CONNECTIONS, seconds, 0);
      },
    },
    {
      name: ON_KAFKA,
      before: async () => void (await held()),
      run: async (seconds) => {
        const { port, tokens: callers, figures } = await held();
        await figures();
        const sample = await constantRate({ port, request: postRequest('/tiklive', 'quick', callers) }, HELD_RATE, seconds, nextCalls(HELD_RATE * seconds + 1));
        const { holdP50, holdP99 } = await figures();
        return { ...sample, figures: { ...sample.figures, [HOLD]: holdP50, 'hold p99 ms': holdP99 } };
      },
    },
    {
      name: MANY,
      before: async () => void (await many()),
      run: async (seconds) => {
        const { port, tokens: callers, figures } = await many();
        const before = await figures();
        const rate = IN_FLIGHT / SLOWER_S;
        const sample = await constantRate({ port, request: postRequest('/tiklive', 'slower', callers) }, rate, seconds, nextCalls(Math.ceil(rate * seconds) + 1));
        const { rss } = await figures();
        return { ...sample, figures: { ...sample.figures, 'RSS MiB': rss, 'KiB a call in flight': ((rss - before.rss) * 1_024) / (sample.figures?.['in flight'] ?? NaN) } };
      },
    },
  ];
  return {
    sides,
    gates: [{ title: `${HOLD}, one broker, ${HELD_RATE} calls/s`, atMost: 5, value: (resultOf) => resultOf(ON_KAFKA)?.figures[HOLD] }],
    async close() {
      for (const stop of closing.reverse()) await stop();
    },
  };
}

function once<T>(start: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined;
  return () => (started ??= start());
}
