import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mintToken } from '@weir/access';
import { startDistributed, startParts, type Distributed, type Parts } from '@weir/stack';
import { LOGIN_PASSWORD, freshPrefix, servers } from '@weir/testing';
import { SERVICES, ensureDatabase, withoutLogin } from '@weir/tenancy';
import { Client } from 'pg';
import type { Running } from './journey';
import { logsIn, tablesOf, topicsOf, type Trace } from './traces';

/** What was in flight when a fetcher was killed is on record before a test gives up waiting. */
export const UNSETTLED_SOON = { WEIR_UNSETTLED_AFTER_MS: '5000', WEIR_UNSETTLED_EVERY_MS: '500' };

/** A process per service over the test run's Kafka, Redis, Postgres and KMS endpoint, in a database and behind a prefix of its own. */
export class DistributedShape {
  private readonly dataDir = mkdtempSync(join(tmpdir(), 'weir-journey-'));
  private readonly database = `weir_journey_${randomBytes(5).toString('hex')}`;
  /** Of the cluster `eu`, where some tenants live. */
  private clusterUrl: string | undefined;
  /** Before every topic and group. */
  readonly prefix = freshPrefix();
  private parts: Parts | undefined;
  private running: Distributed | undefined;

  /**
   * @param replicas of each service
   * @param cluster whether there is another database, `eu`
   * @param settings of every service, beside its own
   */
  constructor(
    private readonly replicas = 1,
    private readonly cluster = false,
    private readonly settings: Readonly<Record<string, string>> = {},
  ) {}

  get distributed(): Distributed {
    if (this.running === undefined) throw new Error('the distributed shape has not been started');
    return this.running;
  }

  async start(): Promise<Running> {
    const { postgresUrl, kafkaBrokers, redisUrl, kmsUrl, kmsKeyId } = servers();
    const { prefix } = this;
    const operatorToken = mintToken({ mode: 'live' }).token;
    this.parts = await startParts({
      dataDir: join(this.dataDir, 'parts'),
      environment: { WEIR_POSTGRES_ADMIN_URL: postgresUrl, WEIR_KAFKA_BROKERS: kafkaBrokers, WEIR_REDIS_URL: redisUrl, AWS_ENDPOINT_URL: kmsUrl, WEIR_KMS_KEY_ID: kmsKeyId },
    });
    if (this.cluster) this.clusterUrl = await ensureDatabase(postgresUrl, `${this.database}_eu`);
    const clusters = this.clusterUrl === undefined ? {} : { WEIR_CLUSTERS: JSON.stringify({ eu: withoutLogin(this.clusterUrl) }) };
    this.running = await startDistributed({
      parts: this.parts,
      dataDir: this.dataDir,
      environment: { PATH: process.env['PATH'], WEIR_REDIS_PREFIX: prefix, WEIR_SIMULATOR_LATENCY_P50_MS: '0', ...UNSETTLED_SOON, ...clusters, ...this.settings },
      operatorToken,
      replicas: Object.fromEntries(SERVICES.map((service) => [service, this.replicas])),
      database: this.database,
      topicPrefix: prefix,
      loginPassword: LOGIN_PASSWORD,
    });
    return { url: this.running.url, simulatorUrl: this.running.simulator.url, operatorToken };
  }

  /** What a process says of itself, by metric and topic: `weir_bus_consumed_records_total` → {`weir.usage`: 12}. */
  async counted(service: Parameters<Distributed['service']>[0], metric: string): Promise<Map<string, number>> {
    const text = await (await fetch(`${this.distributed.service(service).managementUrl}/metrics`)).text();
    const lines = [...text.matchAll(new RegExp(`^${metric}\\{topic="([^"]+)"\\} (\\d+)`, 'gm'))];
    return new Map(lines.map(([, topic = '', count]) => [topic, Number(count)]));
  }

  /** All that the processes have written down: logs, metrics, tables, topics. */
  async everyTrace(): Promise<Trace[]> {
    const metrics = [...this.distributed.services.values()].flat().map(async ({ name, managementUrl }) => ({ where: `metrics ${name}`, text: await (await fetch(`${managementUrl}/metrics`)).text() }));
    const databases = [this.distributed.databaseUrl, ...(this.clusterUrl === undefined ? [] : [this.clusterUrl])];
    const tables = await Promise.all(databases.map(tablesOf));
    const [topics, ...rest] = await Promise.all([topicsOf(servers().kafkaBrokers, this.prefix), ...metrics]);
    return [...logsIn(join(this.dataDir, 'logs')), ...tables.flat(), ...topics, ...rest];
  }

  async remove(): Promise<void> {
    await this.running?.stop();
    await this.parts?.stop();
    const client = new Client({ connectionString: servers().postgresUrl });
    await client.connect();
    for (const name of [this.database, `${this.database}_eu`]) await client.query(`drop database if exists ${name} with (force)`);
    await client.end();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
