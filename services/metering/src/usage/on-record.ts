import type { ReconciliationEvent } from '@weir/contracts';
import { append } from '@weir/event-store';
import type { CommandContext, TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';

/**
 * What metering does by itself, and nobody ordered.
 *
 * @param commandId names what is said, so that it is said once
 */
export const ofItself = (action: string, commandId: string, at: number): CommandContext => ({ actor: { type: 'service', id: 'metering' }, commandId, at, action });

/** An event about a tenant's usage on its log, once for each command. */
export async function putOnRecord(sql: Sql, tenant: TenantId, event: ReconciliationEvent, context: CommandContext): Promise<void> {
  await append(sql, { tenant, stream: `usage/${tenant}`, expected: 'any', events: [event], context });
}
