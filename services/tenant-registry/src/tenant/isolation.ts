import type { TenantId } from '@weir/kernel';
import { currentPlace, type Bundle, type UnitOfWork } from '@weir/tenancy';
import { tenantNotFound } from '../errors';

/** Proof for a review, read from the database's own catalog at the moment of the question. */
export interface Isolation {
  readonly tenantId: string;
  readonly placement: 'schema' | 'pooled' | 'database';
  /** `home`, or the cluster's name. */
  readonly database: string;
  readonly schema: string;
  /** The role that a transaction of this tenant takes; it cannot log in and inherits nothing. */
  readonly role: { readonly name: string; readonly canLogin: boolean; readonly superuser: boolean; readonly bypassesRowSecurity: boolean; readonly members: readonly string[] };
  readonly tables: readonly { readonly name: string; readonly rowSecurity: 'forced' | 'off'; readonly policies: readonly string[]; readonly grants: readonly string[] }[];
  /** Roles other than the tenant's own and the migrator's with any right in the schema; none is as it should be. */
  readonly others: readonly string[];
  readonly migration: { readonly applied: readonly string[]; readonly missing: readonly string[] };
}

interface Home {
  schema_name: string;
  role_name: string;
  applied: string[];
}

export class IsolationReport {
  constructor(
    private readonly work: UnitOfWork,
    private readonly bundle: Bundle,
  ) {}

  async of(tenantId: TenantId): Promise<Isolation> {
    const place = await currentPlace(this.work.direct, tenantId);
    return this.work.of(place.at).inControl(async (sql) => {
      const { rows } = await sql.query<Home>('select schema_name, role_name, applied from weir.homes where schema_name = $1', [place.home]);
      const home = rows[0];
      // it has moved since the question was asked
      if (home === undefined) throw tenantNotFound();
      const [role, tables, others] = [
        await sql.query<Isolation['role']>(ROLE, [home.role_name]),
        await sql.query<Isolation['tables'][number]>(TABLES, [home.schema_name, home.role_name]),
        await sql.query<{ name: string }>(OTHERS, [home.schema_name, home.role_name]),
      ];
      if (role.rows[0] === undefined) throw tenantNotFound();
      return {
        tenantId,
        placement: place.kind,
        database: place.at,
        schema: home.schema_name,
        role: role.rows[0],
        tables: tables.rows,
        others: others.rows.map(({ name }) => name),
        migration: { applied: home.applied, missing: this.bundle.tenant.map(({ id }) => id).filter((id) => !home.applied.includes(id)) },
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
