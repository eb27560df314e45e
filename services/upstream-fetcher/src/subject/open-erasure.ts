import type { Provider, Type } from '@nestjs/common';
import { subjectSuppressionState } from '@weir/contracts';
import type { ServiceRuntime } from '@weir/service-host';
import type { Catalog } from '@weir/upstream-catalog';
import type { ResponseCache } from '../call/cache';
import { Erasing } from './erasing';
import { SubjectErasureReactor } from './subject-erasure.reactor';
import type { SubjectKeys } from './subject-keys';
import { createSuppressed, type Suppressed } from './suppressed';

/** Whom tenants have had erased; asked for before the tables are read. */
export const openSuppressed = ({ states }: Pick<ServiceRuntime, 'states'>, subjectKeys: SubjectKeys): Suppressed =>
  createSuppressed(states.table(subjectSuppressionState), subjectKeys);

export interface ErasureSurroundings {
  readonly runtime: ServiceRuntime;
  readonly catalogs: readonly Catalog[];
  readonly cache: ResponseCache;
  readonly subjectKeys: SubjectKeys;
}

/** The consumer that obeys erasures, in processes that do jobs. */
export function openErasure({ runtime: { work, common }, ...rest }: ErasureSurroundings): { controllers: Type[]; providers: Provider[] } {
  return {
    controllers: common.roles.includes('jobs') ? [SubjectErasureReactor] : [],
    providers: [{ provide: Erasing, useValue: new Erasing({ work, ...rest }) }],
  };
}
