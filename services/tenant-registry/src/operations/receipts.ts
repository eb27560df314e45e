import type { EventLog } from '@weir/event-store';
import { PLATFORM, type CommandContext, type Fact, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { EntitySql } from '@weir/entities';

type Seen = ReadonlyMap<string, unknown>;

const aggregate = {
  initial: new Map<string, unknown>() as Seen,
  evolve: (seen: Seen, { type, data }: Fact): Seen => new Map(seen).set(type, data),
};

const stream = (tenantId: TenantId): string => `provisioning/${tenantId}`;

/** What the platform's log keeps of a tenant from before its schema exists and after it is gone. */
export class Receipts {
  constructor(
    private readonly events: EventLog<EntitySql>,
    private readonly work: UnitOfWork<EntitySql>,
  ) {}

  /** Once each type of event a tenant; `also` writes in the same transaction, first the platform's own tables, then the registry's. */
  async add(
    tenantId: TenantId,
    event: Fact,
    context: CommandContext,
    also: { platform?: (sql: EntitySql) => Promise<unknown>; control?: (sql: EntitySql) => Promise<unknown> } = {},
  ): Promise<void> {
    await this.events.decide({
      tenant: PLATFORM,
      stream: stream(tenantId),
      aggregate,
      decide: (seen) => (seen.has(event.type) ? [] : [event]),
      context: { ...context, commandId: `${context.commandId}/${event.type}` },
      also: async (sql) => {
        await also.platform?.(sql);
        await this.work.leaveTenant(sql);
        await also.control?.(sql);
      },
    });
  }

  async has(tenantId: TenantId, type: string): Promise<boolean> {
    return (await this.events.load(PLATFORM, stream(tenantId), aggregate)).state.has(type);
  }
}
