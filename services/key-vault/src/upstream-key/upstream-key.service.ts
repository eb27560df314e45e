import type { Access } from '@weir/access';
import type { UpstreamKeyEvent } from '@weir/contracts';
import {
  AppError,
  PLATFORM,
  idFrom,
  newId,
  versionConflict,
  type CommandContext,
  type Decide,
  type KeyId,
  type TenantId,
  type TokenId,
} from '@weir/kernel';
import { nothingToCheck } from '../errors';
import type { SealedVersions } from '../sealing/sealed-versions';
import type { KeyUpstreams } from '../test-call/key-upstreams';
import {
  activeVersion,
  candidate,
  judge,
  nextVersion,
  offerVersion,
  register,
  registered,
  remove,
  worthAnotherTry,
  type RegisteredKey,
  type UpstreamKey,
} from './upstream-key';
import type { Loaded, UpstreamKeyLog } from './upstream-key.log';
import { toView, type UpstreamKeyView } from './upstream-key.view';

export interface Ports {
  readonly log: UpstreamKeyLog;
  readonly secrets: SealedVersions;
  readonly upstreams: KeyUpstreams;
  /** Whose keys a tenant's calls use, for the record of test calls. */
  readonly tenants: Access['tenants'];
  /** ms that a version which a rotation replaced may still be called with. */
  readonly drainMs: number;
}

/** Keys of tenants, and of the platform as the owner `ten_platform`. */
export class UpstreamKeyService {
  constructor(private readonly ports: Ports) {}

  /** Sealed, on the record, and tried at once; the view's `lastCheck` is the report. */
  async register(
    owner: TenantId,
    { key, label, weight, upstream }: { key: string; label: string; weight?: number | undefined; upstream?: string | undefined },
    context: CommandContext,
  ): Promise<UpstreamKeyView> {
    const { log, secrets, upstreams } = this.ports;
    upstreams.of(upstream);
    const keyId = idFrom('key', `${owner}/${context.commandId}`, context.at);
    const { sealed, fingerprint } = await secrets.seal({ owner, keyId, version: 1 }, key);
    const offer = { version: 1, fingerprint, last4: key.slice(-4) };
    const ownedBy = owner === PLATFORM ? 'platform' : 'tenant';
    const decided = await log.decide({
      owner,
      keyId,
      decide: register({ keyId, owner: ownedBy, label, offer, weight, upstream }),
      context,
      offered: sealed,
    });
    return this.tryCandidate(owner, decided, context);
  }

  /** A new version beside the active one, which goes on serving until the new one has been accepted, and drains from then on. */
  async rotate(
    owner: TenantId,
    keyId: KeyId,
    key: string,
    context: CommandContext,
    ifVersion: number | undefined,
  ): Promise<UpstreamKeyView> {
    const before = registered((await this.ports.log.load(owner, keyId)).state);
    const decided = await this.offer(owner, before, { secret: key, last4: key.slice(-4) }, context, ifVersion);
    return this.tryCandidate(owner, decided, context);
  }

  /**
   * Tries what waits for a verdict: a candidate, or a secret that was refused for a reason that may have passed; else the active version.
   *
   * @throws AppError `not-accountable` (503, no call was made), `upstream-key-rejected` (409: there is nothing left to try)
   */
  async check(owner: TenantId, keyId: KeyId, context: CommandContext, ifVersion?: number): Promise<UpstreamKeyView> {
    const loaded = await this.loaded(owner, keyId, ifVersion);
    const key = registered(loaded.state);
    const again = candidate(key) === undefined ? worthAnotherTry(key) : undefined;
    if (again !== undefined) {
      const last4 = key.versions.find((v) => v.version === again)?.last4 ?? '';
      const decided = await this.ports.secrets.opened({ owner, keyId, version: again }, (secret) =>
        this.offer(owner, key, { secret, last4 }, context, ifVersion),
      );
      return this.tryCandidate(owner, decided, context);
    }
    const version = candidate(key) ?? activeVersion(key);
    if (version === undefined) throw nothingToCheck();
    return view(await this.judge(owner, keyId, version, context));
  }

