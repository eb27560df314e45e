import 'reflect-metadata';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Module, type DynamicModule, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory, Reflector } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { SwaggerModule } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import { newId } from '@weir/kernel';
import type { Logger } from 'pino';
import { BusServer } from './bus-server';
import { AccessGuard } from './guard';
import { IdempotencyInterceptor } from './idempotency';
import { assertListenable, listenTrouble } from './listening';
import { startManagement } from './management';
import { openApiDocument } from './openapi';
import { refuseNoText } from './plain-text';
import { ProblemFilter } from './problem';
import type { Process, ServiceRuntime } from './runtime';
import type { ServiceParts } from './service';
import { stopEach } from './stops';

const BODY_LIMIT = 1_048_576;
const REQUEST_TIMEOUT_MS = 30_000;

export interface HostOptions {
  readonly title: string;
  readonly version: string;
  readonly host: string;
  readonly port: number;
  readonly managementPort: number;
  readonly process: Process;
  readonly services: readonly { runtime: ServiceRuntime; parts: ServiceParts }[];
  /** Serve the browsable reference at /docs. */
  readonly docs?: boolean;
}

export interface Host {
  readonly url: string;
  readonly managementUrl: string;
  /** Records that wait for the consumers of this process. */
  backlog(): Promise<number>;
  stop(): Promise<void>;
}

@Module({})
class RootModule {
  static of(modules: readonly (Type | DynamicModule)[]): DynamicModule {
    return { module: RootModule, imports: [...modules] };
  }
}

/**
 * One Nest application on one port with the services' modules, the consumers on the bus, and the management port. It takes over the
 * services and the bus that it is given: where it cannot start, they are stopped.
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    return await start(options, stops);
  } catch (error) {
    for (const stop of stops) await stop().catch(() => undefined);
    await stopServices(options).catch(() => undefined);
    throw error;
  }
}

async function start(options: HostOptions, stops: (() => Promise<unknown>)[]): Promise<Host> {
  const { host, process, services } = options;
  const { health, states, bus, log } = process;
  await assertListenable(host, options.port, 'WEIR_PORT');
  const management = await startManagement({ host, port: options.managementPort, health, metrics: process.metrics }).catch(refused(options, 'WEIR_MANAGEMENT_PORT'));
  stops.unshift(management.close);

  const app = await createApp(options);
  stops.unshift(() => app.close());
  const consumers = new BusServer(bus);
  health.add('consumers', () => consumers.check(), { worst: 'degraded' });
  app.connectMicroservice({ strategy: consumers });
  const document = openApiDocument(app, options.title, options.version);
  for (const { parts } of services) Object.assign(document.paths, parts.paths);
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  fastify.get('/v1/openapi.json', (_, reply) => reply.send(document));
  if (options.docs === true) {
    SwaggerModule.setup('docs', app, document, { customSiteTitle: options.title });
    // where whoever opens the address in a browser wants to be
    fastify.get('/', (_, reply) => reply.redirect('/docs'));
  }

  await app.init();
  await states.start();
  await states.caughtUp();
  for (const { parts } of services) await parts.start?.();
  const direct = services.flatMap(({ parts }) => parts.direct ?? []);
  if (direct.length > 0) answerDirectly(fastify.server, direct);
  await app.startAllMicroservices();
  await app.listen(options.port, host).catch(refused(options, 'WEIR_PORT'));
  health.notReady = undefined;

  return {
    url: (await app.getUrl()).replace('[::1]', '127.0.0.1'),
    managementUrl: management.url,
    backlog: () => consumers.backlog(),
    stop: async () => {
      health.notReady = 'stopping';
      await closing(fastify.server, () => app.close());
      await stopServices(options);
      await management.close();
      log.flush();
    },
  };
}

async function stopServices({ process, services }: HostOptions): Promise<void> {
  await stopEach([...services.map(({ runtime }) => runtime.stopAll), () => process.states.stop(), () => process.bus.close()]);
}

/**
 * The hot routes, which have no use for Fastify's hooks, router and reply: together they cost as much as the checks of a call. A server that is
 * closing leaves all of its requests to Fastify, which tells each client that its connection ends.
 */
function answerDirectly(server: FastifyInstance['server'], direct: readonly NonNullable<ServiceParts['direct']>[]): void {
  const others = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    if (server.listening) for (const answers of direct) if (answers(request, response)) return;
    for (const other of others) other.call(server, request, response);
  });
}

const IDLE_SWEEP_MS = 50;

/**
 * Node ends the connections that are idle when a server closes; one whose answer comes after that would stay for the whole
 * keep-alive time and hold the process up.
 */
async function closing(server: FastifyInstance['server'], close: () => Promise<void>): Promise<void> {
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
  await close().finally(() => clearInterval(sweep));
}

async function createApp({ process, services }: HostOptions): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: () => newId('req'),
    forceCloseConnections: 'idle',
    // what comes on a connection that is open already is answered, and told that the connection ends: none is dropped
    return503OnClosing: false,
    routerOptions: { maxParamLength: 300 },
  } as ConstructorParameters<typeof FastifyAdapter>[0]);
  const fastify = adapter.getInstance() as unknown as FastifyInstance;
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('weir-request-id', request.id);
    done();
  });
  refuseNoText(fastify, process.log);
  for (const { parts } of services) parts.routes?.(fastify);

  const app = await NestFactory.create<NestFastifyApplication>(RootModule.of(services.map(({ parts }) => parts.module)), adapter, {
    logger: nestLogger(process.log),
    abortOnError: false,
  });
  const reflector = app.get(Reflector);
  app.useGlobalGuards(new AccessGuard(process.access, reflector));
  app.useGlobalFilters(new ProblemFilter(process.log));
  const first = services[0];
  if (first !== undefined) app.useGlobalInterceptors(new IdempotencyInterceptor(first.runtime.work, reflector));
  return app;
}

const refused =
  ({ host, port, managementPort }: HostOptions, variable: 'WEIR_PORT' | 'WEIR_MANAGEMENT_PORT') =>
  (error: NodeJS.ErrnoException): never => {
    throw listenTrouble(error, host, variable === 'WEIR_PORT' ? port : managementPort, variable);
  };

const nestLogger = (log: Logger) => ({
  log: (message: unknown) => log.debug(message),
  debug: (message: unknown) => log.debug(message),
  verbose: (message: unknown) => log.trace(message),
  warn: (message: unknown) => log.warn(message),
  error: (message: unknown, ...rest: unknown[]) => log.error({ rest }, String(message)),
  fatal: (message: unknown, ...rest: unknown[]) => log.fatal({ rest }, String(message)),
});

export type { INestApplication };
