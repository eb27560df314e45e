import type { SubjectEvent } from '@weir/contracts';
import { stateTopic } from '@weir/contracts';
import { append, publishStates } from '@weir/event-store';
import { fact, type CommandContext, type TenantId } from '@weir/kernel';
import { pseudonymOf, type SubjectName } from '@weir/subjects';
import type { UnitOfWork } from '@weir/tenancy';
import type { Catalog, Endpoint } from '@weir/upstream-catalog';
import type { ResponseCache } from '../call/cache';
import { aliasesOf, eraseRows, suppress, suppressedBy } from './erased-rows';
import type { SubjectKeys } from './subject-keys';
import { jsonIn, subjectsAnswered, subjectsAsked } from './subjects-in';
import { holdKeeping } from './suppressions';

export interface ErasingParts {
  readonly work: UnitOfWork;
  readonly catalogs: readonly Catalog[];
  readonly cache: ResponseCache;
  readonly subjectKeys: SubjectKeys;
}

export interface Erasure {
  readonly tenantId: TenantId;
  readonly erasureId: string;
  readonly pseudonyms: readonly string[];
}

/**
 * Obeys an erasure, in an order in which a crash after each step is mended by doing all of it again:
 *
 *     1  suppressed     by all their names; from here on nothing of them is stored, and every fetcher hears of it
 *     2  uncached       answers that name them, of this tenant and of those that tenants share
 *     3  removed        every row, in one transaction with the report
 *
 * Whoever is fetching one of them at this moment stores nothing any more after 1; 3 waits for whoever was storing before.
 */
export class Erasing {
  private readonly endpoints: ReadonlyMap<string, Endpoint>;
  private readonly single: readonly string[];

  constructor(private readonly parts: ErasingParts) {
    const endpoints = parts.catalogs.flatMap((catalog) => catalog.endpoints);
    this.endpoints = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    this.single = endpoints.filter(({ personal }) => !personal.some((path) => path.includes('[]'))).map(({ id }) => id);
  }

  async obey({ tenantId, erasureId, pseudonyms }: Erasure, context: CommandContext): Promise<void> {
    const { work } = this.parts;
    const names = await work.inTenant(tenantId, async (sql) => {
      await holdKeeping(sql, tenantId);
      const known = await suppressedBy(sql, tenantId, erasureId);
      const all = await aliasesOf(sql, tenantId, [...pseudonyms, ...known], this.single);
      await suppress(sql, tenantId, erasureId, all);
      await publishStates(
        sql,
        all.map((pseudonym) => ({ topic: stateTopic('subject'), key: `${tenantId}/${pseudonym}`, body: { tenantId, pseudonym, erasureId } })),
      );
      return all;
    });
    const cachedAnswers = await this.uncache(tenantId, new Set(names));
    await work.inTenant(tenantId, async (sql) => {
      await holdKeeping(sql, tenantId);
      const removed = await eraseRows(sql, tenantId, names);
      const report: SubjectEvent = fact('subject.erased', {
        erasureId,
        service: 'upstream-fetcher' as const,
        ...removed,
        cachedAnswers,
        suppressed: names.length,
        at: context.at,
      });
      // one report an erasure: heard of again, it stays as it is
      await append(sql, { tenant: tenantId, stream: `erasure/${erasureId}/upstream-fetcher`, expected: 'none', events: [report], context });
    });
  }

  private async uncache(tenant: TenantId, names: ReadonlySet<string>): Promise<number> {
    const key = await this.parts.subjectKeys.of(tenant);
    const isOne = (name: SubjectName) => names.has(pseudonymOf(key, name));
    return this.parts.cache.forget(tenant, (endpointId, query, body) => {
      const endpoint = this.endpoints.get(endpointId);
      return endpoint !== undefined && (subjectsAsked(endpoint, query).some(isOne) || subjectsAnswered(endpoint, jsonIn(body)).some(isOne));
    });
  }
}
