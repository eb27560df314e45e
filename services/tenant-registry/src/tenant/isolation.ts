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
  /** Who owns the schema or anything in it: the migrator, and no service. */
  readonly owners: readonly string[];
  readonly role: TenantRole;
  /** Who may log in and take that role: the services' logins, by the group that `role.members` names. */
  readonly logins: readonly Rights[];
  readonly tables: readonly IsolatedTable[];
  /** Roles other than the tenant's own and the owners with any right in the schema, on a table, a column or a function of it; none is as it should be. */
  readonly others: readonly string[];
  readonly migration: { readonly applied: readonly string[]; readonly missing: readonly string[] };
}

interface Rights {
  readonly name: string;
  readonly superuser: boolean;
  readonly bypassesRowSecurity: boolean;
}

/** The role that a transaction of this tenant takes. */
interface TenantRole extends Rights {
  readonly canLogin: boolean;
  /** Roles whose rights it has beside its own; none is as it should be. */
  readonly memberOf: readonly string[];
  readonly members: readonly string[];
}

interface IsolatedTable {
  readonly name: string;
  readonly rowSecurity: 'forced' | 'off';
  /** Which rows there are for whom, as the database has it: what is read by `using`, what may be written by `check`. */
  readonly policies: readonly { readonly name: string; readonly for: string; readonly using: string | null; readonly check: string | null }[];
  /** Of the tenant's role. */
  readonly grants: readonly string[];
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
      const [owners, role, logins, tables, others] = [
        await sql.query<{ name: string }>(OWNERS, [home.schema_name]),
        await sql.query<TenantRole>(ROLE, [home.role_name]),
        await sql.query<Rights>(LOGINS, [home.role_name]),
        await sql.query<IsolatedTable>(TABLES, [home.schema_name, home.role_name]),
        await sql.query<{ name: string }>(OTHERS, [home.schema_name, home.role_name]),
      ];
      if (role.rows[0] === undefined) throw tenantNotFound();
      return {
        tenantId,
        placement: place.kind,
        database: place.at,
        schema: home.schema_name,
        owners: owners.rows.map(({ name }) => name),
        role: role.rows[0],
        logins: logins.rows,
        tables: tables.rows,
        others: others.rows.map(({ name }) => name),
        migration: { applied: home.applied, missing: this.bundle.tenant.map(({ id }) => id).filter((id) => !home.applied.includes(id)) },
      };
    });
  }
}

const OWNERS = `
  select distinct owner::regrole::text as name
  from (select nspowner as owner from pg_namespace where oid = $1::regnamespace
        union all select relowner from pg_class where relnamespace = $1::regnamespace
        union all select proowner from pg_proc where pronamespace = $1::regnamespace) o order by 1`;

const ROLE = `
  select rolname as name, rolcanlogin as "canLogin", rolsuper as superuser, rolbypassrls as "bypassesRowSecurity",
         array(select m.roleid::regrole::text from pg_auth_members m where m.member = r.oid order by 1) as "memberOf",
         array(select m.member::regrole::text from pg_auth_members m where m.roleid = r.oid and (m.set_option or m.inherit_option) order by 1) as members
  from pg_roles r where rolname = $1`;

const LOGINS = `
  with recursive may as (
    select m.member from pg_auth_members m where m.roleid = $1::regrole and (m.set_option or m.inherit_option)
    union select m.member from pg_auth_members m join may on m.roleid = may.member where m.set_option or m.inherit_option)
  select rolname as name, rolsuper as superuser, rolbypassrls as "bypassesRowSecurity" from may join pg_roles r on r.oid = may.member where rolcanlogin order by 1`;

const TABLES = `
  select c.relname as name, case when c.relrowsecurity and c.relforcerowsecurity then 'forced' else 'off' end as "rowSecurity",
         coalesce((select jsonb_agg(jsonb_build_object(
                     'name', p.polname, 'for', case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' else 'delete' end,
                     'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)) order by p.polname)
                   from pg_policy p where p.polrelid = c.oid), '[]') as policies,
         array(select a.privilege_type from aclexplode(c.relacl) a where a.grantee = $2::regrole order by 1) as grants
  from pg_class c where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p') order by 1`;

// everybody may call functions of a schema that he has a right to, and that right is listed
const OTHERS = `
  select distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end as name
  from (select nspacl as acl, nspowner as owner, 'schema' as of from pg_namespace where oid = $1::regnamespace
        union all select relacl, relowner, 'table' from pg_class where relnamespace = $1::regnamespace
        union all select attacl, relowner, 'column' from pg_attribute join pg_class c on c.oid = attrelid where relnamespace = $1::regnamespace
        union all select proacl, proowner, 'function' from pg_proc where pronamespace = $1::regnamespace) o, aclexplode(o.acl) a
  where a.grantee <> $2::regrole and a.grantee <> o.owner and not (o.of = 'function' and a.grantee = 0) order by 1`;
