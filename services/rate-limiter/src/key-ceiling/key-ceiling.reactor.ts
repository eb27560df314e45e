import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { BusRecord } from '@weir/bus';
import { stateTopic, upstreamKeyState, type KeyCeilingState } from '@weir/contracts';
import { publishStates } from '@weir/event-store';
import { AppError, canonicalJson, type KeyId, type TenantId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import { tiklive } from '@weir/upstream-catalog';
import type { UnitOfWork } from '@weir/tenancy';

const TOPIC = stateTopic('key-ceiling');

/** What a key gives before anything was learned of it: what the upstream sells every key. */
const ceilingOf = (keyId: KeyId): KeyCeilingState => ({ keyId, ...tiklive.keyRate, concurrency: 0 });

/**
 * Says a ceiling for each upstream key, in the log of the key's owner. A consumer in a group and no table: each key is one's work, and
 * a new installation finds the keys that were there before it, since the topic is compacted.
 */
export class KeyCeilings {
  constructor(private readonly work: UnitOfWork) {}

  async follow(record: BusRecord): Promise<void> {
    const keyId = record.key as KeyId;
    if (record.value !== null) {
      const { owner } = upstreamKeyState.schema.parse(JSON.parse(record.value.toString('utf8')));
      return this.say(owner, keyId, ceilingOf(keyId));
    }
    const owner = record.headers['weir-tenant'];
    if (owner !== undefined) await this.say(owner as TenantId, keyId, null);
  }

  private async say(owner: TenantId, keyId: KeyId, ceiling: KeyCeilingState | null): Promise<void> {
    const body = ceiling === null ? null : canonicalJson(ceiling);
    try {
      await this.work.inTenant(owner, async (sql) => {
        const { rows } = await sql.query<{ body: string | null }>(
          'select body from published_states where tenant_id = $1 and topic = $2 and key = $3',
          [owner, TOPIC, keyId],
        );
        if ((rows[0]?.body ?? null) === body) return;
        await publishStates(sql, [{ topic: TOPIC, key: keyId, body: ceiling }]);
      });
    } catch (error) {
      // an owner that has been purged needs no ceiling
      if (!(error instanceof AppError && error.code === 'not-found')) throw error;
    }
  }
}

@Controller()
export class KeyCeilingConsumer {
  constructor(private readonly ceilings: KeyCeilings) {}

  @Consumes(stateTopic('upstream-key'), 'rate-limiter.key-ceilings')
  async onKeys(@Payload() records: readonly BusRecord[]): Promise<void> {
    for (const record of records) await this.ceilings.follow(record);
  }
}
