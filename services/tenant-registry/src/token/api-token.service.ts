import { stateTopic, type ApiTokenEvent, type ApiTokenState, type Role } from '@weir/contracts';
import { mintToken } from '@weir/access';
import type { EventLog } from '@weir/event-store';
import { idFrom, rfc3339, type CommandContext, type Decide, type ProjectId, type TenantId, type TokenId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { EntitySql } from '@weir/entities';
import { tokenNotFound, tokenShownBefore } from '../errors';
import type { TenantService } from '../tenant/tenant.service';
import { apiToken, issue, reroll, revoke, type ApiToken } from './api-token';

export interface IssueToken {
  readonly label: string;
  readonly role: Role;
  readonly mode: 'live' | 'test';
  readonly projectId: ProjectId | undefined;
  /** ms since the epoch */
  readonly expiresAt: number | null;
}

/** A token as lists show it: never its secret. */
export interface TokenView {
  readonly id: string;
  readonly label: string;
  readonly mode: string;
  readonly role: string;
  readonly projectId: string;
  readonly status: 'active' | 'expired' | 'revoked';
  readonly expiresAt: string | null;
  readonly createdAt: string;
}

interface TokenRow {
  id: TokenId;
  label: string;
  mode: 'live' | 'test';
  role: Role;
  project_id: ProjectId;
  secret_hash: string;
  expires_at: string | null;
  revoked_at: string | null;
  created_at: string;
}

const DAY_MS = 86_400_000;
const COLUMNS = 'id, label, mode, role, project_id, secret_hash, expires_at, revoked_at, created_at';

export class ApiTokenService {
  constructor(
    private readonly events: EventLog<EntitySql>,
    private readonly work: UnitOfWork<EntitySql>,
    private readonly tenants: TenantService,
  ) {}

  /**
   * The answer holds the token: the one time that it is seen.
   *
   * @throws AppError `idempotency-not-replayable` (409) for a retry of a command that has made it: its secret is nowhere
   */
  async issue(tenant: TenantId, command: IssueToken, context: CommandContext): Promise<TokenView & { token: string }> {
    return shown(await this.make(tenant, command, context));
  }

  /** `token` is undefined when an earlier try of the command has made it. */
  private async make(tenant: TenantId, command: IssueToken, context: CommandContext): Promise<TokenView & { token: string | undefined }> {
    const { projects } = await this.tenants.state(tenant);
    const projectId = command.projectId ?? projects[0];
    if (projectId === undefined || !projects.includes(projectId)) throw tokenNotFound();
    const id = idFrom('tok', context.commandId, context.at);
    const minted = mintToken({ mode: command.mode, id });
    const { label, mode, role, expiresAt } = command;
    const { events } = await this.decide(tenant, id, minted.secretHash, issue({ tokenId: id, label, mode, role, projectId, expiresAt }), context, (sql) =>
      sql.query(
        'insert into api_tokens (tenant_id, id, label, mode, role, project_id, secret_hash, expires_at, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)',
        [tenant, id, label, mode, role, projectId, minted.secretHash, expiresAt, context.at],
      ),
    );
    return { ...toView(await this.row(tenant, id), context.at), token: events.length === 0 ? undefined : minted.token };
  }

  async list(tenant: TenantId, page: { limit: number; after: string | undefined }, now: number): Promise<TokenView[]> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<TokenRow>(`select ${COLUMNS} from api_tokens where tenant_id = $1 and id > $2 order by id limit $3`, [tenant, page.after ?? '', page.limit + 1]),
    );
    return rows.map((row) => toView(row, now));
  }

  /** A successor with the same rights; the old token works until the grace ends. */
  async reroll(tenant: TenantId, id: TokenId, graceMs: number, context: CommandContext): Promise<TokenView & { token: string }> {
    const old = await this.row(tenant, id);
    if (old.revoked_at !== null) throw tokenNotFound();
    const graceUntil = context.at + graceMs;
    const successor = await this.make(
      tenant,
      { label: old.label, role: old.role, mode: old.mode, projectId: old.project_id, expiresAt: old.expires_at === null ? null : Number(old.expires_at) },
      { ...context, commandId: `${context.commandId}/successor` },
    );
    await this.decide(tenant, id, old.secret_hash, reroll({ tokenId: id, replacedBy: successor.id as TokenId, graceUntil }), context, (sql) =>
      sql.query('update api_tokens set expires_at = $3 where tenant_id = $1 and id = $2', [tenant, id, graceUntil]),
    );
    return shown(successor);
  }

  async revoke(tenant: TenantId, id: TokenId, context: CommandContext): Promise<void> {
    const { secret_hash } = await this.row(tenant, id);
    await this.decide(tenant, id, secret_hash, revoke(id), context, (sql) =>
      sql.query('update api_tokens set revoked_at = $3 where tenant_id = $1 and id = $2', [tenant, id, context.at]),
    );
  }

  private decide(
    tenant: TenantId,
    id: TokenId,
    secretHash: string,
    decision: Decide<ApiToken, ApiTokenEvent>,
    context: CommandContext,
    also: (sql: EntitySql) => Promise<unknown>,
  ) {
    return this.events.decide<ApiToken, ApiTokenEvent>({
      tenant,
      stream: `api-token/${id}`,
      aggregate: apiToken,
      decide: decision,
      context,
      states: (state) => [{ topic: stateTopic('api-token'), key: id, body: toState(tenant, id, secretHash, state) }],
      also: async (sql) => void (await also(sql)),
    });
  }

  private async row(tenant: TenantId, id: TokenId): Promise<TokenRow> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<TokenRow>(`select ${COLUMNS} from api_tokens where tenant_id = $1 and id = $2`, [tenant, id]),
    );
    if (rows[0] === undefined) throw tokenNotFound();
    return rows[0];
  }
}

function shown({ token, ...view }: TokenView & { token: string | undefined }): TokenView & { token: string } {
  if (token === undefined) throw tokenShownBefore(view.id);
  return { ...view, token };
}

export const DEFAULT_GRACE_MS = DAY_MS;

/** null is a tombstone: the token is gone from every table. */
function toState(tenantId: TenantId, id: TokenId, secretHash: string, state: ApiToken): ApiTokenState | null {
  if (state.is !== 'usable') return null;
  const { projectId, mode, role, expiresAt } = state;
  return { id, tenantId, projectId, mode, role, secretHash, expiresAt };
}

function toView(row: TokenRow, now: number): TokenView {
  const expiresAt = row.expires_at === null ? null : Number(row.expires_at);
  return {
    id: row.id,
    label: row.label,
    mode: row.mode,
    role: row.role,
    projectId: row.project_id,
    status: row.revoked_at !== null ? 'revoked' : expiresAt !== null && expiresAt <= now ? 'expired' : 'active',
    expiresAt: expiresAt === null ? null : rfc3339(expiresAt),
    createdAt: rfc3339(Number(row.created_at)),
  };
}
