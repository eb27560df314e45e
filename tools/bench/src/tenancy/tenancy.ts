import type { Bench } from '../bench';
import { addRoles, openPopulation } from './population';
import { creating, migrating, migratingNothing, plainTransaction, setRole, visiting, workUnit } from './sides';

const FEW = 1_000;
const MANY = 5_000;
const ROLES = 10_000;

/** A schema a tenant: whether the five thousandth costs what the thousandth did. */
export const tenancy: Bench = {
  name: 'tenancy',
  title: 'schemas by the thousand: making, entering, migrating them; SET ROLE among 10,000 roles (some minutes of setting up)',
  async open(ground) {
    const few = await openPopulation(ground, 'few', FEW);
    const many = await openPopulation(ground, 'many', MANY);
    const peopled = await openPopulation(ground, 'roles', 0);
    const roles = await addRoles(peopled.admin, ROLES);
    const pooled = await peopled.addPooled(MANY);

    const plain = plainTransaction('begin, two selects, commit', many);
    const createFew = creating(`create a tenant, ${FEW} there`, few);
    const createMany = creating(`create a tenant, ${MANY} there`, many, createFew.name);
    const nothing = migratingNothing(`migrate nothing, ${FEW} schemas`, few);
    const releases = { newest: few.bundle, count: 0 };
    return {
      sides: [
        plain,
        workUnit('unit of work, one tenant', many, many.tenants.slice(0, 1), plain.name),
        workUnit(`unit of work, ${MANY} tenants`, many, many.tenants, plain.name),
        setRole(`SET ROLE, ${ROLES} roles`, peopled, roles),
        createFew,
        createMany,
        visiting(`one session in ${MANY} tenants`, many, many.tenants),
        visiting(`one session in ${MANY} tenants, pooled`, peopled, pooled),
        // last of what needs the release as it is: after it the schemas are ahead of it
        nothing,
        migrating(`a column over ${FEW} schemas, 2 workers`, few, releases, 2),
        migrating(`a column over ${FEW} schemas, 4 workers`, few, releases, 4),
      ],
      gates: [
        {
          title: `creating at ${MANY} schemas against ${FEW}: × the time (p50)`,
          value: (resultOf) => timeRatio(resultOf(createMany.name)?.figures['p50 ms'], resultOf(createFew.name)?.figures['p50 ms']),
          atMost: 1.5,
        },
        { title: `${nothing.name}: ms`, value: (resultOf) => resultOf(nothing.name)?.figures['p50 ms'], atMost: 1_000 },
      ],
      close: async () => {
        for (const population of [few, many, peopled]) await population.close();
      },
    };
  },
};

const timeRatio = (one: number | undefined, other: number | undefined): number | undefined => (one === undefined || other === undefined ? undefined : one / other);
