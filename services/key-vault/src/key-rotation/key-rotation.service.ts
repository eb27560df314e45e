import type { Envelope } from '@weir/envelope';
import type { EventLog } from '@weir/event-store';
import { AppError, PLATFORM, canonicalJson, fact, idFrom, sleep, type CommandContext, type Fact, type OperationId, type TenantId } from '@weir/kernel';
import { createHash } from 'node:crypto';
import { rotationNotFound } from '../errors';
import { reportOf, type CompletenessReport, type Part, type Rotation } from './rotation';
import type { ReportSigner } from './report-signer';
import type { RotationStore, StoredRotation, Turn } from './rotation-store';
import type { TenantRotation } from './tenant-rotation';

export interface KeyRotationView {
  readonly id: string;
  readonly of: readonly Part[];
  /** null: all */
  readonly tenantId: TenantId | null;
  readonly status: 'running' | 'finished';
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly progress: { readonly tenants: number; readonly done: number };
  /** Tenants whose turn failed and comes again, at most 100. */
  readonly troubles: StoredRotation['troubles'];
  readonly report: CompletenessReport | null;
  /** Of the report as canonical JSON. */
  readonly signature: { readonly algorithm: 'Ed25519'; readonly publicKey: string; readonly value: string; readonly signed: string } | null;
}

export interface RotationPorts {
  readonly store: RotationStore;
  readonly tenants: TenantRotation;
  readonly signer: ReportSigner;
  readonly envelope: Envelope;
  readonly events: EventLog;
  /** ms after the end in which fetchers have heard of everything; then older key-encryption keys that Weir holds are destroyed. */
  readonly retireAfterMs: number;
}

/** Tenants at a time in one process; each waits for its database and the key-encryption service, and neither is to feel it. */
const AT_ONCE = 4;

/**
 * A rotation is on record first and then carried out by whichever vault process takes a turn: one tenant after the other, each done when it
 * was counted. A process that dies loses at most its turns; they come again.
 */
export class KeyRotationService {
  constructor(private readonly ports: RotationPorts) {}

  /** @param tenant null: of all tenants */
  async request(of: readonly Part[], context: CommandContext, tenant: TenantId | null = null): Promise<KeyRotationView> {
    const id = idFrom('op', `key-rotation/${context.commandId}`, context.at);
    await this.say(id, fact('key-rotation.started', { rotationId: id, of: [...of], tenantId: tenant }), context);
    await this.ports.store.add(id, of, tenant);
    return this.get(id);
  }

  async get(id: OperationId): Promise<KeyRotationView> {
    const stored = await this.ports.store.get(id);
    if (stored === undefined) throw rotationNotFound();
    return this.view(stored);
  }

  async list(limit: number): Promise<KeyRotationView[]> {
    return Promise.all((await this.ports.store.list(limit)).map((stored) => this.view(stored)));
  }

  /** One look at what there is to do, until nothing is due. */
  async carryOn(context: () => CommandContext, stopping: AbortSignal): Promise<void> {
    for (const open of await this.ports.store.open()) {
      if (stopping.aborted) return;
      if (open.finishedAt !== null) {
        await this.retire(open);
        continue;
      }
      // one after the other: each ends under a key-encryption key of its own
      await this.advance(open, context, stopping);
      return;
    }
  }

