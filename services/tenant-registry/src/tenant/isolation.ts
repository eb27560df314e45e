import type { TenantId } from '@weir/kernel';
import type { Bundle, UnitOfWork } from '@weir/tenancy';
import { tenantNotFound } from '../errors';

/** Proof for a review, read from the database's own catalog at the moment of the question. */
export interface Isolation {
  readonly tenantId: string;
  readonly placement: 'schema' | 'pooled' | 'database';
  readonly schema: string;
  /** The role that a transaction of this tenant takes; it cannot log in and inherits nothing. */
  readonly role: { readonly name: string; readonly canLogin: boolean; readonly superuser: boolean; readonly bypassesRowSecurity: boolean; readonly members: readonly string[] };
  readonly tables: readonly { readonly name: string; readonly rowSecurity: 'forced' | 'off'; readonly policies: readonly string[]; readonly grants: readonly string[] }[];
  /** Roles other than the tenant's own and the migrator's with any right in the schema; none is as it should be. */
  readonly others: readonly string[];
  readonly migration: { readonly applied: readonly string[]; readonly missing: readonly string[] };
}

interface Place {
  kind: Isolation['placement'];
  schema_name: string;
  role_name: string;
  applied: string[];
}

export class IsolationReport {
  constructor(
    private readonly work: UnitOfWork,
    private readonly bundle: Bundle,
  ) {}

  of(tenantId: TenantId): Promise<Isolation> {
    return this.work.inControl(async (sql) => {
      const { rows } = await sql.query<Place>('select kind, schema_name, role_name, applied from weir.placements where tenant_id = $1', [tenantId]);
      const place = rows[0];
      if (place === undefined) throw tenantNotFound();
      const [role, tables, others] = [
        await sql.query<Isolation['role']>(ROLE, [place.role_name]),
        await sql.query<Isolation['tables'][number]>(TABLES, [place.schema_name, place.role_name]),
        await sql.query<{ name: string }>(OTHERS, [place.schema_name, place.role_name]),
      ];
      if (role.rows[0] === undefined) throw tenantNotFound();
      return {
        tenantId,
        placement: place.kind,
        schema: place.schema_name,
        role: role.rows[0],
        tables: tables.rows,
        others: others.rows.map(({ name }) => name),
        migration: { applied: place.applied, missing: this.bundle.tenant.map(({ id }) => id).filter((id) => !place.applied.includes(id)) },
      };
    });
  }
}

const ROLE = `
  select rolname as name, rolcanlogin as "canLogin", rolsuper as superuser, rolbypassrls as "bypassesRowSecurity",
         array(select m.member::regrole::text from pg_auth_members m where m.roleid = r.oid order by 1) as members
  from pg_roles r where rolname = $1`;

const TABLES = `
  select c.relname as name, case when c.relrowsecurity and c.relforcerowsecurity then 'forced' else 'off' end as "rowSecurity",
         array(select p.polname::text from pg_policy p where p.polrelid = c.oid order by 1) as policies,
         array(select a.privilege_type from aclexplode(c.relacl) a where a.grantee = $2::regrole order by 1) as grants
  from pg_class c where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p') order by 1`;

const OTHERS = `
  select distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end as name
  from (select nspacl as acl, nspowner as owner from pg_namespace where oid = $1::regnamespace
        union all select relacl, relowner from pg_class where relnamespace = $1::regnamespace) o, aclexplode(o.acl) a
  where a.grantee <> $2::regrole and a.grantee <> o.owner order by 1`;
