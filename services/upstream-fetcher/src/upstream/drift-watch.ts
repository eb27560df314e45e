import { newUuid, type Clock, type RequestId } from '@weir/kernel';
import { differences, type Catalog, type Difference, type Endpoint } from '@weir/upstream-catalog';
import type { Journal } from '../usage/journal';
import { driftRecord } from '../usage/records';

/** Whether answers are still what the catalog knows of them. A drift is told, and is no outage: the answer goes on its way. */
export interface DriftWatch {
  /** An answer that is as it must be: looked at beyond that, one a second of each endpoint. */
  look(catalog: Catalog, endpoint: Endpoint, parsed: unknown, requestId: RequestId): void;
  /** An answer that lacks what it must have, and was refused for it. */
  tell(catalog: Catalog, endpoint: Endpoint, found: readonly Difference[], requestId: RequestId): void;
}

export interface DriftWatchParts {
  readonly journal: Journal;
  readonly clock: Clock;
  /** Each look that found something. */
  readonly count: (endpoint: string) => void;
  readonly warn: (endpoint: string, found: readonly Difference[]) => void;
}

const EVERY_MS = 1_000;
const TOLD_AGAIN_MS = 3_600_000;
const REMEMBERED = 1_000;

export function createDriftWatch({ journal, clock, count, warn }: DriftWatchParts): DriftWatch {
  const looked = new Map<Endpoint, number>();
  const told = new Map<string, number>();

  /** Of a difference that stays, one record an hour is enough. */
  function isNews(endpoint: Endpoint, { path, expected, found }: Difference, now: number): boolean {
    const name = `${endpoint.id} ${path} ${expected} ${found}`;
    if ((told.get(name) ?? -Infinity) > now - TOLD_AGAIN_MS) return false;
    if (told.size >= REMEMBERED) told.clear();
    told.set(name, now);
    return true;
  }

  const watch: DriftWatch = {
    look(catalog, endpoint, parsed, requestId) {
      const now = clock();
      if (endpoint.known === undefined || (looked.get(endpoint) ?? -Infinity) > now - EVERY_MS) return;
      looked.set(endpoint, now);
      const found = differences(endpoint.known, parsed);
      if (found.length > 0) watch.tell(catalog, endpoint, found, requestId);
    },
    tell(catalog, endpoint, found, requestId) {
      const now = clock();
      count(endpoint.id);
      const news = found.filter((difference) => isNews(endpoint, difference, now));
      if (news.length === 0) return;
      warn(endpoint.id, news);
      journal.write(driftRecord({ eventId: newUuid(now), catalog: catalog.id, endpoint: endpoint.id, differences: [...news], requestId, at: now }));
    },
  };
  return watch;
}
