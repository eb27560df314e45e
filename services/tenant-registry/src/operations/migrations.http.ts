import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { rfc3339, type TenantId } from '@weir/kernel';
import { Describes, Needs, Tenant, parse } from '@weir/service-host';
import { currentPlace, declareIndex, findDrift, undeclareIndex, type Bundle, type Databases, type MigrationRun, type Migrator } from '@weir/tenancy';
import { z } from 'zod';

const run = z.strictObject({
  /** Who goes first: how many, or which tenants. */
  canary: z.union([z.number().int().min(0).max(100), z.array(z.custom<TenantId>((v) => typeof v === 'string' && /^ten_[0-9a-z]{26}$/.test(v), 'ten_…')).max(100)]).default(1),
  workers: z.number().int().min(2).max(4).default(2),
});
const column = z.string().regex(/^[a-z_][a-z0-9_]{0,60}$/);
const extraIndex = z.strictObject({ table: column, columns: z.array(column).min(1).max(8), reason: z.string().trim().min(1).max(300) });

/** The release's way through the homes: each tenant's own schema, and the pooled one, in every database. */
export class Migrations {
  private running: Promise<unknown> | undefined;

  constructor(
    private readonly databases: Databases,
    private readonly bundle: Bundle,
    private readonly migrator: Migrator,
    private readonly onError: (error: Error) => void,
  ) {}

  async status() {
    const databases = await this.migrator.status();
    const schemas = databases.reduce((sum, { current, behind }) => ({ current: sum.current + current, behind: sum.behind + behind }), { current: 0, behind: 0 });
    return { running: this.running !== undefined, release: this.bundle.tenant.map(({ id }) => id), schemas, databases: databases.map(({ run: last, ...rest }) => ({ ...rest, run: view(last) })) };
  }

  plan = () => this.migrator.plan();
  drift = () => findDrift(this.databases, this.bundle);

  /** Begins, or joins what this process has begun; how far it is, the status says. */
  async run(options: z.infer<typeof run>) {
    this.running ??= this.migrator
      .run(options)
      .catch(this.onError)
      .finally(() => (this.running = undefined));
    // what is nothing, or little, has been done by the answer
    await Promise.race([this.running, new Promise((later) => setTimeout(later, 1_000))]);
    return this.status();
  }

  async declareIndex(tenant: TenantId, index: z.infer<typeof extraIndex>) {
    return declareIndex(this.databases, await currentPlace(this.databases.home, tenant), index);
  }

  async undeclareIndex(tenant: TenantId, name: string) {
    return undeclareIndex(this.databases, await currentPlace(this.databases.home, tenant), name);
  }
}

const view = (run: MigrationRun | null) =>
  run === null ? null : { ...run, startedAt: rfc3339(run.startedAt.getTime()), finishedAt: run.finishedAt === null ? null : rfc3339(run.finishedAt.getTime()) };

@Controller('v1')
export class MigrationsController {
  constructor(private readonly migrations: Migrations) {}

  @Get('migrations')
  @Needs('operator', "The release's migrations, how many schemas have them, and how the last run went")
  status() {
    return this.migrations.status();
  }

  @Get('migrations/plan')
  @Needs('operator', 'What a run would apply, and to how many schemas')
  async plan() {
    return { data: await this.migrations.plan() };
  }

  @Get('migrations/drift')
  @Needs('operator', 'Where schemas are not as the release makes them; declared indexes are no drift')
  async drift() {
    return { data: await this.migrations.drift() };
  }

  @Post('migrations')
  @HttpCode(202)
  @Needs('operator', 'Bring every schema to the release, canaries first; goes on where an earlier run was cut off')
  @Describes({ body: run, responses: { 202: { description: 'How far it is' } } })
  run(@Body(parse(run)) body: z.infer<typeof run>) {
    return this.migrations.run(body);
  }

  @Post('tenants/:t/indexes')
  @HttpCode(201)
  @Needs('operator', "Give one tenant an index of its own, on record as no drift; it goes with the tenant when it is moved to another schema")
  @Describes({ body: extraIndex, responses: { 201: { description: 'The index' } } })
  declare(@Tenant() id: TenantId, @Body(parse(extraIndex)) body: z.infer<typeof extraIndex>) {
    return this.migrations.declareIndex(id, body);
  }

  @Post('tenants/:t/indexes/:name/drop')
  @HttpCode(204)
  @Needs('operator', "Drop a tenant's own index")
  async undeclare(@Tenant() id: TenantId, @Param('name') name: string): Promise<void> {
    await this.migrations.undeclareIndex(id, name);
  }
}
