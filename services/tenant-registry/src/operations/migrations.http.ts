import { Controller, Get, Post, HttpCode } from '@nestjs/common';
import { Needs } from '@weir/service-host';
import type { Bundle, Provisioner, UnitOfWork } from '@weir/tenancy';

/** How far each home (a tenant's schema, or the pooled one) is with the release's migrations. */
export class Migrations {
  constructor(
    private readonly work: UnitOfWork,
    private readonly provisioner: Provisioner,
    private readonly bundle: Bundle,
  ) {}

  async status(): Promise<{ release: string[]; schemas: { current: number; behind: number } }> {
    const release = this.bundle.tenant.map(({ id }) => id);
    const { rows } = await this.work.inControl((sql) =>
      sql.query<{ current: number; behind: number }>(
        `select count(*) filter (where applied @> $1)::int as current, count(*) filter (where not applied @> $1)::int as behind from weir.placements`,
        [release],
      ),
    );
    return { release, schemas: rows[0] ?? { current: 0, behind: 0 } };
  }

  async run(): Promise<{ migrated: number }> {
    return { migrated: await this.provisioner.migrateAll() };
  }
}

@Controller('v1/migrations')
export class MigrationsController {
  constructor(private readonly migrations: Migrations) {}

  @Get()
  @Needs('operator', "The release's migrations, and how many schemas have them")
  status() {
    return this.migrations.status();
  }

  @Post()
  @HttpCode(200)
  @Needs('operator', 'Bring every schema to the release')
  run() {
    return this.migrations.run();
  }
}
