import { SERVICES } from '@weir/tenancy';
import { isPinned } from './image';
import { read } from './repository';
import { GIVEN, settingsProblems, type DeployedProcess } from './settings';

interface ComposeService {
  readonly image?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly restart?: string;
  readonly ports?: readonly string[];
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
}

const OURS = 'weir:local';

/** What is wrong with a compose file; empty when nothing is. */
export function composeProblems({ services }: ComposeFile): string[] {
  return [
    ...SERVICES.filter((name) => services[name] === undefined).map((name) => `${name} is missing`),
    ...Object.entries(services).flatMap(([name, service]) =>
      [...portProblems(name, service), ...secretProblems(service), ...dependencyProblems(service, services), ...imageProblems(service)].map(
        (problem) => `${name}: ${problem}`,
      ),
    ),
    ...composeProcesses({ services }).flatMap(settingsProblems),
    ...undeclared({ services }),
  ];
}

const runsOnce = (service: ComposeService): boolean => service.restart === 'on-failure';
const isHealthy = ({ healthcheck }: ComposeService): boolean => healthcheck?.test !== undefined && healthcheck.disable !== true;

function imageProblems(service: ComposeService): string[] {
  const { image = '' } = service;
  return [
    ...(isPinned(image) ? [] : [`image ${image} is not pinned`]),
    ...(runsOnce(service) || isHealthy(service) ? [] : ['has no health check']),
  ];
}

const portProblems = (name: string, { ports = [] }: ComposeService): string[] =>
  ports
    .filter((port) => name !== 'edge' || !port.startsWith('127.0.0.1:'))
    .map((port) => `publishes ${port}: the edge alone has a port, and on this machine alone`);

function dependencyProblems({ depends_on = {} }: ComposeService, services: ComposeFile['services']): string[] {
  return Object.entries(depends_on).flatMap(([on, { condition }]) => {
    const other = services[on];
    if (other === undefined) return [`waits for ${on}, which is not there`];
    if (condition === 'service_healthy') return isHealthy(other) ? [] : [`waits for the health of ${on}, which has no health check`];
    return runsOnce(other) ? [] : [`waits for the end of ${on}, which goes on`];
  });
}

/** A secret is written as `${NAME:?…}`, so that compose refuses to start without it. The local AWS endpoint's are none. */
function secretProblems({ environment = {} }: ComposeService): string[] {
  return Object.entries(environment).flatMap(([variable, raw]) => {
    const value = String(raw);
    const secret = /PASSWORD|TOKEN|SECRET/.test(variable) ? value : /^\w+:\/\/[^:@/]+:(.+)@/.exec(value)?.[1];
    if (secret === undefined || secret === 'local' || /^\$\{\w+:\?[^}]*\}$/.test(secret)) return [];
    return [`${variable} holds a secret that is not required from the environment`];
  });
}

/** Our own processes, told what compose would tell them: defaults taken, required variables filled in. */
export const composeProcesses = ({ services }: ComposeFile): DeployedProcess[] =>
  Object.entries(services)
    .filter(([, { image }]) => image === OURS)
    .map(([name, { command = [], environment = {} }]) => ({
      name,
      script: command[0] ?? '',
      environment: interpolated(environment),
    }));

const VARIABLE = /\$\{(\w+)(?::([-?])([^}]*))?\}/g;

const interpolated = (environment: NonNullable<ComposeService['environment']>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).map(([variable, value]) => [
      variable,
      String(value).replace(VARIABLE, (_, __, kind: string, text: string) => (kind === '-' ? text : GIVEN)),
    ]),
  );

function undeclared(file: ComposeFile): string[] {
  const example = read('.env.example');
  const required = [...JSON.stringify(file).matchAll(VARIABLE)].filter(([, , kind]) => kind === '?').map(([, name]) => name ?? '');
  return [...new Set(required)].filter((name) => !new RegExp(`^${name}=`, 'm').test(example)).map((name) => `.env.example does not name ${name}`);
}
