import { mintToken } from '@weir/access';
import * as auditLedger from '@weir/audit-ledger';
import * as keyVault from '@weir/key-vault';
import * as metering from '@weir/metering';
import * as rateLimiter from '@weir/rate-limiter';
import { commonSettings, parseSettings, type Setting, type Settings } from '@weir/service-host';
import * as registry from '@weir/tenant-registry';
import * as fetcher from '@weir/upstream-fetcher';
import { imageEnvironment } from './image-environment';
import { hasScript } from './repository';

/** A process as a deployment runs it: which script, told what beyond what the image sets. */
export interface DeployedProcess {
  readonly name: string;
  readonly script: string;
  readonly environment: Readonly<Record<string, string>>;
}

const services = [registry, keyVault, rateLimiter, fetcher, metering, auditLedger].map(({ definition }) => definition);

const SETTINGS: ReadonlyMap<string, Settings<unknown>> = new Map<string, Settings<unknown>>([
  ...services.map(({ name, settings }) => [`dist/services/${name}/src/main.js`, { ...commonSettings, ...settings }] as const),
  ['dist/services/tenant-registry/src/migrate.js', registry.migrateSettings],
]);

// optional, or with a default that suits one machine: a deployment has to say them wherever they are known
const TO_BE_SAID = ['WEIR_KAFKA_BROKERS', 'WEIR_KMS_KEY_ID', 'WEIR_OPERATOR_TOKEN', 'WEIR_REDIS_URL', 'WEIR_UPSTREAM_URL', 'WEIR_WEBHOOK_KEY'];

const variablesOf = (settings: Settings<unknown>): string[] => (Object.values(settings) as Setting<unknown>[]).map(({ variable }) => variable);

/** Variables that every service knows; what the image sets has to be among them. */
export const commonVariables = variablesOf(commonSettings);

/** What a check puts where a deployment has a secret. */
export const GIVEN = 'given';
/** Of secrets that have a form of their own. */
const FORMED: Readonly<Record<string, string>> = { WEIR_OPERATOR_TOKEN: mintToken({ mode: 'live' }).token, WEIR_WEBHOOK_KEY: '0'.repeat(64) };

/** What the process itself would refuse at its start, and what it would not even look at. */
export function settingsProblems({ name, script, environment }: DeployedProcess): string[] {
  if (!hasScript(script)) return [`${name}: there is no ${script}`];
  const given = Object.keys(environment).filter((variable) => variable.startsWith('WEIR_'));
  const settings = SETTINGS.get(script);
  if (settings === undefined) return given.map((variable) => `${name}: ${script} reads no ${variable}`);

  const known = variablesOf(settings);
  const stray = given.filter((variable) => !known.includes(variable)).map((variable) => `${name}: no config.ts of it knows ${variable}`);
  const unsaid = TO_BE_SAID.filter((variable) => known.includes(variable) && (environment[variable] ?? '') === '').map(
    (variable) => `${name}: ${variable} is not set`,
  );
  try {
    const secrets = Object.fromEntries(Object.entries(FORMED).filter(([variable]) => environment[variable] === GIVEN));
    parseSettings(settings, { ...imageEnvironment(), ...environment, ...secrets });
    return [...stray, ...unsaid];
  } catch (error) {
    return [...stray, ...unsaid, `${name}: ${(error as Error).message}`];
  }
}
