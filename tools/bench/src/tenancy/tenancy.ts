import type { Bench, Ground, Side } from '../bench';
import { addRoles, openPopulation, type Population } from './population';
import { creating, migrating, migratingNothing, plainTransaction, setRole, visiting, workUnit } from './sides';

const FEW = 1_000;
const MANY = 5_000;
const ROLES = 10_000;

const PLAIN = 'begin, two selects, commit';
const CREATE_FEW = `create a tenant, ${FEW} there`;
const CREATE_MANY = `create a tenant, ${MANY} there`;
const NOTHING = `migrate nothing, ${FEW} schemas`;

interface Peopled {
  readonly population: Population;
  readonly roles: readonly string[];
  readonly pooled: Population['tenants'];
}

/** A schema a tenant: whether the five thousandth costs what the thousandth did. */
export const tenancy: Bench = {
  name: 'tenancy',
  title: 'schemas by the thousand: making, entering, migrating them; SET ROLE among 10,000 roles (ten minutes of setting up, less for fewer --sides)',
  async open(ground) {
    const opened: Population[] = [];
    const populated = async (name: string, size: number) => {
      const population = await openPopulation(ground, name, size);
      opened.push(population);
      return population;
    };
    const [few, many, peopled] = [once(() => populated('few', FEW)), once(() => populated('many', MANY)), once(async () => peopledOf(await populated('roles', 0)))];
    const releases = once(async () => ({ newest: (await few()).bundle, count: 0 }));

    const sides: readonly Planned[] = [
      [PLAIN, async (name) => plainTransaction(name, await many())],
      ['unit of work, one tenant', async (name) => workUnit(name, await many(), (await many()).tenants.slice(0, 1), PLAIN)],
      [`unit of work, ${MANY} tenants`, async (name) => workUnit(name, await many(), (await many()).tenants, PLAIN)],
      [`SET ROLE, ${ROLES} roles`, async (name) => setRole(name, (await peopled()).population, (await peopled()).roles)],
      [CREATE_FEW, async (name) => creating(name, await few())],
      [CREATE_MANY, async (name) => creating(name, await many(), CREATE_FEW)],
      [`one session in ${MANY} tenants`, async (name) => visiting(name, await many(), (await many()).tenants)],
      [`one session in ${MANY} tenants, pooled`, async (name) => visiting(name, (await peopled()).population, (await peopled()).pooled)],
      // last of what needs the release as it is: after it the schemas are ahead of it
      [NOTHING, async (name) => migratingNothing(name, await few())],
      [`a column over ${FEW} schemas, 2 workers`, async (name) => migrating(name, await few(), await releases(), 2)],
      [`a column over ${FEW} schemas, 4 workers`, async (name) => migrating(name, await few(), await releases(), 4)],
    ];
    return {
      sides: await wanted(ground, sides),
      gates: [
        {
          title: `creating at ${MANY} schemas against ${FEW}: × the time (p50)`,
          value: (resultOf) => timeRatio(resultOf(CREATE_MANY)?.figures['p50 ms'], resultOf(CREATE_FEW)?.figures['p50 ms']),
          atMost: 1.5,
        },
        { title: `${NOTHING}: ms`, value: (resultOf) => resultOf(NOTHING)?.figures['p50 ms'], atMost: 1_000 },
      ],
      close: async () => {
        for (const population of opened) await population.close();
      },
    };
  },
};

type Planned = readonly [name: string, make: (name: string) => Promise<Side>];

/** Those that are measured in this run: thousands of schemas that nobody looks at are not made. */
async function wanted(ground: Ground, planned: readonly Planned[]): Promise<Side[]> {
  const sides: Side[] = [];
  for (const [name, make] of planned) if (ground.wants(name)) sides.push(await make(name));
  return sides;
}

async function peopledOf(population: Population): Promise<Peopled> {
  return { population, roles: await addRoles(population.admin, ROLES), pooled: await population.addPooled(MANY) };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

const timeRatio = (one: number | undefined, other: number | undefined): number | undefined => (one === undefined || other === undefined ? undefined : one / other);
