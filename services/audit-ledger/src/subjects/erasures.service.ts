import type { StoredEvent } from '@weir/audit-format';
import type { EventLog } from '@weir/event-store';
import { fact, idFrom, notFound, type CommandContext, type TenantId } from '@weir/kernel';
import { pseudonymsOf, subjectKey } from '@weir/subjects';
import type { UnitOfWork } from '@weir/tenancy';
import { namesIn, type ErasureBody } from './erasure-form';

/** Whoever holds something about persons, and reports back on `erasure/<id>/<service>`. */
const HOLDERS = ['upstream-fetcher'] as const;

/** Proof of an erasure, without a name in it. */
export interface ErasureReceipt {
  readonly id: string;
  readonly status: 'running' | 'done';
  /** Persons that were named. */
  readonly subjects: number;
  readonly requested: Evidence;
  /** What each service removed; null: it has not reported yet. */
  readonly reports: readonly { readonly service: string; readonly report: (Evidence & Readonly<Record<string, unknown>>) | null }[];
}

/** Where it stands in the tenant's log, which `weir verify` checks. */
interface Evidence {
  readonly at: string;
  readonly position: number;
  readonly chainHash: string;
}

const stream = (id: string): string => `erasure/${id}`;

/** Erasure of persons: asked for here, carried out by whoever holds something, and shown as a receipt made of the log's own events. */
export class Erasures {
  constructor(
    private readonly work: UnitOfWork,
    private readonly log: EventLog,
  ) {}

  async request(tenant: TenantId, body: ErasureBody, context: CommandContext): Promise<ErasureReceipt> {
    const id = idFrom('era', `${tenant}/${context.commandId}`, context.at);
    const key = await this.work.inTenant(tenant, (sql) => subjectKey(sql, tenant));
    const data = { erasureId: id, subjects: body.subjects.length, pseudonyms: pseudonymsOf(key, namesIn(body)) };
    await this.log.append({ tenant, stream: stream(id), expected: 'none', events: [fact('subject.erasure-requested', data)], context });
    return this.receipt(tenant, id);
  }

  /** @throws AppError `not-found` */
  async receipt(tenant: TenantId, id: string): Promise<ErasureReceipt> {
    const [requested] = await this.log.read(tenant, { after: 0, limit: 1, stream: stream(id) });
    if (requested === undefined) throw notFound('erasure');
    const reports = await Promise.all(
      HOLDERS.map(async (service) => {
        const [report] = await this.log.read(tenant, { after: requested.position, limit: 1, stream: `${stream(id)}/${service}` });
        return { service, report: report === undefined ? null : { ...evidence(report), ...countsIn(report) } };
      }),
    );
    return {
      id,
      status: reports.every(({ report }) => report !== null) ? 'done' : 'running',
      subjects: (requested.data as { subjects: number }).subjects,
      requested: evidence(requested),
      reports,
    };
  }
}

const evidence = ({ recordedAt, position, chainHash }: StoredEvent): Evidence => ({ at: recordedAt, position, chainHash });

function countsIn({ data }: StoredEvent): Readonly<Record<string, unknown>> {
  const { erasureId: _, service: __, at: ___, ...counts } = data as Record<string, unknown>;
  return counts;
}