  private async advance(open: StoredRotation, context: () => CommandContext, stopping: AbortSignal): Promise<void> {
    const { store } = this.ports;
    const rotation = await this.begun(open);
    await store.enlist(rotation.id);
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.takeTurns(rotation, stopping)));
    if (stopping.aborted || (await store.enlist(rotation.id)) > 0) return;
    const found = await store.findings(rotation.id);
    if (found !== undefined) await this.finish(rotation, found, context());
  }

  /** New data keys are under the key that the rotation ends with, from before the first tenant's turn on. */
  private async begun({ id, of, tenantId, kekId, startedAt }: StoredRotation): Promise<Rotation> {
    if (kekId !== null) return { id, of, tenantId, kekId, startedAt };
    await this.ports.store.begin(id, await this.kekOf(id, of, tenantId));
    const stored = await this.ports.store.get(id);
    if (stored?.kekId == null) throw new Error('a rotation that was begun has its key-encryption key');
    return { id, of, tenantId, startedAt, kekId: stored.kekId };
  }

  private async kekOf(id: OperationId, of: readonly Part[], tenant: TenantId | null): Promise<string> {
    // a tenant that goes back under the platform's key is no reason to turn that over
    if (tenant !== null) return (await this.ports.tenants.ownKek(tenant)) ?? this.ports.envelope.currentKekId();
    return of.includes('key-encryption-key') ? this.ports.envelope.turnOver(id) : this.ports.envelope.currentKekId();
  }

  private async takeTurns(rotation: Rotation, stopping: AbortSignal): Promise<void> {
    const { store, tenants } = this.ports;
    while (!stopping.aborted) {
      const tenant = await store.take(rotation.id);
      if (tenant === undefined) return;
      const turn: Turn = { rotation, tenant };
      try {
        await store.done(turn, await tenants.run(rotation, tenant));
      } catch (error) {
        // purged since the rotation began
        if (error instanceof AppError && error.category === 'not-found') await store.done(turn, null);
        else await store.failed(turn, error instanceof AppError ? `${error.code}: ${error.message}` : 'internal');
      }
    }
  }

  private async finish(
    rotation: Rotation,
    { tenants, finishedAt }: { tenants: CompletenessReport['tenants']; finishedAt: string },
    context: CommandContext,
  ): Promise<void> {
    const { signer, store } = this.ports;
    if (rotation.tenantId === null && rotation.of.includes('key-encryption-key')) await signer.rewrap();
    const report = reportOf(rotation, finishedAt, tenants);
    const text = canonicalJson(report);
    const signature = await signer.sign(text);
    const { totals, complete } = report;
    await this.say(
      rotation.id,
      fact('key-rotation.finished', {
        rotationId: rotation.id,
        of: [...rotation.of],
        ...totals,
        complete,
        reportSha256: createHash('sha256').update(text).digest('hex'),
        signature: signature.toString('base64'),
        publicKey: await signer.publicKey(),
      }),
      context,
    );
    await store.finish(rotation.id, finishedAt, text, signature);
  }

  private async retire({ id, kekId, of, tenantId, finishedAt, report }: StoredRotation): Promise<void> {
    if (Date.now() < Date.parse(finishedAt ?? '') + this.ports.retireAfterMs) return;
    const { complete } = JSON.parse(report ?? '{}') as Partial<CompletenessReport>;
    // what is left under an old key stays readable: it is the operator's to look at
    if (kekId !== null && tenantId === null && of.includes('key-encryption-key') && complete === true) await this.ports.envelope.retireOthers(kekId);
    await this.ports.store.retired(id);
  }

  /** Once each a rotation, in the platform's log. */
  private async say(id: OperationId, event: Fact, context: CommandContext): Promise<void> {
    await this.ports.events.decide({
      tenant: PLATFORM,
      stream: `key-rotation/${id}`,
      aggregate: { initial: new Set<string>(), evolve: (seen: ReadonlySet<string>, { type }: Fact) => new Set([...seen, type]) },
      decide: (seen) => (seen.has(event.type) ? [] : [event]),
      context: { ...context, commandId: `${id}/${event.type}` },
    });
  }

  private async view(stored: StoredRotation): Promise<KeyRotationView> {
    const { id, of, tenantId, startedAt, finishedAt, tenants, done, troubles, report, signature } = stored;
    return {
      id,
      of,
      tenantId,
      status: finishedAt === null ? 'running' : 'finished',
      startedAt,
      finishedAt,
      progress: { tenants, done },
      troubles,
      report: report === null ? null : (JSON.parse(report) as CompletenessReport),
      signature:
        report === null || signature === null
          ? null
          : { algorithm: 'Ed25519', publicKey: await this.ports.signer.publicKey(), value: signature.toString('base64'), signed: report },
    };
  }
}

/** Looks again and again until it is stopped; a look that fails is told and made again. */
export function startRotations(options: {
  readonly rotations: KeyRotationService;
  readonly context: () => CommandContext;
  readonly everyMs: number;
  readonly onError: (error: Error) => void;
}): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await options.rotations.carryOn(options.context, stopping.signal).catch((error: Error) => options.onError(error));
      await sleep(options.everyMs, stopping.signal);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
