import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Gate, Result, Side } from '../bench';
import { answer, largeAnswer } from './answers';
import { extras } from './extras';
import { startHttpProxy } from './http-proxy';
import { closedLoop, constantRate, type Target } from './load';
import { assertNginx, startLuaGateway, startUpstream } from './nginx';
import { postRequest } from './requests';
import { startWeir } from './weir';

const TENANTS = 100;
const CONNECTIONS = 64;
const RATE = 2_000;
/** Than which no side is quicker. */
const MOST_A_SECOND = 200_000;

const NGINX = 'nginx + Lua, a bucket in memory';
const PROXY = '@fastify/http-proxy, token and bucket';
const WEIR = 'weir, everything on';
const NGINX_STEADY = `nginx + Lua, ${RATE}/s, upstream 50 ms`;
const WEIR_STEADY = `weir, ${RATE}/s, upstream 50 ms`;

/** One call of the data plane: what it costs beside the gateways that people would otherwise use. */
export const dataPlane: Bench = {
  name: 'data-plane',
  title: 'CPU a call of the data plane, 1.2 KB answers, no cache: nginx with Lua = 1, @fastify/http-proxy; latency at 2,000/s',
  async open(ground) {
    assertNginx();
    const { directory } = ground;
    const weirDirectory = join(directory, 'weir');
    mkdirSync(weirDirectory);
    const upstream = await startUpstream(directory, answer(), largeAnswer());
    const environment = { WEIR_UPSTREAM_URL: `http://127.0.0.1:${upstream.port}`, WEIR_CACHE: 'off' };
    const weir = await startWeir({ directory: weirDirectory, tenants: TENANTS, kafkaBrokers: undefined, environment });
    ground.server('weir', weir.pid);
    const { tokens } = weir;
    const nginx = await startLuaGateway(directory, upstream.port, tokens);
    ground.server('nginx', nginx.pid);
    const proxy = await startHttpProxy(upstream.port, tokens);
    ground.server('http-proxy', proxy.pid);

    let calls = 0;
    const nextCalls = (count: number) => (calls += Math.ceil(count)) - Math.ceil(count);
    const target = (port: number, base: string, name: 'quick' | 'slow', expected = ''): Target => ({ port, expected, request: postRequest(base, name, tokens) });
    const busy = (to: Target) => (seconds: number) => closedLoop(to, CONNECTIONS, seconds, nextCalls(MOST_A_SECOND * seconds));
    const steady = (to: Target) => (seconds: number) => constantRate(to, RATE, seconds, nextCalls(RATE * seconds + 1));
    const missed = 'weir-cache: miss';
    const sides: Side[] = [
      { name: NGINX, run: busy(target(nginx.port, '', 'quick')) },
      { name: PROXY, against: NGINX, run: busy(target(proxy.port, '', 'quick')) },
      { name: WEIR, against: NGINX, run: busy(target(weir.port, '/tiklive', 'quick', missed)) },
      { name: NGINX_STEADY, run: steady(target(nginx.port, '', 'slow')) },
      { name: WEIR_STEADY, against: NGINX_STEADY, run: steady(target(weir.port, '/tiklive', 'slow', missed)) },
    ];
    const more = extras({ ground, upstream, tokens, environment, tenants: TENANTS, nextCalls });
    return {
      sides: [...sides, ...more.sides],
      gates: [
        cpuGate(`CPU a call: nginx / weir`, [NGINX, 'nginx'], [WEIR, 'weir'], 0.3),
        cpuGate(`CPU a call: http-proxy / weir`, [PROXY, 'http-proxy'], [WEIR, 'weir'], 1.3),
        latencyGate('p50 ms', 1.05),
        latencyGate('p99 ms', 1.15),
        ...more.gates,
      ],
      async close() {
        await more.close();
        await Promise.all([weir.stop(), nginx.stop(), proxy.stop(), upstream.stop()]);
      },
    };
  },
};

type Of = readonly [side: string, server: string];

const cpuGate = (title: string, [side, server]: Of, [ours, weir]: Of, atLeast: number): Gate => ({
  title,
  atLeast,
  value: (resultOf) => over(resultOf(side)?.cpu[server], resultOf(ours)?.cpu[weir]),
});

const latencyGate = (figure: string, atMost: number): Gate => ({
  title: `${figure} at ${RATE}/s: weir / nginx`,
  atMost,
  value: (resultOf) => over(figureOf(resultOf(WEIR_STEADY), figure), figureOf(resultOf(NGINX_STEADY), figure)),
});

const figureOf = (result: Result | undefined, figure: string): number | undefined => result?.figures[figure];
const over = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined || b === undefined ? undefined : a / b);
