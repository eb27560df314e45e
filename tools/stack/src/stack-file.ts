import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '@weir/tenancy';
import type { DemoTenant } from './demo';
import type { Distributed } from './distributed';
import { writePrivate } from './distributed/secrets';
import type { Parts } from './parts';

interface Where {
  readonly url: string;
  readonly pid: number | undefined;
}

/** What stack.json says; docs, the CLI and tests read it. */
export interface StackFile {
  readonly url: string;
  readonly managementUrl: string;
  readonly simulatorUrl: string;
  readonly operatorToken: string;
  readonly tenants: readonly DemoTenant[];
  /** The launcher's: SIGTERM stops all of it, SIGHUP starts the services that are down. */
  readonly pid: number;
  readonly services: Readonly<Partial<Record<ServiceName, readonly { url: string; managementUrl: string; pid: number | undefined }[]>>>;
  /** `url` is Weir's database, as the superuser; `adminUrl` the server. */
  readonly postgres?: Where & { adminUrl: string };
  readonly kafka?: { brokers: string; pid: number | undefined };
  readonly redis?: Where;
  readonly kms?: Where & { keyId: string };
}

export const stackFile = (dataDir: string): string => join(dataDir, 'stack.json');

export const writeStackFile = (dataDir: string, content: Partial<StackFile>): void => writePrivate(stackFile(dataDir), `${JSON.stringify(content, undefined, 2)}\n`);

/** What an earlier run on the same directory left. */
export const readStackFile = (dataDir: string): Partial<StackFile> =>
  existsSync(stackFile(dataDir)) ? (JSON.parse(readFileSync(stackFile(dataDir), 'utf8')) as Partial<StackFile>) : {};

export function describeParts({ postgres, kafka, redis, kms }: Partial<Parts>, databaseUrl?: string): Partial<StackFile> {
  return {
    ...(postgres === undefined ? {} : { postgres: { url: databaseUrl ?? postgres.adminUrl, adminUrl: postgres.adminUrl, pid: postgres.pid } }),
    ...(kafka === undefined ? {} : { kafka: { brokers: kafka.brokers, pid: kafka.pid } }),
    ...(redis === undefined ? {} : { redis: { url: redis.url, pid: redis.pid } }),
    ...(kms === undefined ? {} : { kms: { url: kms.url, keyId: kms.keyId, pid: kms.pid } }),
  };
}

export const describeServices = ({ services }: Distributed): StackFile['services'] =>
  Object.fromEntries([...services].map(([name, replicas]) => [name, replicas.map(({ url, managementUrl, pid }) => ({ url, managementUrl, pid }))]));