  /** One verdict on one version: a test call, then what follows from it. */
  async judge(owner: TenantId, keyId: KeyId, version: number, context: CommandContext): Promise<Loaded> {
    const { secrets, upstreams, log, drainMs } = this.ports;
    const place = { owner, keyId, version };
    const { upstream } = registered((await log.load(owner, keyId)).state);
    const { examiner } = upstreams.of(upstream);
    return secrets.opened(place, async (secret) => {
      const verdict = await examiner.examine(
        { place, requestId: context.requestId ?? newId('req'), tokenId: tokenOf(context), keyMode: this.keyMode(owner) },
        secret,
      );
      return log.decide({
        owner,
        keyId,
        decide: judge(verdict, drainMs),
        context: { ...context, commandId: `${context.commandId}/verdict-${version}` },
      });
    });
  }

  /** Whether the upstream accepts one of the owner's usable keys now; it changes nothing of the key. Undefined: there is none. */
  async witness(owner: TenantId, context: CommandContext): Promise<boolean | undefined> {
    for (const { state } of await this.ports.log.page(owner, { limit: 10, after: undefined })) {
      const version = state.is === 'registered' && state.status === 'usable' ? activeVersion(state) : undefined;
      if (state.is !== 'registered' || version === undefined) continue;
      const place = { owner, keyId: state.keyId, version };
      const account = { place, requestId: context.requestId ?? newId('req'), tokenId: null, keyMode: this.keyMode(owner) };
      const { outcome } = await this.ports.secrets.opened(place, (secret) => this.ports.upstreams.of(state.upstream).examiner.examine(account, secret));
      return outcome === 'accepted';
    }
    return undefined;
  }

  async change(
    owner: TenantId,
    keyId: KeyId,
    decide: Decide<UpstreamKey, UpstreamKeyEvent>,
    context: CommandContext,
    ifVersion?: number,
  ): Promise<UpstreamKeyView> {
    return view(await this.ports.log.decide({ owner, keyId, decide, context, ifVersion }));
  }

  /** Every version is destroyed at once: calls in flight with it end as the upstream pleases. */
  async remove(owner: TenantId, keyId: KeyId, context: CommandContext, ifVersion?: number): Promise<void> {
    await this.ports.log.decide({ owner, keyId, decide: remove(), context, ifVersion });
  }

  async get(owner: TenantId, keyId: KeyId): Promise<UpstreamKeyView> {
    return view(await this.ports.log.load(owner, keyId));
  }

  async list(owner: TenantId, page: { limit: number; after: string | undefined }): Promise<UpstreamKeyView[]> {
    return (await this.ports.log.page(owner, page)).map(view);
  }

  private async offer(
    owner: TenantId,
    key: RegisteredKey,
    { secret, last4 }: { secret: string | Buffer; last4: string },
    context: CommandContext,
    ifVersion?: number,
  ) {
    const { keyId } = key;
    const version = nextVersion(key);
    const { sealed, fingerprint } = await this.ports.secrets.seal({ owner, keyId, version }, secret);
    return this.ports.log.decide({
      owner,
      keyId,
      decide: offerVersion({ version, fingerprint, last4 }),
      context,
      ifVersion,
      offered: sealed,
    });
  }

  /** A retried command whose candidate has been judged already finds none, and answers what came of it. */
  private async tryCandidate(owner: TenantId, decided: Loaded, context: CommandContext): Promise<UpstreamKeyView> {
    const key = registered(decided.state);
    const version = candidate(key);
    if (version === undefined) return view(decided);
    return view(await this.judge(owner, key.keyId, version, context).catch(namingKey(key.keyId)));
  }

  private async loaded(owner: TenantId, keyId: KeyId, ifVersion: number | undefined): Promise<Loaded> {
    const loaded = await this.ports.log.load(owner, keyId);
    if (ifVersion !== undefined && ifVersion !== loaded.version) throw versionConflict(loaded.version);
    return loaded;
  }

  private keyMode(owner: TenantId) {
    return owner === PLATFORM ? 'shared' : (this.ports.tenants.get(owner)?.keyMode ?? 'byo');
  }
}

const view = ({ state, version }: Loaded): UpstreamKeyView => toView(registered(state), version);

const tokenOf = ({ actor }: CommandContext): TokenId | null => (actor.type === 'token' ? (actor.id as TokenId) : null);

/** The key stays, untried: the caller must know which it is to check it again. */
const namingKey =
  (keyId: KeyId) =>
  (error: unknown): never => {
    if (!(error instanceof AppError) || error.category !== 'unavailable') throw error;
    throw new AppError(error.code, error.category, error.message, {
      details: { ...error.details, keyId },
      cause: error,
      retryAfter: error.retryAfter ?? 1,
    });
  };
